"""Findings as tables that other programs read."""

from __future__ import annotations

import csv
import datetime
import json
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinner_spacy.assertion.categories import ATTRIBUTES
from clinner_spacy.corpora.tsv import read_tsv
from clinner_spacy.errors import ClinnerError
from clinner_spacy.tables import write
from clinner_spacy.tables.formats import Format
from clinner_spacy.tables.found import AnnotatedText, Found
from clinner_spacy.tables.records import mention_records
from clinner_spacy.tables.write import Layout, opened, write_mentions, write_tsv

SAID = tuple((name, 1.0 if name == "negated" else 0.0) for name in ATTRIBUTES)
LAYOUT = Layout(said=True, linked=True, kept={"patient_id": "string"})
FEVER = Found(7, 21, "SYMPTOM", 0.5, SAID, "symptom", "C1", "fiebre", 0.25)
COUGH = Found(0, 3, "SYMPTOM", 0.75, SAID, "symptom", "", "", None)
NOTES = [
    AnnotatedText("a", "Niega\r\nfiebre,\t\"alta\".", [FEVER], (), {"patient_id": "p"}),
    AnnotatedText("b", "Nada.", [], (), {"patient_id": None}),
    AnnotatedText("c", "Tos.", [COUGH], (), {"patient_id": None}),
]


def test_csv(tmp_path: Path) -> None:
    write_mentions(tmp_path / "found.csv", Format.csv, NOTES, LAYOUT)
    with (tmp_path / "found.csv").open(encoding="utf-8", newline="") as file:
        first, second = csv.DictReader(file)
    assert list(first) == list(LAYOUT.mentions())
    assert first["text"] == 'fiebre,\t"alta"' and first["patient_id"] == "p"
    assert (first["negated"], first["family"], first["code"], first["score"]) == ("true", "false", "C1", "0.5")
    assert second["patient_id"] == second["code"] == second["code_score"] == ""


@settings(max_examples=100, deadline=None)
@given(st.text(st.sampled_from([*"ab ,;\t\"'\n\r", "\u2028", "\x85", "\x0c", "=", "-", "🩺"]), min_size=1))
def test_csv_keeps_every_character(text: str) -> None:
    note = AnnotatedText(text, text, [Found(0, len(text), text, 1.0)], (), {"k": text})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "found.csv"
        write_mentions(path, Format.csv, [note], Layout(kept={"k": "string"}))
        with path.open(encoding="utf-8", newline="") as file:
            (row,) = csv.DictReader(file, strict=True)
    assert {row[name] for name in ("note_id", "text", "label", "k")} == {text}


def test_json_lines_are_records(tmp_path: Path) -> None:
    write_mentions(tmp_path / "found.jsonl", Format.jsonl, NOTES, LAYOUT)
    lines = (tmp_path / "found.jsonl").read_text(encoding="utf-8").split("\n")
    assert [json.loads(line) for line in lines[:-1]] == [record for note in NOTES for record in mention_records(note)]
    assert list(json.loads(lines[0])) == list(LAYOUT.mentions()) and lines[-1] == ""


def test_parquet_has_the_records_and_their_types(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write, "GROUP_ROWS", 2)
    write_mentions(tmp_path / "found.parquet", Format.parquet, NOTES * 3, LAYOUT)
    table = pq.read_table(tmp_path / "found.parquet")
    assert table.to_pylist() == [record for note in NOTES * 3 for record in mention_records(note)]
    assert {field.name: str(field.type) for field in table.schema} == {
        name: {"float64": "double"}.get(kind, kind) for name, kind in LAYOUT.mentions().items()
    }
    assert pq.read_metadata(tmp_path / "found.parquet").num_row_groups == 3
    write_mentions(tmp_path / "none.parquet", Format.parquet, [], LAYOUT)
    assert pq.read_table(tmp_path / "none.parquet").schema == table.schema


@pytest.mark.parametrize(
    ("options", "columns"),
    [
        ({}, []),
        ({"asked": ATTRIBUTES}, list(ATTRIBUTES)),
        (
            {"scores": True},
            ["task", "score", *ATTRIBUTES, "negated_score", "uncertain_score", "code", "term", "code_score"],
        ),
    ],
)
def test_tsv_has_the_five_columns_of_the_shared_tasks_first(
    tmp_path: Path, options: dict[str, bool], columns: list[str]
) -> None:
    write_tsv(tmp_path / "found.tsv", NOTES, LAYOUT, **options)
    first = read_tsv(tmp_path / "found.tsv")
    assert [row[:5] for row in first] == [("a", "SYMPTOM", 7, 21, 'fiebre, "alta"'), ("c", "SYMPTOM", 0, 3, "Tos")]
    header, row, _ = (line.split("\t") for line in (tmp_path / "found.tsv").read_text(encoding="utf-8").splitlines())
    assert header[5:] == ["patient_id", *columns]
    known = dict(zip(header, row, strict=True))
    assert known.get("negated", "1") == "1" and known.get("family", "0") == "0" and known.get("score", "0.5") == "0.5"


def test_tsv_refuses_names_that_would_break_lines(tmp_path: Path) -> None:
    note = AnnotatedText("a\tb", "Tos.", [Found(0, 3, "L", 1.0)])
    with pytest.raises(ClinnerError, match="control character"):
        write_tsv(tmp_path / "found.tsv", [note], Layout())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("value", "as_json", "as_csv"),
    [
        (datetime.date(2026, 1, 2), "2026-01-02", "2026-01-02"),
        (datetime.datetime(2026, 1, 2, 3, 4), "2026-01-02T03:04:00", "2026-01-02T03:04:00"),
        (Decimal("1.10"), "1.10", "1.10"),
        (float("nan"), None, ""),
        (True, True, "true"),
        (None, None, ""),
        ([1, {"a": "x"}], [1, {"a": "x"}], ClinnerError),
        (b"x", ClinnerError, ClinnerError),
        (float("inf"), ClinnerError, ClinnerError),
    ],
)
def test_values_of_kept_columns(tmp_path: Path, value: Any, as_json: Any, as_csv: Any) -> None:
    note = AnnotatedText("a", "Tos.", [Found(0, 3, "L", 1.0)], (), {"k": value})
    for format, wanted in ((Format.jsonl, as_json), (Format.csv, as_csv)):
        path = tmp_path / f"found.{format}"
        if wanted is ClinnerError:
            with pytest.raises(ClinnerError, match=r"column k holds .* leave it out"):
                write_mentions(path, format, [note], Layout(kept={"k": "string"}))
            assert not path.exists()
        else:
            write_mentions(path, format, [note], Layout(kept={"k": "string"}))
            text = path.read_text(encoding="utf-8")
            (row,) = [json.loads(text)] if format is Format.jsonl else csv.DictReader(text.splitlines())
            assert row["k"] == wanted


def test_parquet_refuses_values_of_another_type(tmp_path: Path) -> None:
    note = AnnotatedText("a", "Tos.", [Found(0, 3, "L", 1.0)], (), {"k": "Juan"})
    with pytest.raises(ClinnerError, match="values of several kinds") as error:
        write_mentions(tmp_path / "found.parquet", Format.parquet, [note], Layout(kept={"k": "int64"}))
    assert "Juan" not in str(error.value) and not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["text", "score", "label", "head_text", "filename", "code"])
def test_kept_columns_have_names_of_their_own(name: str) -> None:
    with pytest.raises(ClinnerError, match=f"--keep {name} is also the name"):
        Layout(kept={name: "string"}).check()


def test_what_nobody_knew_of_is_not_dropped(tmp_path: Path) -> None:
    for format in (Format.csv, Format.jsonl, Format.parquet):
        with pytest.raises(ClinnerError, match="writes code, code_score, family"):
            write_mentions(tmp_path / f"found.{format}", format, NOTES, Layout(kept={"patient_id": "string"}))
    assert not list(tmp_path.iterdir())


def test_a_closed_standard_output(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", None)  # as Python has it under ">&-"
    with pytest.raises(ClinnerError, match="Standard output is closed"), opened("-"):
        pass
