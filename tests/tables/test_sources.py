"""Notes out of tables: every character, wherever reading begins, and what is said where they cannot be read."""

from __future__ import annotations

import io
import json
import sys
import tempfile
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinner_spacy.errors import ClinnerError
from clinner_spacy.tables.found import Text
from clinner_spacy.tables.rows import Wanted
from clinner_spacy.tables.sources import TableTexts, table_files
from clinner_spacy.tables.unread import Unread
from tests.tables.files import KINDS, write_notes

NOTES = [{"note_id": f"n{n}", "text": f"Fiebre {n}.", "patient_id": f"p{n % 3}", "age": n} for n in range(20)]
WANTED = Wanted(keep=("patient_id", "age"))

#: Characters that tables, lines and quotes are made of, and some beyond.
text = st.text(st.sampled_from([*"ab é,;\t\"'\n\r\\", "\u2028", "\x85", "\x0c", "\x00", "\ufeff", "🩺", "\u0301"]))


def texts(path: Path, wanted: Wanted = WANTED, **options: Any) -> TableTexts:
    return TableTexts([path], path.suffix[1:], wanted, **options)


@settings(max_examples=60, deadline=None)
@given(st.lists(text, min_size=1, max_size=5), st.sampled_from(KINDS))
def test_every_character_arrives(notes: list[str], kind: str) -> None:
    rows = [{"note_id": f"n{n}", "text": note, "other": note} for n, note in enumerate(notes)]
    with tempfile.TemporaryDirectory() as folder:
        path = write_notes(Path(folder) / f"notes.{kind}", rows)
        read = list(texts(path, Wanted(keep=("other",))))
    assert read == [Text(row["note_id"], row["text"], {"other": row["other"]}) for row in rows]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("start", [0, 1, 6, 7, 13, 20])
def test_reading_goes_on_anywhere(tmp_path: Path, kind: str, start: int) -> None:
    options = {"row_group_size": 6} if kind == "parquet" else {}
    path = write_notes(tmp_path / f"notes.{kind}", NOTES, **options)
    source = texts(path)
    assert source.total == 20
    source.skip(start, Unread())
    assert [text.name for text in source] == [f"n{n}" for n in range(start, 20)]
    assert source.position == 20
    both = TableTexts([path, write_notes(tmp_path / f"more.{kind}", NOTES)], kind, WANTED, duplicates=True)
    both.skip(start + 15, Unread())
    assert [text.name for text in both] == [f"n{n % 20}" for n in range(start + 15, 40)]


@pytest.mark.parametrize("kind", KINDS)
def test_columns_have_the_names_that_are_given(tmp_path: Path, kind: str) -> None:
    path = write_notes(tmp_path / f"notes.{kind}", [{"id": 7, "body": "Tos.", "when": "2026"}])
    assert list(texts(path, Wanted("body", "id", None))) == [Text("7", "Tos.", {"when": "2026"})]


@pytest.mark.parametrize("kind", KINDS)
def test_missing_columns_are_named_with_those_there(tmp_path: Path, kind: str) -> None:
    path = write_notes(tmp_path / f"notes.{kind}", NOTES)
    with pytest.raises(ClinnerError, match="no column body, day but note_id, text, patient_id, age; name columns with"):
        list(texts(path, Wanted("body", keep=("day",))))


def test_columns_of_parquet_may_be_called_anything(tmp_path: Path) -> None:
    path = write_notes(tmp_path / "notes.parquet", [{"note id (v2)": "a", "2026": "Tos."}])
    with pytest.raises(ClinnerError, match=r"no column note_id, text but note id \(v2\), 2026; name"):
        texts(path, Wanted())
    assert list(texts(path, Wanted("2026", "note id (v2)"))) == [Text("a", "Tos.")]


def test_a_forgotten_header_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "notes.csv").write_text('1,"Juan tiene fiebre. No tose."\n2,Nada\n')
    with pytest.raises(ClinnerError, match="2 columns whose names look like no names") as error:
        texts(tmp_path / "notes.csv")
    assert "Juan" not in str(error.value)


def test_what_cannot_be_read_is_passed_over_and_told(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"note_id": "a", "text": "Tos."},
        {"note_id": "b", "text": None},
        {"note_id": "c", "text": 12},
        {"note_id": None, "text": "Juan."},
        {"note_id": 1.5, "text": "Juan."},
        {"note_id": "d\te", "text": "Juan."},
        {"note_id": "f", "text": "\ud800 Juan"},
        {"note_id": "g"},
        {"note_id": 2, "text": "", "other": ["x"]},
        {"note_id": "h", "text": "Juan", "other": ["\udc00"]},
    ]
    source = texts(write_notes(tmp_path / "notes.jsonl", rows), Wanted(keep=("other",)))
    assert [text.name for text in source] == ["a", "2"]
    assert source.unread.count == 8 and source.position == 10
    told = " ".join(source.unread.lines())
    for reason in (
        *("row 2 cannot be read: its text is null", "row 3 cannot be read: its text is no text but int"),
        *("row 4 cannot be read: its note_id is empty", "row 5", "row 6 cannot be read: its note_id holds a tab"),
        *("row 7 cannot be read: its text holds half a character", "row 8", "row 10 cannot be read: its other holds"),
    ):
        assert reason in told
    assert "Juan" not in told


def test_nothing_that_can_be_read_is_an_error(tmp_path: Path) -> None:
    path = write_notes(tmp_path / "notes.jsonl", [{"note_id": "a", "text": None}])
    with pytest.raises(ClinnerError, match=r"None of the 1 texts can be read; for one, .* row 1"):
        list(texts(path, Wanted()))


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_table_has_no_notes(tmp_path: Path, kind: str) -> None:
    path = write_notes(tmp_path / f"notes.{kind}", NOTES[:1])
    if kind == "parquet":
        pq.write_table(pq.read_table(path).slice(0, 0), path)
    else:
        path.write_text("" if kind == "jsonl" else path.read_text().splitlines()[0])
    assert list(texts(path)) == []


def test_bytes_that_are_no_text_in_parquet(tmp_path: Path) -> None:
    cells = pa.array([b"Tos.", b"\xff", b"Nada."])
    broken = pa.StringArray.from_buffers(3, *cells.buffers()[1:])
    pq.write_table(pa.table({"note_id": ["a", "b", "c"], "text": broken}), tmp_path / "notes.parquet")
    source = texts(tmp_path / "notes.parquet", Wanted())
    assert [text.name for text in source] == ["a", "c"]
    assert list(source.unread.lines()) == [f"{tmp_path}/notes.parquet, row 2 cannot be read: its text is not UTF-8."]


NANOSECONDS = [pa.timestamp("ns"), pa.timestamp("ns", "Europe/Madrid"), pa.time64("ns"), pa.duration("ns")]


@pytest.mark.parametrize("type", NANOSECONDS, ids=str)
def test_times_in_nanoseconds_cost_no_note(tmp_path: Path, type: pa.DataType) -> None:
    counts = pa.array([10**13, 10**13 + 1001, None], pa.int64())
    table = pa.table({"note_id": ["a", "b", "c"], "text": ["x", "y", "z"], "at": counts.cast(type)})
    pq.write_table(table, tmp_path / "notes.parquet")
    source = texts(tmp_path / "notes.parquet", Wanted(keep=("at",)))
    cells = [text.columns["at"] for text in source]
    assert source.unread.count == 0 and cells[2] is None
    first, second = (pa.scalar(cell, type).value for cell in cells[:2])
    assert first == 10**13 and second // 1000 == 10**10 + 1  # pandas, where it is there, knows the last 1, too


def test_times_that_python_cannot_hold(tmp_path: Path) -> None:
    times = pa.array([0, 2**60], pa.timestamp("us"))
    pq.write_table(pa.table({"note_id": ["a", "b"], "text": ["x", "y"], "at": times}), tmp_path / "notes.parquet")
    source = texts(tmp_path / "notes.parquet", Wanted(keep=("at",)))
    assert [text.name for text in source] == ["a"] and "its at is not UTF-8, or no time" in source.unread.reasons[0]


@pytest.mark.parametrize(
    ("column", "cells", "told"),
    [
        ("text", pa.array([1, 2]), "the column text holds int64, not strings"),
        ("text", pa.array([b"a", b"b"]), "the column text holds binary, not strings"),
        ("note_id", pa.array([1.0, 2.0]), "the column note_id holds double, no strings or whole numbers"),
    ],
)
def test_types_that_do_not_fit(tmp_path: Path, column: str, cells: pa.Array, told: str) -> None:
    table = pa.table({"note_id": ["a", "b"], "text": ["a", "b"]})
    table = table.set_column(table.column_names.index(column), column, cells)
    pq.write_table(table, tmp_path / "notes.parquet")
    with pytest.raises(ClinnerError, match=told):
        texts(tmp_path / "notes.parquet", Wanted())


@pytest.mark.parametrize("type", [pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_other_types_of_strings(tmp_path: Path, type: pa.DataType) -> None:
    cells = pa.array(["Tos.", "Nada."]).cast(type)
    pq.write_table(pa.table({"note_id": [1, 2], "text": cells, "k": cells}), tmp_path / "notes.parquet")
    source = texts(tmp_path / "notes.parquet", Wanted(keep=("k",)))
    assert list(source) == [Text("1", "Tos.", {"k": "Tos."}), Text("2", "Nada.", {"k": "Nada."})]


@pytest.mark.parametrize("kind", KINDS)
def test_ids_are_there_once(tmp_path: Path, kind: str) -> None:
    path = write_notes(tmp_path / f"notes.{kind}", [*NOTES, {**NOTES[3], "text": "Otra."}])
    with pytest.raises(ClinnerError, match=rf"notes.{kind}, row 4 and .*, row 21 have the same note_id.*--allow-dup"):
        texts(path)
    assert len(list(texts(path, duplicates=True))) == 21


def test_ids_of_several_files(tmp_path: Path) -> None:
    paths = [write_notes(tmp_path / f"{n}.parquet", NOTES[n : n + 2]) for n in (0, 2, 3)]
    with pytest.raises(ClinnerError, match=r"2.parquet, row 2 and .*3.parquet, row 1 have the same"):
        TableTexts(paths, "parquet", WANTED)


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = "".join(json.dumps({"note_id": name, "text": "á"}) + "\n" for name in "aba").encode()

    def read(duplicates: bool) -> list[Text]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines)))
        return list(TableTexts([], "jsonl", Wanted(), duplicates=duplicates))

    assert [text.name for text in read(True)] == ["a", "b", "a"]
    with pytest.raises(ClinnerError, match="Standard input, row 3 and one before it have the same note_id"):
        read(False)
    with pytest.raises(ClinnerError, match="not parquet; name the file"):
        TableTexts([], "parquet", Wanted())


def test_a_closed_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)  # as Python has it under "<&-"
    with pytest.raises(ClinnerError, match="Standard input is closed"):
        list(TableTexts([], "jsonl", Wanted()))


def test_a_broken_row_group(tmp_path: Path) -> None:
    path = write_notes(tmp_path / "notes.parquet", NOTES, row_group_size=10, compression="gzip", use_dictionary=False)
    column = pq.ParquetFile(path).metadata.row_group(1).column(1)
    data = bytearray(path.read_bytes())
    middle = column.data_page_offset + column.total_compressed_size // 2
    data[middle : middle + 20] = bytes(20)
    path.write_bytes(data)
    source = texts(path)  # ids can be read
    with pytest.raises(ClinnerError, match=r"notes.parquet cannot be read in row group 1 \(\w+\); write"):
        list(source)
    assert source.position == 10


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("n.parquet", b"PAR1 and no more", "is no Parquet file or is damaged"),
        ("n.jsonl", b'{"note_id": "a", "text": "x"}\n{"note_id": "Juan", "te\n', "line 2: it is no JSON object"),
        ("n.jsonl", b'["Juan"]\n', "line 1: it is no JSON object"),
        ("n.jsonl", b"[" * 100_000, "line 1: it is no JSON object"),
        ("n.csv", b'note_id,text\na,x\nb,"Juan', "row 2: its quotation marks do not match"),
        ("n.csv", b"note_id,text\na,x,Juan\n", "row 1: 3 cells under 2 columns"),
        ("n.tsv", b"note_id\ttext\na\n", "row 1: 1 cells under 2 columns"),
        ("n.csv", b"note_id,text\na,x\nb,\xffJuan\n", "is not utf-8 behind row .*--encoding"),
        ("n.csv", b"note_id,text,text\n", "several columns text"),
        ("n.csv", b"", "is empty; its first line names"),
        ("n.csv", b"note_id;text\na;Juan, x\n", "separated by semicolons, not commas; write it again with commas"),
    ],
)
def test_broken_tables(tmp_path: Path, name: str, data: bytes, told: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ClinnerError, match=told) as error:
        texts(tmp_path / name, Wanted())
    assert "Juan" not in str(error.value) and str(tmp_path / name) in str(error.value)


@pytest.mark.parametrize("kind", KINDS)
def test_damage_of_any_kind_is_one_sentence(tmp_path: Path, kind: str) -> None:
    rows = [{"note_id": f"n{n}", "text": f"Fiebre {n} Juan.", "k": n} for n in range(30)]
    path = tmp_path / f"notes.{kind}"
    whole, chance, refused = write_notes(path, rows).read_bytes(), Random(kind), 0
    for _ in range(100):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 6)):
            at = chance.randrange(len(data))
            data[at : at + chance.choice((0, 1, 1, 20))] = chance.randbytes(chance.choice((0, 1, 1, 8)))
        path.write_bytes(data)
        try:
            list(texts(path, Wanted(keep=("k",))))
        except ClinnerError as error:
            refused += 1
            assert "Juan" not in str(error)
    assert refused > 50


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_encodings(tmp_path: Path, kind: str, encoding: str) -> None:
    path = write_notes(tmp_path / f"notes.{kind}", [{"note_id": "ñ", "text": "Señora"}])
    path.write_bytes(path.read_text(encoding="utf-8").encode(encoding))
    given = "utf-8" if encoding == "utf-8-sig" else encoding
    assert list(texts(path, Wanted(), encoding=given)) == [Text("ñ", "Señora")]


def test_types_of_kept_columns(tmp_path: Path) -> None:
    rows = [{"note_id": 1, "text": "a", "i": 1, "f": 1, "s": "x", "m": 1, "n": None, "l": [1], "b": True}]
    rows += [{"note_id": 2, "text": "b", "i": None, "f": 0.5, "s": None, "m": "x", "n": None, "b": False}]
    source = texts(write_notes(tmp_path / "notes.jsonl", rows), Wanted(keep=None))
    assert source.types == {
        **{"i": "int64", "f": "float64", "s": "string", "m": "mixed", "n": "string", "l": "mixed", "b": "bool"}
    }
    paths = [
        write_notes(tmp_path / "a.parquet", [{"note_id": 1, "text": "a", "k": 1, "s": "x"}]),
        write_notes(tmp_path / "b.parquet", [{"note_id": 2, "text": "a", "k": "x", "s": "x"}]),
    ]
    assert TableTexts(paths, "parquet", Wanted(keep=None)).types == {"k": "mixed", "s": pa.string()}


def test_fingerprints(tmp_path: Path) -> None:
    path = write_notes(tmp_path / "notes.parquet", NOTES)
    before = texts(path).fingerprint()
    assert texts(path).fingerprint() == before and before["files"] == 1
    assert texts(path, Wanted(keep=("age",))).fingerprint() != before
    moved = tmp_path / "moved"
    moved.mkdir()
    assert texts(path.rename(moved / path.name)).fingerprint() == before
    write_notes(moved / path.name, [*NOTES[:-1], {**NOTES[-1], "text": "Fiebre 99"}])  # of the same size
    assert texts(moved / path.name).fingerprint() != before


@pytest.mark.parametrize("kind", ["jsonl", "csv", "tsv"])
def test_a_change_far_from_the_end_is_another_input(tmp_path: Path, kind: str) -> None:
    rows = [{"note_id": f"n{n}", "text": "Fiebre. " * 4000} for n in range(5)]
    path = write_notes(tmp_path / f"notes.{kind}", rows)
    before = texts(path, Wanted()).fingerprint()
    path.write_bytes(path.read_bytes().replace(b"Fiebre", b"Afonia", 1))
    after = texts(path, Wanted()).fingerprint()
    assert after["bytes"] == before["bytes"] and after != before


def test_files_of_a_folder(tmp_path: Path) -> None:
    hidden = ("_SUCCESS.parquet", ".a.parquet", "_delta_log/0.parquet", ".t/b/2.parquet")
    for name in ("b/1.parquet", "a.PARQUET", "x.csv", *hidden):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert [path.name for path in table_files(tmp_path, "parquet")] == ["a.PARQUET", "1.parquet"]
