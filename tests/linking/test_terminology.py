"""Tables of terms: what is read, and what is refused."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from clinner_spacy.errors import ClinnerError
from clinner_spacy.linking.terminology import (
    Term,
    count_mentions,
    fingerprint_of,
    read_abbreviations,
    read_terminology,
)

TERMS = [Term("A", "gripe", "disorder", "es", True), Term("B", 'tos "seca", ronca')]


def test_tabs(tmp_path: Path) -> None:
    path = tmp_path / "terms.tsv"
    header = "Term\tlabel\tcode\tlang\tpreferred\tother\n"
    path.write_text(header + 'gripe\tdisorder\tA\tES\tyes\tx\ntos "seca", ronca\t\tB\t\t\t\n')
    found = read_terminology(path)
    assert found.terms == TERMS and found.source == "terms.tsv" and found.duplicates == 0
    assert found.fingerprint == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_commas_and_semicolons(tmp_path: Path, delimiter: str) -> None:
    rows = [["code", "term", "label", "lang", "preferred"], ["A", "gripe", "disorder", "es", "1"]]
    lines = [delimiter.join(row) for row in rows] + [delimiter.join(["B", '"tos ""seca"", ronca"', "", "", "0"])]
    path = tmp_path / "terms.csv"
    path.write_text("\ufeff" + "\r\n".join(lines) + "\r\n", encoding="utf-8")
    assert read_terminology(path).terms == TERMS


def test_parquet(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet

    path = tmp_path / "terms.parquet"
    columns = {"term": ["gripe", 'tos "seca", ronca'], "code": ["A", "B"], "label": ["disorder", None]}
    table = pa.table(columns | {"lang": ["es", None], "preferred": [True, None], "n": [1, 2]})
    pyarrow.parquet.write_table(table, path)
    assert read_terminology(path).terms == TERMS


def test_rows_that_say_the_same_are_kept_once_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "terms.tsv"
    path.write_text("code\tterm\tpreferred\nA\tgripe\t0\nA\tgripe\t1\nA\tgripe\t0\nB\tgripe\t0\n")
    found = read_terminology(path)
    assert found.terms == [Term("A", "gripe", preferred=True), Term("B", "gripe")]
    assert found.duplicates == 2


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.tsv", b"code\tname\nA\tgripe\n", r"t\.tsv has no column 'term', there are 2 others"),
        ("t.tsv", b"", "has no column 'code'"),
        ("t.tsv", b"code\tterm\n", "has no terms"),
        ("t.tsv", b"code\tterm\nA\tgripe\nB\t \n", r"t\.tsv, line 3: no term"),
        ("t.tsv", b"code\tterm\n\tgripe\n", "line 2: no code"),
        ("t.tsv", b"code\tterm\nA\n", "line 2: 1 cells where the header has 2"),
        ("t.tsv", b"code\tterm\tpreferred\nA\tgripe\tmaybe\n", "line 2: preferred is neither 0 nor 1"),
        ("t.tsv", "code\tterm\nA\tnódulo\n".encode("cp1252"), "is not UTF-8"),
        ("t.parquet", b"code,term\n", "Parquet"),
    ],
)
def test_refused(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ClinnerError, match=message) as error:
        read_terminology(path)
    assert "gripe" not in str(error.value)


def test_another_encoding_and_a_missing_file(tmp_path: Path) -> None:
    path = tmp_path / "t.tsv"
    path.write_bytes("code\tterm\nA\tnódulo\n".encode("cp1252"))
    assert read_terminology(path, encoding="cp1252").terms == [Term("A", "nódulo")]
    for read in (read_terminology, fingerprint_of):
        with pytest.raises(ClinnerError, match=r"nowhere\.tsv cannot be read"):
            read(tmp_path / "nowhere.tsv")


def test_abbreviations(tmp_path: Path) -> None:
    path = tmp_path / "short.tsv"
    path.write_text("abbreviation\tmeaning\nHTA\thipertensión arterial\n\nDM\tdiabetes mellitus\n", encoding="utf-8")
    assert read_abbreviations(path) == {"HTA": "hipertensión arterial", "DM": "diabetes mellitus"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("short\tlong\n", "needs the columns"),
        ("", "needs the columns"),
        ("abbreviation\tmeaning\nHTA\t\n", "line 2: an empty cell"),
        ("abbreviation\tmeaning\nHTA\ta\nHTA\tb\n", "line 3: two meanings"),
        ("abbreviation\tmeaning\nIM\ta\nim\tb\n", "line 3: two meanings"),
        ("abbreviation\tmeaning\nH.T.A.\ta\n", "line 2: an abbreviation of several words"),
        ("abbreviation\tmeaning\nHTA\ta\nD M\tb\n", "line 3: an abbreviation of several words"),
    ],
)
def test_abbreviations_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "short.tsv"
    path.write_text(content)
    with pytest.raises(ClinnerError, match=message):
        read_abbreviations(path)


def test_mentions_are_counted() -> None:
    mentions = [("tos", "SYMPTOM", "B"), ("tos", "SYMPTOM", "B"), ("tos", "SYMPTOM", "A")]
    assert count_mentions(mentions) == [Term("B", "tos", "SYMPTOM", times=2), Term("A", "tos", "SYMPTOM", times=1)]
