"""Findings written as tables (TSV, CSV, JSON lines, Parquet), a row a mention or a relation, however many they are."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import IO, Any, NamedTuple
from uuid import UUID

from clinner_spacy.corpora.tsv import COLUMNS as TSV
from clinner_spacy.corpora.tsv import check_names, one_line
from clinner_spacy.errors import ClinnerError
from clinner_spacy.files import replacing, standard
from clinner_spacy.tables.arrow import RELATION, import_pyarrow, mention_columns, schema
from clinner_spacy.tables.formats import DASH, Format
from clinner_spacy.tables.found import AnnotatedText
from clinner_spacy.tables.records import Record, mention_records

#: Rows that are collected before Parquet is given them.
GROUP_ROWS = 10_000
#: What our records call the columns of the shared tasks' table.
AS_TSV = dict(zip(("note_id", "label", "start", "end", "text"), TSV, strict=True))

Write = Callable[[Iterable[Record]], None]


class Layout(NamedTuple):
    """The columns of a table of findings, beside those that it always has.

    said: whether a mention is negated and its like; linked: its code; kept: columns of the notes' own, by their types.
    """

    said: bool = False
    linked: bool = False
    kept: Mapping[str, Any] = {}

    def mentions(self) -> dict[str, Any]:
        """Column -> type, of mentions."""
        return {"note_id": "string", **self.kept, **mention_columns(self.said, self.linked)}

    def relations(self) -> dict[str, Any]:
        """Column -> type, of relations."""
        return {"note_id": "string", **self.kept, **RELATION}

    def check(self) -> None:
        """Raise ClinnerError for a kept column that has the name of another."""
        ours = {**mention_columns(True, True), **RELATION, **dict.fromkeys(TSV)}
        taken = [name for name in self.kept if name in ours]
        if taken:
            raise ClinnerError(f"--keep {taken[0]} is also the name of a column of findings; rename it in the input.")


def write_mentions(path: str | Path, format: Format, notes: Iterable[AnnotatedText], layout: Layout) -> None:
    """One row a mention, as CSV, JSON lines or Parquet. The file appears whole or not at all; "-": standard output."""
    with table_writer(path, format, layout.mentions()) as write:
        for note in notes:
            write(mention_records(note))


def write_tsv(
    path: str | Path,
    notes: Iterable[AnnotatedText],
    layout: Layout,
    *,
    scores: bool = False,
    asked: Collection[str] = (),
) -> None:
    """The table of the shared tasks, with the kept columns behind its five.

    scores: everything else that is known behind them; asked: of it, these columns alone. Tabs and line breaks become
    spaces.
    """
    known = [name for name in mention_columns(layout.said, layout.linked) if name not in AS_TSV]
    names = [*AS_TSV, *layout.kept, *(name for name in known if scores or name in asked)]
    with opened(path) as file:
        table = csv.writer(file, delimiter="\t", lineterminator="\n")
        table.writerow([AS_TSV.get(name, name) for name in names])
        for note in notes:
            for record in mention_records(note):
                check_names(record["note_id"], record["label"])
                table.writerow([_cell(record.get(name), name) for name in names])


def table_writer(path: str | Path, format: Format, columns: Mapping[str, Any]) -> AbstractContextManager[Write]:
    """Open a table and give what writes records into it; columns: name -> type, see :class:`Layout`."""
    return {Format.csv: _csv, Format.jsonl: _jsonl, Format.parquet: parquet_writer}[format](path, columns)


@contextmanager
def opened(path: str | Path) -> Iterator[IO[str]]:
    """A text file that appears when the block ends, or standard output, as UTF-8."""
    if str(path) != DASH:
        with replacing(path) as file:
            yield file
        return
    stream = io.TextIOWrapper(standard("output"), "utf-8", newline="")
    try:
        yield stream
        stream.flush()
    except OSError as error:
        if error.filename is not None:
            raise
        with suppress(OSError, ValueError):  # or Python tries again when it ends
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise ClinnerError(f"Standard output cannot be written: {error.strerror}.") from error
    finally:
        with suppress(OSError):
            stream.detach()


@contextmanager
def _csv(path: str | Path, columns: Mapping[str, Any]) -> Iterator[Write]:
    with opened(path) as file:
        table = csv.writer(file)  # ends lines as RFC 4180 does; only then "\r" in a cell is quoted, too
        table.writerow(columns)

        def write(records: Iterable[Record]) -> None:
            for record in _checked(records, columns):
                table.writerow([_plain(record.get(name), name, nested=False) for name in columns])

        yield write


@contextmanager
def _jsonl(path: str | Path, columns: Mapping[str, Any]) -> Iterator[Write]:
    with opened(path) as file:

        def write(records: Iterable[Record]) -> None:
            for record in _checked(records, columns):
                file.write(json_of({name: record.get(name) for name in columns}) + "\n")

        yield write


@contextmanager
def parquet_writer(path: str | Path, columns: Mapping[str, Any]) -> Iterator[Write]:
    """As :func:`table_writer`. Only some thousand rows are in memory at a time."""
    pa = import_pyarrow()
    import pyarrow.parquet

    rows: list[Record] = []
    with replacing(path, "wb") as file:
        with pyarrow.parquet.ParquetWriter(file, schema(columns), compression="zstd") as writer:

            def flush() -> None:
                try:
                    table = pa.Table.from_pylist(rows, schema=writer.schema)
                except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
                    raise ClinnerError(
                        f"{path} cannot be written: a kept column holds values of several kinds; leave it out."
                    ) from error
                rows.clear()
                writer.write_table(table)

            def write(records: Iterable[Record]) -> None:
                rows.extend(_checked(records, columns))
                if len(rows) >= GROUP_ROWS:
                    flush()

            yield write
            if rows:
                flush()
        file.flush()
        os.fsync(file.fileno())


def json_of(value: Any) -> str:
    """A value as JSON, in one line. Raises ClinnerError for what JSON cannot hold."""
    return json.dumps(_plain(value, ""), ensure_ascii=False)


def _checked(records: Iterable[Record], columns: Mapping[str, Any]) -> Iterator[Record]:
    """Records. Raises ClinnerError for one with a column that the table has not."""
    for record in records:
        unknown = record.keys() - columns.keys()
        if unknown:
            raise ClinnerError(
                f"A component writes {', '.join(sorted(unknown))}, though none of the pipeline is known to; let its "
                "factory be concept_linker or its assigns name span.kb_id."
            )
        yield record


def _cell(value: Any, name: str) -> Any:
    """A value as a cell of the shared tasks' table."""
    plain = _plain(value, name, nested=False)
    return int(value) if isinstance(value, bool) else one_line(plain) if isinstance(plain, str) else plain


def _plain(value: Any, name: str, nested: bool = True) -> Any:
    """A value as JSON and CSV can hold it: numbers, strings, null; dates by ISO 8601, not a number as null."""
    if value is None or isinstance(value, str | int):
        return value if nested or not isinstance(value, bool) else str(value).lower()
    if isinstance(value, float) and abs(value) < float("inf"):
        return value
    if value != value:  # not a number: how pandas writes that there is none
        return None
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Decimal | UUID):
        return str(value)
    if nested and isinstance(value, Mapping):
        return {str(key): _plain(item, str(key)) for key, item in value.items()}
    if nested and isinstance(value, Sequence) and not isinstance(value, bytes):
        return [_plain(item, name) for item in value]
    raise ClinnerError(f"The column {name} holds {type(value).__name__}, which only Parquet can hold; leave it out.")
