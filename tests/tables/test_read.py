"""What predict wrote, read back: the same mentions, attributes and relations, in documents to train on."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinner_spacy.assertion.categories import ATTRIBUTES
from clinner_spacy.cli.relations import recorded
from clinner_spacy.corpora.document import Report
from clinner_spacy.errors import ClinnerError
from clinner_spacy.ner.trim import trim
from clinner_spacy.tables.formats import Format
from clinner_spacy.tables.found import AnnotatedText, Found, Text
from clinner_spacy.tables.read import is_table_of_findings, read_findings
from clinner_spacy.tables.write import Layout, write_mentions, write_tsv

KINDS = ("tsv", "csv", "jsonl", "parquet")
LAYOUT = Layout(said=True, linked=True, kept={"patient_id": "string"})


def write(path: Path, notes: list[AnnotatedText], layout: Layout = LAYOUT) -> Path:
    if path.suffix == ".tsv":
        write_tsv(path, notes, layout, scores=True)
    else:
        write_mentions(path, Format(path.suffix[1:]), notes, layout)
    return path


@st.composite
def annotated(draw: st.DrawFn) -> list[AnnotatedText]:
    notes = []
    for name, text in enumerate(draw(st.lists(st.text("ab é\n\t,\".🩺\u0301", max_size=20), min_size=1, max_size=3))):
        cuts = st.integers(0, len(text))
        places = {trim(text, *sorted(pair)) for pair in draw(st.lists(st.tuples(cuts, cuts), max_size=4))}
        found = []
        for start, end in sorted(place for place in places if place[0] < place[1]):
            said = tuple((attribute, draw(st.sampled_from([0.0, 1.0]))) for attribute in ATTRIBUTES)
            found.append(Found(start, end, draw(st.sampled_from("LM")), 0.5, said, "t", "C1", "c", 0.5))
        related = [{"head": 0, "tail": len(found) - 1, "label": "R", "score": 0.5}] if found else []
        notes.append(AnnotatedText(f"n{name}", text, found, related, {"patient_id": "p"}))
    return notes


@settings(max_examples=60, deadline=None)
@given(annotated(), st.sampled_from(KINDS), st.sampled_from(KINDS))
def test_round_trip(notes: list[AnnotatedText], kind: str, kind_of_relations: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path, relations = Path(folder) / f"found.{kind}", Path(folder) / f"relations.{kind_of_relations}"
        write(path, list(recorded(notes, relations, LAYOUT)))
        texts = [Text(note.name, note.text) for note in notes]
        read = list(read_findings(path, texts, relations=relations))
    for note, document in zip(notes, read, strict=True):
        wanted = note.to_document()
        assert (document.name, document.text) == (wanted.name, wanted.text)
        assert document.mentions.get("t", []) == wanted.mentions["sc"] and set(document.mentions) <= {"t"}
        assert document.relations == wanted.relations
        assert document.coded == (any(note.found for note in notes) or kind != "jsonl")
        assert document.attributes == (ATTRIBUTES if any(note.found for note in notes) or kind != "jsonl" else ())


NOTES = [
    AnnotatedText("a", "Tos y gripe.", [Found(0, 3, "SYMPTOM", 1.0, (), "s"), Found(6, 11, "DISEASE", 1.0, (), "d")]),
    AnnotatedText("b", "Nada.", []),
]
TEXTS = [Text(note.name, note.text) for note in NOTES]


def labels(*args: Any, **options: Any) -> list[dict[str, list[str]]]:
    documents = read_findings(*args, **options)
    return [{task: [m.label for m in group] for task, group in document.mentions.items()} for document in documents]


@pytest.mark.parametrize("kind", KINDS)
def test_tasks_and_labels(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path / f"found.{kind}", NOTES, Layout())
    assert labels(path, TEXTS) == [{"d": ["DISEASE"], "s": ["SYMPTOM"]}, {"d": [], "s": []}]
    assert labels(path, TEXTS, task="all") == [{"all": ["SYMPTOM", "DISEASE"]}, {"all": []}]
    assert labels(path, TEXTS, only=["DISEASE"]) == [{"d": ["DISEASE"]}, {"d": []}]  # not: no symptom anywhere
    assert labels(path, TEXTS, labels={"DISEASE": "X"}, only=["X"]) == [{"d": ["X"]}, {"d": []}]


def test_the_shared_tasks_table_has_no_tasks(tmp_path: Path) -> None:
    write_tsv(tmp_path / "found.tsv", NOTES, Layout())
    wanted = [{"disease": ["DISEASE"], "symptom": ["SYMPTOM"]}, {"disease": [], "symptom": []}]
    assert labels(tmp_path / "found.tsv", TEXTS) == wanted
    (first, _) = read_findings(tmp_path / "found.tsv", TEXTS)
    assert first.attributes == () and first.relations is None


def test_corrections_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "found.csv"
    path.write_text("note_id,start,end,text,label\na,0,3,Tose,SYMPTOM\n")
    row = dict.fromkeys(("head_start", "tail_start"), "0") | dict.fromkeys(("head_end", "tail_end"), "2")
    row |= {"note_id": "a", "relation": "R", "head_label": "SYMPTOM", "tail_label": "SYMPTOM"}
    (tmp_path / "relations.csv").write_text(",".join(row) + "\n" + ",".join(row.values()) + "\n")
    report = Report()
    list(read_findings(path, TEXTS, relations=tmp_path / "relations.csv", report=report))
    assert (report.text_differs, report.relations_lost) == (1, 1)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("f.csv", "note_id,start,text\n", "no column label, end but note_id, start, text; give a table"),
        ("f.csv", "note_id,start,end,label\na,x,3,L\n", "row 1: the start is not a whole number"),
        ("f.csv", "note_id,start,end,label\na,-1,3,L\n", "row 1: the start is not a whole number"),
        ("f.csv", "note_id,start,end,label\na,0,3,\n", "row 1: the label is empty"),
        ("f.csv", "note_id,start,end,label\na,3,3,L\n", "'a': a L from 3 to 3 is empty or lies outside"),
        ("f.csv", "note_id,start,end,label\na,0,99,L\n", "lies outside the text of 12 characters"),
        ("f.csv", "note_id,start,end,label\nz,0,3,L\n", "findings in 'z', which is none of the texts"),
        ("f.jsonl", '{"note_id": "a", "start": 0, "end": 3}\n', "row 1: the label is empty"),
        ("f.jsonl", '{"note_id": "a", "start": 0, "end": 3, "label": "L", "task": ["x"]}\n', "row 1: the task is"),
        ("f.jsonl", '{"note_id": "a", "start": -1, "end": 3, "label": "L"}\n', "a L from -1 to 3 is empty"),
        ("f.jsonl", '{"note_id": "a", "start": true, "end": 3, "label": "L"}\n', "the start is not a whole number"),
        ("f.xlsx", "", "is no table"),
    ],
)
def test_tables_that_do_not_fit(tmp_path: Path, name: str, text: str, told: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ClinnerError, match=told):
        list(read_findings(tmp_path / name, TEXTS))


def test_texts_of_one_name(tmp_path: Path) -> None:
    path = write(tmp_path / "found.csv", NOTES, Layout())
    with pytest.raises(ClinnerError, match="Two texts are 'b'"):
        list(read_findings(path, [*TEXTS, TEXTS[1]]))


def test_tables_of_findings_are_told_from_others(tmp_path: Path) -> None:
    for kind in KINDS:
        assert is_table_of_findings(write(tmp_path / f"found.{kind}", NOTES, Layout()))
    for name, text in (("a.csv", "token,ner\n"), ("a.tsv", "0\tJuan\t998877\t1\n"), ("a.conll", "gripe B-X\n")):
        (tmp_path / name).write_text(text)
        assert not is_table_of_findings(tmp_path / name)
    assert not is_table_of_findings(tmp_path)
