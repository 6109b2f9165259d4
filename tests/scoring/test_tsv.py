from __future__ import annotations

import logging
from pathlib import Path

import pytest

from clinner_spacy.errors import ClinnerError
from clinner_spacy.scoring.spans import SpanRow
from clinner_spacy.scoring.tsv import read_spans

HEADER = "filename\tlabel\tstart_span\tend_span\ttext\n"


def table(folder: Path, body: str, header: str = HEADER) -> Path:
    path = folder / "spans.tsv"
    path.write_bytes((header + body).encode())
    return path


def test_rows_quotes_blank_lines_and_other_columns(tmp_path: Path) -> None:
    body = '9\tx\ta\tX\t0\t4\r\n\r\n8\t"say ""in situ"""\ta\tY\t5.0\t 9 \r\n7\t"in situ" cancer\tb\tX\t1\t2'
    path = table(tmp_path, body, "\ufeffscore\ttext\tfilename\tlabel\tstart_span\tend_span\r\n")
    assert read_spans(path) == [SpanRow("a", "X", 0, 4), SpanRow("a", "Y", 5, 9), SpanRow("b", "X", 1, 2)]


def test_a_header_alone_is_an_empty_table(tmp_path: Path) -> None:
    assert read_spans(table(tmp_path, "")) == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("a\tX\t0\t4\tt\na\tX\t4\t4\tt\n", "line 3: the end_span is not behind the start_span"),
        ("a\tX\t0\tfour\tt\n", "line 2: the end_span is not a whole number"),
        ("a\tX\t\t4\tt\n", "line 2: the start_span is not a whole number"),
        ("a\tX\t0.5\t4\tt\n", "line 2: the start_span is not a whole number"),
        ("a\tX\t1_0\t40\tt\n", "line 2: the start_span is not a whole number"),
        ("a\tX\t0\t" + "9" * 30 + "\tt\n", "line 2: the end_span is larger"),
        ("a\tX\t0\t" + "9" * 5000 + "\tt\n", "line 2: the end_span is larger"),
        ("a\tX\t\x1c5\t9\tt\n", "line 2: the start_span is not a whole number"),
        ('a\t"X\tY"\t0\t4\tt\n', "line 2: the label holds a tab"),
        ('"a\nb"\tX\t0\t4\tt\n', "line 2: the filename holds a tab"),
        ("a\t\t0\t4\tt\n", "line 2: the label is empty"),
        ("\tX\t0\t4\tt\n", "line 2: the filename is empty"),
        ("a\tX\t0\n", "line 2: 3 cells under 5 columns"),
        ("a\tX\t0\t4\tt\tu\n", "line 2: 6 cells under 5 columns"),
        ('a\tX\t0\t4\t"t\na\tX\t5\t6\tt\n', "line 2: a quotation mark is opened and never closed"),
    ],
)
def test_bad_rows_are_refused_with_file_and_line(tmp_path: Path, body: str, message: str) -> None:
    with pytest.raises(ClinnerError, match=f"spans.tsv, {message}"):
        read_spans(table(tmp_path, body))


@pytest.mark.parametrize("header", ["", "\n", "filename\tlabel\tstart_span\ttext\n", "a,b\n"])
def test_missing_columns_are_named(tmp_path: Path, header: str) -> None:
    with pytest.raises(ClinnerError, match=r"spans.tsv lacks the columns? .*end_span"):
        read_spans(table(tmp_path, "", header))


def test_other_bad_files(tmp_path: Path) -> None:
    (tmp_path / "latin.tsv").write_bytes(HEADER.encode() + "a\tX\t0\t4\tsíndrome\n".encode("latin-1"))
    for name, message in (("latin.tsv", "not UTF-8"), ("none.tsv", "cannot be read"), (".", "cannot be read")):
        with pytest.raises(ClinnerError, match=message):
            read_spans(tmp_path / name)


def test_rows_swallowed_by_a_quotation_mark_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = table(tmp_path, 'a\tX\t0\t4\t"t\na\tX\t5\t6\tt"\na\tX\t7\t8\tt\n')
    with caplog.at_level(logging.WARNING, logger="spacy"):
        found = read_spans(path)
    assert found == [SpanRow("a", "X", 0, 4), SpanRow("a", "X", 7, 8)]  # as pandas reads it
    assert "lines 2 to 3" in caplog.text


def test_a_quotation_mark_left_open_in_the_header(tmp_path: Path) -> None:
    path = tmp_path / "t.tsv"
    path.write_text('filename\tlabel\tstart_span\tend_span\ttext\t"more\na\tX\t0\t4\tt\tu\n')
    with pytest.raises(ClinnerError, match=r"t\.tsv, line 1: a quotation mark is opened and never closed"):
        read_spans(path)
