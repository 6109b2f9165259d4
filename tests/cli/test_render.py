from __future__ import annotations

import re
import tracemalloc
import unicodedata
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from clinner_spacy.cli.marked import HIDDEN, PICTURES, in_rows, marked_text, shown
from clinner_spacy.cli.page import write_page
from clinner_spacy.files import PAGE
from clinner_spacy.tables.found import AnnotatedText, Found
from tests.browser import chromium
from tests.cli.conftest import TEXT, Run
from tests.cli.png import read_png

TASKS = {"DISEASE": "disease", "SYMPTOM": "symptom"}
CLASSES = {"DISEASE": 0, "SYMPTOM": 1}
NESTED = AnnotatedText(
    "note", "Dolor por infarto agudo.", [Found(0, 23, "SYMPTOM", 0.5), Found(10, 23, "DISEASE", 0.875)]
)


class Page(HTMLParser):
    """The texts of a page, the titles over each piece of them, its elements and where its links lead."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.langs: set[str] = set()
        self.texts: list[str] = []
        self.titles: list[tuple[str, str]] = []
        self.inside: list[tuple[str, str]] = []
        self.in_text = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        self.tags.add(tag)
        self.ids += [told["id"]] if "id" in told else []
        self.links += [told["href"]] if "href" in told else []
        if told.get("class") == "text":
            self.in_text = True
            self.texts.append("")
            self.langs.add(told["lang"])
        self.inside.append((tag, told.get("title", "")))

    def handle_endtag(self, tag: str) -> None:
        while self.inside and self.inside.pop()[0] != tag:
            pass
        self.in_text = self.in_text and tag != "div"

    def handle_data(self, data: str) -> None:
        if self.in_text:
            self.texts[-1] += data
            if title := next((title for _, title in reversed(self.inside) if title), ""):
                self.titles.append((data, title))


def marked(text: AnnotatedText) -> Page:
    return Page(f'<div class="text" lang="es">{"".join(marked_text(text.text, text.found, CLASSES))}</div>')


def test_render(run: Run, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text(f"{TEXT}\r\n\n<script>alert('&')</script> fin", newline="")
    result = run("render", tmp_path / "note.txt", tmp_path / "note.html")
    assert result.exit_code == 0, result.output
    html = (tmp_path / "note.html").read_bytes().decode()
    page = Page(html)
    assert page.langs == {"es"}
    assert page.texts == [f"{TEXT}\r\n\n<script>alert('&')</script> fin"]
    assert "script" not in page.tags and "link" not in page.tags
    assert "http://" not in html and "https://" not in html  # nothing is fetched
    titles = dict(page.titles)
    assert re.fullmatch(r"SYMPTOM [01]\.\d\d", titles["fiebre"])
    assert re.fullmatch(r"DISEASE [01]\.\d\d", titles["diabetes mellitus tipo 2"])
    header = html[html.index("<header>") : html.index("</header>")]
    assert all(label in header for label in ("DISEASE", "SYMPTOM", "PROCEDURE"))


def test_overlapping_mentions_stand_in_rows_of_their_own() -> None:
    page = marked(NESTED)
    assert page.titles == [("Dolor por ", "SYMPTOM 0.50"), ("infarto agudo", "SYMPTOM 0.50\nDISEASE 0.88")]
    assert [mark.row for mark in in_rows(NESTED.found)] == [0, 1]


def test_of_mentions_that_cross_the_later_begins_anew() -> None:
    html = "".join(marked_text("abcdef", [Found(0, 4, "DISEASE", 1.0), Found(2, 6, "SYMPTOM", 1.0)], CLASSES))
    tags = re.sub(r' title="[^"]*"', "", html)
    assert tags == (
        '<mark class="m0" id="m-0" style="--n:0">ab<mark class="m1" id="m-1" style="--n:1">cd</mark></mark>'
        '<mark class="m1 again" style="--n:1">ef</mark>'
    )


def test_what_is_said_of_a_mention_and_its_code(tmp_path: Path) -> None:
    said = (("negated", 0.9), ("uncertain", 0.1))
    found = [Found(6, 12, "SYMPTOM", 0.5, said, "symptom", "386661006", "<Fever>", 0.8)]
    write_page(tmp_path / "p.html", [AnnotatedText("n", "Niega fiebre", found)], TASKS, "es", assertion=True)
    html = (tmp_path / "p.html").read_text()
    assert Page(html).titles == [("fiebre", "SYMPTOM 0.50 negated 386661006 <Fever>")]
    assert 'class="m1 hollow negated"' in html and "<s>negated</s>" in html
    assert "<td>negated</td><td>386661006 &lt;Fever&gt;</td>" in html


def test_each_task_has_a_colour_and_labels_are_escaped(tmp_path: Path) -> None:
    text = AnnotatedText("<b>", "tos \x00", [Found(0, 3, '"><script>', 0.5)])
    tasks = {'"><script>': "drug", "DISEASE": "clinical", "SYMPTOM": "clinical"}
    write_page(tmp_path / "p.html", [text, NESTED], tasks, "xx")
    html = (tmp_path / "p.html").read_text()
    assert Page(html).langs == {"und"}
    assert "script" not in Page(html).tags and "\x00" not in html
    assert [re.search(rf"\.m{n}{{--c:var\(--c(\d)\)", html)[1] for n in range(3)] == ["0", "1", "1"]  # type: ignore[index]


def test_the_index_counts_and_leads(tmp_path: Path) -> None:
    notes = [NESTED._replace(name=f"note <{n}>") for n in range(200)] + [AnnotatedText("none", "Nada.", [])]
    write_page(tmp_path / "p.html", iter(notes), TASKS, "es")
    html = (tmp_path / "p.html").read_text()
    page = Page(html)
    header = html[html.index("<header>") : html.index("</header>")]
    assert header.count('<span class="count">200</span>') == 2 and "201 notes" in html
    assert html.index('href="#n201"') < html.index('id="n1"')
    assert 'note &lt;7&gt;</a></td><td class="number">1</td><td class="number">1</td>' in html
    assert len(page.ids) == len(set(page.ids)), "an anchor is one place"
    assert {link[1:] for link in page.links} <= {*page.ids, "top"}


def test_memory_is_of_one_note(tmp_path: Path) -> None:
    def notes(count: int) -> Iterator[AnnotatedText]:
        return (NESTED._replace(name=str(n), text=NESTED.text * 100) for n in range(count))

    peaks = []
    for count in (200, 2000):
        tracemalloc.start()
        write_page(tmp_path / f"{count}.html", notes(count), TASKS, "es")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 200_000
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".html"] == []


def test_hidden_characters_are_all_that_unicode_calls_so() -> None:
    seen = "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2"  # signs of Arabic and Syriac, drawn
    for code in range(0x10000):
        character = chr(code)
        if unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp") and character not in "\t\n\r" + seen:
            assert HIDDEN.match(character) or code in PICTURES, f"U+{code:04X}"
    assert Page('<div class="text" lang="">' + shown("a\u202eb\x07")).texts == ["a\u202eb\u2407"]
    assert 'data-code="U+202E"' in shown("\u202e")


def test_the_scripts_of_the_service_know_the_same_hidden_characters() -> None:
    found = re.search(r"const HIDDEN =\s+/\[(.*)\]/u;", (PAGE / "mentions.js").read_text(encoding="utf-8"))
    assert found is not None
    spelled = re.sub(r"\\u\{?([0-9a-f]{4,5})\}?", lambda match: chr(int(match[1], 16)), found[1])
    assert f"[{spelled}]" == HIDDEN.pattern


def test_a_failure_leaves_nothing(run: Run, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_bytes(b"\xff")
    result = run("render", tmp_path / "note.txt", tmp_path / "note.html")
    assert result.exit_code == 1 and "not UTF-8" in result.output
    assert not (tmp_path / "note.html").exists()


spans = st.tuples(st.integers(0, 30), st.integers(1, 12), st.sampled_from(list(TASKS)))


@given(st.lists(spans, max_size=12), st.text(st.sampled_from("ab <&\n\u202e😀"), min_size=42, max_size=42))
def test_the_text_stays_as_it_is(places: list[tuple[int, int, str]], text: str) -> None:
    found = [Found(start, start + length, label, 0.5) for start, length, label in places]
    page = marked(AnnotatedText("x", text, found))
    assert page.texts == [text]
    assert sorted(page.ids) == sorted(f"m-{n}" for n in range(len(found)))
    marks = in_rows(found)
    for row in {mark.row for mark in marks}:
        in_row = sorted(mark.found for mark in marks if mark.row == row)
        assert all(first.end <= second.start for first, second in pairwise(in_row))


@given(st.lists(spans, min_size=1, max_size=8))
def test_every_character_has_its_mentions(places: list[tuple[int, int, str]]) -> None:
    text = "".join(chr(0x4E00 + n) for n in range(42))
    found = [Found(start, start + length, label, n / 100) for n, (start, length, label) in enumerate(places)]
    over = {c: title for piece, title in marked(AnnotatedText("x", text, found)).titles for c in piece}
    for n, character in enumerate(text):
        here = sorted(f"{f.label} {f.score:.2f}" for f in found if f.start <= n < f.end)
        assert sorted(over.get(character, "").splitlines()) == here


@pytest.mark.slow
def test_in_a_browser(tmp_path: Path) -> None:
    write_page(tmp_path / "page.html", [NESTED], TASKS, "es")
    shot = tmp_path / "page.png"
    with chromium(tmp_path, width=700, height=300) as page:
        page.get(f"file://{tmp_path / 'page.html'}")
        page.save_screenshot(str(shot))
        colours = [page.execute_script(COLOUR, f"--c{n}") for n in (0, 1)]
        assert page.execute_script(COPIED).strip() == NESTED.text
        assert page.get_log("browser") == []
    picture = read_png(shot)
    disease, symptom = (box(picture, colour) for colour in colours)
    assert symptom.bottom <= disease.top, "the rows lie under each other"
    assert symptom.left < disease.left and abs(symptom.right - disease.right) <= 2, "both end with the text"
    assert symptom.bottom - symptom.top >= 8, "the label is drawn"


COLOUR = "return getComputedStyle(document.documentElement).getPropertyValue(arguments[0])"
COPIED = """
getSelection().selectAllChildren(document.querySelector(".text"));
return getSelection().toString();
"""


@pytest.mark.slow
def test_a_label_is_drawn_on_each_line_that_its_mention_reaches(tmp_path: Path) -> None:
    text = "palabra " * 30
    write_page(tmp_path / "p.html", [AnnotatedText("n", text, [Found(0, len(text) - 1, "DISEASE", 1.0)])], TASKS, "es")
    with chromium(tmp_path, width=400, height=700) as page:
        page.get(f"file://{tmp_path / 'p.html'}")
        page.save_screenshot(str(tmp_path / "p.png"))
        lines = page.execute_script("return document.querySelector('mark').getClientRects().length")
        colour = page.execute_script(COLOUR, "--c0")
    chip = (read_png(tmp_path / "p.png")[BELOW:, 20:22, :3] == rgb(colour)).all(axis=(1, 2))
    high = [len(run) for run in "".join("x" if row else " " for row in chip).split()]
    assert lines >= 4 and high == [11] * lines


@pytest.mark.slow
def test_overrides_of_direction_turn_nothing_else(tmp_path: Path) -> None:
    write_page(tmp_path / "p.html", [AnnotatedText("n", "abc \u202edef ghi", [])], TASKS, "es")
    with chromium(tmp_path) as page:
        page.get(f"file://{tmp_path / 'p.html'}")
        places = page.execute_script(PLACES)
    assert places == sorted(places), "letters stand from left to right, as in the text"


PLACES = """
const letters = [...document.querySelector(".text").childNodes].filter((node) => node.nodeType === 3).flatMap((node) =>
  [...node.data].map((_, n) => { const r = document.createRange(); r.setStart(node, n); r.setEnd(node, n + 1);
    return r.getBoundingClientRect().left; }));
return letters;
"""

#: The legend's height.
BELOW = 70


class Box(NamedTuple):
    top: int
    bottom: int
    left: int
    right: int


def box(picture: NDArray[np.uint8], colour: str) -> Box:
    """The smallest box, ends exclusive, that holds a colour below the legend."""
    ys, xs = np.nonzero((picture[BELOW:, :, :3] == rgb(colour)).all(axis=2))
    assert len(ys), f"{colour} is not drawn"
    return Box(int(ys.min()) + BELOW, int(ys.max()) + BELOW + 1, int(xs.min()), int(xs.max()) + 1)


def rgb(colour: str) -> list[int]:
    return [int(colour.strip()[n : n + 2], 16) for n in (1, 3, 5)]
