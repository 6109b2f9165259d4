from __future__ import annotations

import re
import shutil
import subprocess
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from clinner_spacy.cli.page import COLOURS, render_lines, stack, write_page
from clinner_spacy.tables.found import AnnotatedText, Found
from tests.cli.conftest import TEXT, Run
from tests.cli.png import read_png

#: A picture without a display, a sandbox (which root cannot have) or a network.
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=700,300"),
    *("--no-first-run", "--disable-quic", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
]

TASKS = {"DISEASE": "disease", "SYMPTOM": "symptom"}
NESTED = AnnotatedText(
    "note", "Dolor por infarto agudo.", [Found(0, 23, "SYMPTOM", 0.5), Found(10, 23, "DISEASE", 0.875)]
)


class Page(HTMLParser):
    """The text in the articles of a page, one line a paragraph, and the titles over each character of it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.lang = ""
        self.tags: set[str] = set()
        self.lines: list[str] = []
        self.titles: list[tuple[str, str]] = []
        self.inside: list[str] = []
        self.title = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.inside.append(tag)
        if tag == "html":
            self.lang = dict(attrs)["lang"] or ""
        if tag == "p":
            self.lines.append("")
        if tag == "span":
            self.title = dict(attrs)["title"] or ""

    def handle_endtag(self, tag: str) -> None:
        while self.inside and self.inside.pop() != tag:
            pass
        if tag == "span":
            self.title = ""

    def handle_data(self, data: str) -> None:
        if "p" in self.inside:
            self.lines[-1] += data
            if self.title:
                self.titles.append((data, self.title))


def test_render(run: Run, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text(f"{TEXT}\r\n\n<script>alert('&')</script> fin")
    result = run("render", tmp_path / "note.txt", tmp_path / "note.html")
    assert result.exit_code == 0, result.output
    html = (tmp_path / "note.html").read_text()
    page = Page(html)
    assert page.lang == "es"
    assert page.lines == [TEXT, "", "<script>alert('&')</script> fin"]
    assert "script" not in page.tags and "link" not in page.tags
    assert "http://" not in html and "https://" not in html  # nothing is fetched
    titles = dict(page.titles)
    assert re.fullmatch(r"SYMPTOM [01]\.\d\d", titles["fiebre"])
    assert re.fullmatch(r"DISEASE [01]\.\d\d", titles["diabetes mellitus tipo 2"])
    header = html[html.index("<header>") : html.index("</header>")]
    assert all(task in header for task in ("disease", "symptom", "procedure"))


def test_overlapping_mentions_stand_in_rows_of_their_own() -> None:
    (line,) = render_lines(NESTED, {"SYMPTOM": "red", "DISEASE": "blue"})
    assert Page(line).titles == [("Dolor por ", "SYMPTOM 0.50"), ("infarto agudo", "SYMPTOM 0.50\nDISEASE 0.88")]
    assert line.count("linear-gradient(red") == 2 and line.count("linear-gradient(blue") == 1
    assert line.count('data-label="SYMPTOM"') == line.count('data-label="DISEASE"') == 1


def test_a_mention_over_a_line_end_is_marked_on_both_lines() -> None:
    text = AnnotatedText("note", "dolor\ntorácico", [Found(0, 14, "SYMPTOM", 0.5)])
    lines = list(render_lines(text, {"SYMPTOM": "red"}))
    assert [Page(line).titles for line in lines] == [[("dolor", "SYMPTOM 0.50")], [("torácico", "SYMPTOM 0.50")]]
    assert "".join(lines).count("data-label") == 1


def test_each_task_has_a_colour_and_labels_are_escaped(tmp_path: Path) -> None:
    text = AnnotatedText("<b>", "tos \x00", [Found(0, 3, '"><script>', 0.5)])
    write_page(tmp_path / "p.html", [text, NESTED], {'"><script>': "drug", **TASKS}, "xx")
    html = (tmp_path / "p.html").read_text()
    assert Page(html).lang == "und"
    assert "script" not in Page(html).tags and "\x00" not in html
    assert all(colour in html for colour in COLOURS[:3])


def test_a_failure_leaves_nothing(run: Run, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_bytes(b"\xff")
    result = run("render", tmp_path / "note.txt", tmp_path / "note.html")
    assert result.exit_code == 1 and "not UTF-8" in result.output
    assert not (tmp_path / "note.html").exists()


spans = st.tuples(st.integers(0, 30), st.integers(1, 12), st.sampled_from(list(TASKS)))


@given(st.lists(spans, max_size=12), st.text(st.sampled_from("ab <&\n"), min_size=42, max_size=42))
def test_the_text_stays_as_it_is(places: list[tuple[int, int, str]], text: str) -> None:
    found = [Found(start, start + length, label, 0.5) for start, length, label in places]
    html = "".join(render_lines(AnnotatedText("x", text, found), dict.fromkeys(TASKS, "red")))
    page = Page(html)
    assert "\n".join(page.lines) == text
    for row in {mark.row for mark in stack(found)}:
        in_row = sorted(mark.found for mark in stack(found) if mark.row == row)
        assert all(first.end <= second.start for first, second in pairwise(in_row))


@pytest.mark.slow
def test_in_a_browser(tmp_path: Path) -> None:
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        pytest.skip("no Chromium here: install Debian's chromium")
    write_page(tmp_path / "page.html", [NESTED], TASKS, "es")
    shot, profile = tmp_path / "page.png", tmp_path / "profile"
    target = f"file://{tmp_path / 'page.html'}"
    command = [browser, *FLAGS, f"--user-data-dir={profile}", f"--screenshot={shot}", target]
    subprocess.run(command, check=True, timeout=120, capture_output=True)
    picture = read_png(shot)
    disease, symptom = (box(picture, colour) for colour in COLOURS[:2])
    assert symptom.bottom <= disease.top, "the rows lie under each other"
    assert symptom.left < disease.left and abs(symptom.right - disease.right) <= 2, "both end with the text"
    assert symptom.bottom - symptom.top >= 8, "the label is drawn"


class Box(NamedTuple):
    top: int
    bottom: int
    left: int
    right: int


def box(picture: NDArray[np.uint8], colour: str) -> Box:
    """The smallest box, ends exclusive, that holds a colour below the legend."""
    wanted = [int(colour[n : n + 2], 16) for n in (1, 3, 5)]
    below = 70
    ys, xs = np.nonzero((picture[below:, :, :3] == wanted).all(axis=2))
    assert len(ys), f"{colour} is not drawn"
    return Box(int(ys.min()) + below, int(ys.max()) + below + 1, int(xs.min()), int(xs.max()) + 1)
