"""The span table of the MultiClinAI shared tasks: ``filename, label, start_span, end_span, text``, tab-separated.

Quoting is that of ``pandas.read_csv``/``to_csv`` (a cell that begins with ``"`` is quoted, ``""`` inside is
one mark): the corpora were written and the official evaluation reads that way.
"""

from __future__ import annotations

import csv
import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from clinner_spacy.corpora.document import Document
from clinner_spacy.errors import ClinnerError
from clinner_spacy.files import CONTROL, replacing

COLUMNS = ("filename", "label", "start_span", "end_span", "text")
#: More than any text has characters, and safe to add up in 64 bits.
MAX_OFFSET = 10**12
#: A row of its own behind the last one: when it does not come back whole, a quotation mark was left open.
END = "\x00end"

logger = logging.getLogger("spacy")


class TsvRow(NamedTuple):
    """One span: a document's name, a label, character offsets (0-based, end exclusive), its text, its line, and its
    score, if the table has one and it was asked for."""

    document: str
    label: str
    start: int
    end: int
    text: str
    line: int
    score: float | None = None


def read_tsv(path: Path, scores: bool = False) -> Iterator[TsvRow]:
    """The rows of a span table, streamed; other columns are allowed and ignored, the order of columns is free.

    scores: read the column "score", too, if there is one. Raises ClinnerError naming file and line for a missing
    column, an empty name or label, an offset that is not a whole number, an end that is not behind its start and, if
    scores are read, one that is not from 0 to 1.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            yield from _parse(handle, path, scores)
    except UnicodeDecodeError as error:
        raise ClinnerError(f"{path} is not UTF-8: convert it to UTF-8 first.") from error
    except csv.Error as error:
        raise ClinnerError(f"{path} cannot be read as a tab-separated table: {error}.") from error
    except OSError as error:
        raise ClinnerError(f"{path} cannot be read: {error.strerror}.") from error


def _parse(lines: Iterable[str], path: Path, scores: bool) -> Iterator[TsvRow]:
    rows = csv.reader(chain(lines, [END]), delimiter="\t")
    first = 1
    header = next(rows)
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        columns = "columns" if len(missing) > 1 else "column"
        wanted = f"its first line must name {', '.join(COLUMNS)}, separated by tabs"
        raise ClinnerError(f"{path} lacks the {columns} {', '.join(missing)}: {wanted}.")
    name_at, label_at, start_at, end_at, text_at = (header.index(name) for name in COLUMNS)
    needed = max(name_at, label_at, start_at, end_at)
    score_at = header.index("score") if scores and "score" in header else None
    line = rows.line_num
    for cells in rows:
        first, line = line + 1, rows.line_num
        if cells == [END]:
            return
        if not cells or (len(cells) == 1 and not cells[0].strip()):
            continue
        if not needed < len(cells) <= len(header):
            raise ClinnerError(f"{path}, line {first}: {len(cells)} cells under {len(header)} columns.")
        name, label = cells[name_at], cells[label_at]
        if not name or not label:
            raise ClinnerError(f"{path}, line {first}: the {'label' if name else 'filename'} is empty.")
        if CONTROL.search(name) or CONTROL.search(label):
            column = "filename" if CONTROL.search(name) else "label"
            raise ClinnerError(f"{path}, line {first}: the {column} holds a tab, a line end or the like.")
        start, end = (
            _offset(cells[at], column, path, first) for at, column in ((start_at, "start_span"), (end_at, "end_span"))
        )
        if end <= start:
            raise ClinnerError(f"{path}, line {first}: the end_span is not behind the start_span.")
        text = cells[text_at] if text_at < len(cells) else ""
        if "\t" in text and line > first:
            logger.warning(
                "%s, lines %d to %d: a quotation mark opens a text that runs over rows; they are not counted, "
                "as in the official evaluation.",
                path,
                first,
                line,
            )
        score = None if score_at is None else _score(cells[score_at:][:1], path, first)
        yield TsvRow(name, label, start, end, text, first, score)
    raise ClinnerError(f"{path}, line {first}: a quotation mark is opened and never closed; double it or take it out.")


def _offset(cell: str, column: str, path: Path, line: int) -> int:
    """A whole number; ``12.0`` counts as one, since tables that went through pandas hold such."""
    if not re.fullmatch(r" *[+-]?[0-9]+(\.0*)? *", cell):
        raise ClinnerError(f"{path}, line {line}: the {column} is not a whole number.")
    digits = cell.partition(".")[0]
    number = int(digits) if len(digits) <= len(str(MAX_OFFSET)) else MAX_OFFSET + 1
    if abs(number) > MAX_OFFSET:
        raise ClinnerError(f"{path}, line {line}: the {column} is larger than any text.")
    return number


def _score(cell: list[str], path: Path, line: int) -> float:
    """A number from 0 to 1; ``cell`` is empty where the row is too short."""
    try:
        score = float(cell[0])
    except (IndexError, ValueError):
        score = -1.0
    if not 0 <= score <= 1:  # nor is NaN
        raise ClinnerError(f"{path}, line {line}: the score is not a number from 0 to 1.")
    return score


def write_multiclin_tsv(
    path: Path | str, documents: Iterable[Document], *, attributes: Sequence[str] = ()
) -> int:
    """Write every mention of ``documents`` into one table (read once, memory stays flat); gives their number.

    attributes: columns behind the others, 1 where the mention has the attribute and 0 where not.

    Tabs and line breaks in a mention's text become spaces; a name or label may have none. A discontinuous mention is
    written from its first to its last character. The file appears whole or not at all; raises ClinnerError when it
    cannot be written.
    """
    written = 0
    with replacing(path) as handle:
        table = csv.writer(handle, delimiter="\t", lineterminator="\n")
        table.writerow((*COLUMNS, *attributes))
        for document in documents:
            for mention in chain.from_iterable(document.mentions.values()):
                start, end = mention.start, mention.end
                check_names(document.name, mention.label)
                said = (int(name in mention.attributes) for name in attributes)
                table.writerow((document.name, mention.label, start, end, one_line(document.text[start:end]), *said))
                written += 1
    return written


def one_line(text: str) -> str:
    """A text as one cell: tabs and line breaks become spaces."""
    return re.sub(r"[\t\n\r\v\f\x1c-\x1e\x85\u2028\u2029]", " ", text)


def check_names(document: str, label: str) -> None:
    """Raise ClinnerError for the name of a document or a label that no table of lines and tabs can hold."""
    for column, value in (("name", document), ("label", label)):
        if not value or CONTROL.search(value):
            raise ClinnerError(f"A {column} is empty or holds a control character: {value!r}; rename it.")
