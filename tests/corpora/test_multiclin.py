from __future__ import annotations

import csv
from pathlib import Path

import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st

from clinner_spacy.corpora.document import Document, Mention, Report, to_doc
from clinner_spacy.corpora.multiclin import read_multiclin
from clinner_spacy.corpora.tsv import COLUMNS, read_tsv, write_multiclin_tsv
from clinner_spacy.errors import ClinnerError

Rows = list[tuple[str, str, int, int, str]]


def split(folder: Path, texts: dict[str, dict[str, str]], rows: dict[str, Rows]) -> Path:
    """A split of a corpus: task -> document -> text, and task -> rows."""
    for task, documents in texts.items():
        place = folder / "C" / "C-train" / f"C-train-{task}"
        (place / "txt").mkdir(parents=True)
        (place / "tsv").mkdir()
        for name, text in documents.items():
            (place / "txt" / f"{name}.txt").write_bytes(text.encode())
        with (place / "tsv" / f"C-train-{task}.tsv").open("w", newline="") as handle:
            csv.writer(handle, delimiter="\t").writerows([COLUMNS, *rows.get(task, [])])
    return folder / "C" / "C-train"


def test_documents_are_merged_and_know_what_was_annotated(tmp_path: Path) -> None:
    text = "uno\r\ndos «ß»"
    path = split(
        tmp_path,
        {"disease": {"a": text, "b": "x"}, "own-task": {"a": text}},
        {"disease": [("a", "DISEASE", 5, 8, "dos")], "own-task": []},
    )
    a, b = read_multiclin(path)
    assert (a.name, a.text) == ("a", text)
    assert a.mentions == {"disease": [Mention("DISEASE", ((5, 8),))], "own-task": []}
    assert b.mentions == {"disease": []}
    assert [list(d.mentions) for d in read_multiclin(path, tasks=["own-task"])] == [["own-task"]]
    assert [list(d.mentions) for d in read_multiclin(path / "C-train-own-task")] == [["own-task"]]


def test_text_beside_the_offsets_is_compared(tmp_path: Path) -> None:
    path = split(tmp_path, {"x": {"a": 'a "b"\nc'}}, {"x": [("a.txt", "X", 2, 7, '"b" c'), ("a", "X", 0, 1, "z")]})
    report = Report()
    assert len(next(iter(read_multiclin(path, report=report))).mentions["x"]) == 2
    assert report.text_differs == 1


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("a", "X", 0, 9, "abc")], "C-train-x.tsv, line 2: start_span to end_span lies outside the 3 characters of a"),
        ([("a", "X", -1, 2, "ab")], "C-train-x.tsv, line 2: start_span to end_span lies outside"),
        ([("a", "X", 0, 1, "a"), ("z", "X", 0, 1, "a")], "C-train-x.tsv, line 3: the filename is that of no text"),
        ([("a", "X", 2, 1, "a")], "C-train-x.tsv, line 2: the end_span is not behind"),
    ],
)
def test_rows_that_do_not_fit_are_refused(tmp_path: Path, rows: Rows, message: str) -> None:
    path = split(tmp_path, {"x": {"a": "abc"}}, {"x": rows})
    with pytest.raises(ClinnerError, match=message):
        list(read_multiclin(path))


def test_other_layouts_are_refused(tmp_path: Path) -> None:
    path = split(tmp_path, {"x": {"a": "abc"}, "y": {"a": "abd"}}, {})
    (tmp_path / "empty").mkdir()
    cases = [
        (path.parent, None, "give one of its splits: C-train"),
        (tmp_path / "empty", None, "none lies in it"),
        (tmp_path / "none", None, "is not a folder"),
        (path, ["drug"], "has no task drug: it has x, y"),
        (path, None, "differ"),
    ]
    for folder, tasks, message in cases:
        with pytest.raises(ClinnerError, match=message):
            list(read_multiclin(folder, tasks=tasks))
    (path / "C-train-x" / "txt" / "a.txt").write_bytes(b"\xff")
    with pytest.raises(ClinnerError, match=r"a\.txt is not UTF-8"):
        list(read_multiclin(path, tasks=["x"]))
    (path / "C-train-x" / "txt" / "a.txt").unlink()
    with pytest.raises(ClinnerError, match=r"holds no \.txt"):
        list(read_multiclin(path / "C-train-x"))
    (path / "C-train-x" / "tsv" / "C-train-x.tsv").unlink()
    with pytest.raises(ClinnerError, match=r"holds no \.tsv"):
        list(read_multiclin(path / "C-train-x"))


@given(text=st.text(st.sampled_from('ab"\t\r\n \x00\u2028é😀'), min_size=1), data=st.data())
def test_a_written_table_reads_back(tmp_path_factory: pytest.TempPathFactory, text: str, data: st.DataObject) -> None:
    places = st.tuples(st.integers(0, len(text)), st.integers(0, len(text))).filter(lambda p: p[0] < p[1])
    mentions = [Mention("X", (place,)) for place in data.draw(st.lists(places, max_size=4))]
    path = tmp_path_factory.mktemp("t") / "out.tsv"
    assert write_multiclin_tsv(path, iter([Document("d", text, {"x": mentions})])) == len(mentions)
    rows = list(read_tsv(path))
    assert [(row.start, row.end) for row in rows] == [(m.start, m.end) for m in mentions]
    assert all(row.text.split() == text[row.start : row.end].split() for row in rows)
    assert path.read_bytes().count(b"\n") == len(mentions) + 1


def test_a_table_that_fails_half_way_is_not_there(tmp_path: Path) -> None:
    def documents():
        yield Document("d", "abc", {"x": [Mention("X", ((0, 1),))]})
        raise ClinnerError("stop")

    with pytest.raises(ClinnerError, match="stop"):
        write_multiclin_tsv(tmp_path / "out.tsv", documents())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "label"), [("a\tb", "X"), ("a\rb", "X"), ("a", "X\nY"), ("a", "")])
def test_names_and_labels_that_break_a_table_are_refused(tmp_path: Path, name: str, label: str) -> None:
    with pytest.raises(ClinnerError, match="control character"):
        write_multiclin_tsv(tmp_path / "t.tsv", [Document(name, "uno", {"x": [Mention(label, ((0, 1),))]})])
    assert list(tmp_path.iterdir()) == []


def test_a_task_named_as_the_group_of_all_spans(tmp_path: Path) -> None:
    (document,) = read_multiclin(split(tmp_path, {"sc": {"a": "abc"}}, {}))
    with pytest.raises(ClinnerError, match="task sc would have the name"):
        to_doc(document, spacy.blank("es"))


#: Corpora with 12 documents in their dev part, some 200 mentions.
TRANSLATED = {f"MultiClinNER-{lang}" for lang in ("cs", "nl", "ro", "sv")}


@pytest.mark.corpus
def test_real_corpora_say_where_their_texts_are(corpora: Path) -> None:
    splits = [path for path in sorted(corpora.glob("*/*-dev")) if any(path.glob("*/tsv"))]
    assert splits
    for path in splits:
        nlp, report = spacy.blank(path.parent.name.removesuffix("-cardio")[-2:]), Report()
        for document in read_multiclin(path, report=report):
            assert to_doc(document, nlp, report=report).text == document.text
        translated = path.parent.name in TRANSLATED
        assert report.mentions > (150 if translated else 300) and report.without_words == 0
        assert report.text_differs == (2 if path.parent.name == "NUBes-es" else 0)
        assert report.misaligned < (0.02 if translated else 0.01) * report.mentions
