from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from clinner_spacy.cli import app, report
from clinner_spacy.cli.report_text import Mark, marked_lines
from clinner_spacy.scoring.errors import KINDS

TEXT = "Dolor <torácico> por infarto.\nNiega fiebre & tos."
HEADER = "filename\tlabel\tstart_span\tend_span\ttext"


def span(words: str, label: str, *more: object, name: str = "a") -> str:
    start = TEXT.index(words)
    return "\t".join(map(str, (name, label, start, start + len(words), words, *more)))


GOLD = [
    span("Dolor <torácico>", "SYMPTOM"),
    span("infarto", "DISEASE"),
    span("fiebre", "SYMPTOM"),
    span("tos", "SYMPTOM"),
    span("tos", "SYMPTOM", name="b"),
]
PREDICTED = [
    span("Dolor", "SYMPTOM", 0.5),
    span("infarto", "SYMPTOM", 0.25),
    span("fiebre", "SYMPTOM", 0.95),
    span("Niega", "PROCEDURE", 0.05),
    span("tos", "SYMPTOM", 0.9, name="b"),
]


class Page(HTMLParser):
    """Tags, rows of tables, the marks of each side's paragraphs, and what these say."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.rows: list[list[str]] = []
        self.paragraphs: list[str] = []
        self.marks: list[tuple[str, str]] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.inside: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        given = {name: value or "" for name, value in attributes}
        self.inside.append(tag)
        self.ids += [given["id"]] if "id" in given else []
        self.links += [given["href"]] if "href" in given else []
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag == "p":
            self.paragraphs.append("")
        if tag == "mark":
            self.marks.append((given["class"], ""))

    def handle_endtag(self, tag: str) -> None:
        while self.inside and self.inside.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if {"td", "th"} & set(self.inside):
            self.rows[-1][-1] += data
        if "p" in self.inside:
            self.paragraphs[-1] += data
        if "mark" in self.inside:
            self.marks[-1] = (self.marks[-1][0], self.marks[-1][1] + data)


@pytest.fixture
def tables(tmp_path: Path) -> list[str]:
    (tmp_path / "notes" / "deep").mkdir(parents=True)
    (tmp_path / "notes" / "a.txt").write_text(TEXT)
    (tmp_path / "gold.tsv").write_text("\n".join([HEADER, *GOLD]) + "\n")
    (tmp_path / "pred.tsv").write_text("\n".join([f"{HEADER}\tscore", *PREDICTED]) + "\n")
    return [str(tmp_path / name) for name in ("gold.tsv", "pred.tsv")]


def evaluate(*args: object) -> str:
    result = CliRunner().invoke(app, ["evaluate", *map(str, args)])
    assert result.exit_code == 0, result.output
    return result.output


def test_scores_and_kinds(tables: list[str], tmp_path: Path) -> None:
    plain = evaluate(*tables)
    assert evaluate(*tables, "--html", tmp_path / "report.html") == plain
    page = Page((tmp_path / "report.html").read_text())
    header, every, disease, procedure, symptom = page.rows[:5]
    assert header[4:] == ["gold", "predicted", "right", *KINDS, "taken for it"]
    assert every[0] == "all" and every[4:] == ["5", "5", "2", "1", "1", "1", "1", "1"]
    assert every[3].startswith("0.400 [") and re.search(r"\[0\.\d{3}–1\.000\]", every[3])
    assert (disease[0], disease[4:]) == ("DISEASE", ["1", "0", "0", "0", "0", "0", "1", "0"])
    assert (procedure[0], procedure[4:]) == ("PROCEDURE", ["0", "1", "0", "0", "1", "0", "0", "0"])
    assert (symptom[0], symptom[4:]) == ("SYMPTOM", ["4", "4", "2", "1", "0", "1", "0", "1"])


def test_precision_by_score(tables: list[str], tmp_path: Path) -> None:
    evaluate(*tables, "--html", tmp_path / "report.html")
    html = (tmp_path / "report.html").read_text()
    assert html.count("<circle") == 4
    assert ["0.9–1.0", "2", "0.93", "1.00"] in Page(html).rows and ["0.2–0.3", "1", "0.25", "0.00"] in Page(html).rows
    evaluate(tables[1], tables[0], "--html", tmp_path / "without.html")  # the gold has no scores
    assert "<svg" not in (tmp_path / "without.html").read_text()


def test_errors_stand_in_the_texts_side_by_side(tables: list[str], tmp_path: Path) -> None:
    evaluate(*tables, "--html", tmp_path / "report.html", "--texts", tmp_path / "notes")
    html = (tmp_path / "report.html").read_text()
    page = Page(html)
    first, second = TEXT.split("\n")
    assert page.paragraphs[-4:] == [first, first, second, second]  # document b has no error and is not shown
    assert page.marks == [
        *[("boundary", "Dolor <torácico>"), ("label", "infarto")],
        *[("boundary", "Dolor"), ("label", "infarto")],
        *[("right", "fiebre"), ("missed", "tos")],
        *[("spurious", "Niega"), ("right", "fiebre")],
    ]
    assert page.links == ["#d0"] and page.ids == ["d0"]
    assert not {"script", "link", "img", "torácico"} & page.tags
    assert "http" not in html.replace("http-equiv", "")


def test_without_texts_spans_are_listed(tables: list[str], tmp_path: Path) -> None:
    evaluate(*tables, "--html", tmp_path / "report.html")
    rows = Page((tmp_path / "report.html").read_text()).rows
    assert rows[-5:] == [
        ["error", "gold", "predicted"],
        ["boundary", "SYMPTOM 0–16 Dolor <torácico>", "SYMPTOM 0–5 Dolor"],
        ["label", "DISEASE 21–28 infarto", "SYMPTOM 21–28 infarto"],
        ["spurious", "", "PROCEDURE 30–35 Niega"],
        ["missed", "SYMPTOM 45–48 tos", ""],
    ]


def test_the_worst_come_first_and_others_are_told_of(
    tables: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = [span("tos", "DISEASE", 0.5, name=name) for name in ("b", "c")]
    Path(tables[1]).write_text("\n".join([f"{HEADER}\tscore", *PREDICTED, *more]) + "\n")
    monkeypatch.setattr(report, "MOST", 2)
    evaluate(*tables, "--html", tmp_path / "report.html")
    html = (tmp_path / "report.html").read_text()
    assert re.findall(r'<h3 id="d\d">(.)</h3>', html) == ["a", "b"]
    assert "3 have errors; the 2 with most are shown." in html


def test_one_label(tables: list[str], tmp_path: Path) -> None:
    evaluate(*tables, "--html", tmp_path / "report.html", "--entity", "SYMPTOM")
    rows = Page((tmp_path / "report.html").read_text()).rows
    assert [row[0] for row in rows[1:3]] == ["all", "SYMPTOM"] and rows[1][1:] == rows[2][1:]
    assert rows[1][7:11] == ["1", "1", "1", "0"]  # without DISEASE in sight the label error is a spurious span


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (("--texts", "notes"), "--texts is for the page of --html"),
        (("--overwrite",), "--overwrite is for the page of --html"),
        (("--html", "gold.tsv"), "gold.tsv is also read from"),
        (("--html", "there.html"), "is there already; name another output, or add --overwrite"),
        (("--html", "new.html", "--texts", "notes/deep"), "has no a.txt"),
        (("--html", "new.html", "--texts", "gold.tsv"), "--texts gold.tsv is no folder"),
        (("--html", "new.html", "--texts", "short"), "a: a gold span from 0 to 16 is outside the text of 3 characters"),
    ],
)
def test_what_is_refused(
    tables: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, args: tuple[str, ...], sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there.html").touch()
    Path("short").mkdir()
    Path("short/a.txt").write_text("Ay.")
    before = sorted(tmp_path.iterdir())
    result = CliRunner().invoke(app, ["evaluate", *tables, *args])
    assert result.exit_code == 1 and sentence in result.output, result.output
    assert sorted(tmp_path.iterdir()) == before


def test_texts_that_are_no_folder_are_told_before_the_scores(tables: list[str], tmp_path: Path) -> None:
    args = ["--html", str(tmp_path / "new.html"), "--texts", str(tmp_path / "nowhere")]
    assert CliRunner().invoke(app, ["evaluate", *tables, *args]).stdout == ""


@pytest.mark.parametrize("score", ["1.5", "nan", "x", ""])
def test_a_score_that_is_none(tables: list[str], tmp_path: Path, score: str) -> None:
    Path(tables[1]).write_text(f"{HEADER}\tscore\n{span('tos', 'SYMPTOM', score)}\n")
    result = CliRunner().invoke(app, ["evaluate", *tables, "--html", str(tmp_path / "report.html")])
    assert result.exit_code == 1 and "pred.tsv, line 2: the score is not a number from 0 to 1." in result.output
    evaluate(*tables)  # which does not look at scores


marks = st.lists(
    st.builds(
        lambda start, length, label, kind: Mark(start, min(30, start + length), label, kind),
        st.integers(0, 29),
        st.integers(1, 9),
        st.sampled_from(["X", '"><script>']),
        st.sampled_from([*KINDS, "right"]),
    ),
    max_size=8,
)


@given(marks, st.text(st.sampled_from("ab <&\"\n"), min_size=30, max_size=30))
def test_the_text_stays_as_it_is_and_marks_are_where_they_should(marks: list[Mark], text: str) -> None:
    lines = [Page(f"<p>{line}</p>") for line in marked_lines(text, marks)]
    assert "\n".join(page.paragraphs[0] for page in lines) == text
    assert all(page.tags <= {"p", "mark"} for page in lines)
    marked = sum(len(words) for page in lines for _, words in page.marks)
    assert marked == len({n for m in marks for n in range(m.start, m.end) if text[n] != "\n"})


def test_characters_that_a_browser_would_obey_are_shown() -> None:
    (line,) = marked_lines("a\u202eb\x00\u2066", [])
    hidden = '<span class="hidden-character" data-code="U+{0:04X}">{1}</span>'
    assert line == f"a{hidden.format(0x202E, chr(0x202E))}b\u2400{hidden.format(0x2066, chr(0x2066))}"
