"""Tables of notes, read row by row: Parquet, JSON lines, CSV and TSV.

A row is a dict of the columns that are wanted. What is broken in a table itself (a row group, a line, the encoding)
ends the reading with a sentence that names file and row, and never shows what stands there.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from clinner_spacy.errors import ClinnerError
from clinner_spacy.files import standard
from clinner_spacy.tables.arrow import import_pyarrow, is_string

Row = dict[str, Any]

#: Rows of a Parquet file that are in memory at once, beside the compressed row group.
BATCH_ROWS = 256
#: More than any cell has characters, and a number that C can hold everywhere.
MAX_CELL = 2**31 - 1
#: What a column of a table is called, as opposed to a cell of patients' text where a header was forgotten.
NAME = re.compile(r"[^\W\d][\w .:/-]{0,39}")


class Wanted(NamedTuple):
    """The columns that hold the texts and the notes' ids, and others that are kept; keep=None: all others.

    also: of all others those that must be there; do: what to do where a column is missing.
    """

    text: str = "text"
    id: str = "note_id"
    keep: tuple[str, ...] | None = ()
    also: tuple[str, ...] = ()
    do: str = "name columns with --text-column, --id-column and --keep"

    @property
    def needed(self) -> tuple[str, ...]:
        return (self.id, self.text, *(self.keep or ()), *self.also)

    def others(self, columns: Iterable[str]) -> list[str]:
        """Those of a table's columns that are kept."""
        return [name for name in columns if name not in (self.id, self.text)] if self.keep is None else [*self.keep]


class ParquetTable:
    """A Parquet file; ``rows`` is the number of its rows, ``types`` the Arrow type of each column.

    Raises ClinnerError at once for a file that is none, a missing column, texts that are no strings and ids that are
    neither strings nor whole numbers.
    """

    def __init__(self, path: Path, wanted: Wanted) -> None:
        self.name, self.path, self.wanted = str(path), path, wanted
        pa = import_pyarrow()
        with self._open() as file:
            schema, self.rows = file.schema_arrow, file.metadata.num_rows
        check_columns(schema.names, wanted, self.name)
        self.types = {field.name: _plain_type(pa, field.type) for field in schema}
        text, id = self.types[wanted.text], self.types[wanted.id]
        if not is_string(text):
            raise ClinnerError(f"{path}: the column {wanted.text} holds {text}, not strings; name another.")
        if not (is_string(id) or pa.types.is_integer(id)):
            raise ClinnerError(f"{path}: the column {wanted.id} holds {id}, no strings or whole numbers; name another.")

    def read(self, skip: int = 0, ids_only: bool = False) -> Iterator[Row]:
        """Rows behind the first ``skip`` of them, with the wanted columns or the id alone."""
        wanted = self.wanted
        names = [wanted.id] if ids_only else [wanted.id, wanted.text, *wanted.others(self.types)]
        with self._open() as file:
            for group in range(file.num_row_groups):
                rows = file.metadata.row_group(group).num_rows
                if skip < rows:
                    yield from islice(self._group(file, group, names), skip, None)
                skip = max(0, skip - rows)

    def _group(self, file: Any, group: int, names: list[str]) -> Iterator[Row]:
        pa = import_pyarrow()
        batches = file.iter_batches(batch_size=BATCH_ROWS, row_groups=[group], columns=names, use_threads=False)
        while True:
            try:
                batch = next(batches, None)
                columns = [] if batch is None else [_values(column) for column in batch.columns]
            except (OSError, pa.ArrowException) as error:
                raise ClinnerError(
                    f"{self.path} cannot be read in row group {group} ({type(error).__name__}); write the file again."
                ) from error
            if batch is None:
                return
            for cells in zip(*columns, strict=True):
                yield dict(zip(batch.schema.names, cells, strict=True))

    @contextmanager
    def _open(self) -> Iterator[Any]:
        pa = import_pyarrow()
        import pyarrow.parquet

        try:
            file = pyarrow.parquet.ParquetFile(self.path, pre_buffer=False, page_checksum_verification=True)
        except (OSError, pa.ArrowException) as error:
            reason = getattr(error, "strerror", None) or "it is no Parquet file or is damaged"
            raise ClinnerError(f"{self.path} cannot be read: {reason}.") from error
        with file:
            yield file


class LineTable:
    """A text file, or standard input (path None), of one row a line or several; ``rows`` and ``types`` are known once
    it was read to its end."""

    newline = "\n"  #: what open() is told of line ends
    types: dict[str, Any]

    def __init__(self, path: Path | None, wanted: Wanted, encoding: str = "utf-8") -> None:
        self.name = "Standard input" if path is None else str(path)
        self.path, self.wanted = path, wanted
        self.encoding = "utf-8-sig" if encoding.lower() in ("utf-8", "utf8") else encoding  # the mark is the file's
        self.rows: int | None = None
        self.types = {}

    def read(self, skip: int = 0, ids_only: bool = False) -> Iterator[Row]:
        """Rows behind the first ``skip`` of them, with the wanted columns."""
        number = 0
        with self._open() as lines:
            try:
                for number, row in enumerate(self._rows(lines), 1):
                    if number > skip:
                        yield row
            except UnicodeError as error:
                raise ClinnerError(
                    f"{self.name} is not {self.encoding.removesuffix('-sig')} behind row {number}: convert it to "
                    "UTF-8, or name its encoding with --encoding."
                ) from error
        self.rows = number

    def _rows(self, lines: Iterable[str]) -> Iterator[Row]:
        raise NotImplementedError

    @contextmanager
    def _open(self) -> Iterator[Iterable[str]]:
        """The lines, their ends untouched; those of standard input can be read once."""
        if self.path is None:
            piped = io.TextIOWrapper(standard("input"), self.encoding, newline=self.newline)
            try:
                yield piped
            finally:
                piped.detach()
            return
        try:
            with self.path.open(encoding=self.encoding, newline=self.newline) as stream:
                yield stream
        except OSError as error:
            if error.filename not in (None, str(self.path)):
                raise
            raise ClinnerError(f"{self.name} cannot be read: {error.strerror}.") from error


class JsonLines(LineTable):
    """An object a line. A column is missing if no line has it; where some have it not, it is None there.

    ``types`` has the Python types of each kept column.
    """

    def _rows(self, lines: Iterable[str]) -> Iterator[Row]:
        seen: dict[str, None] = {}
        types: dict[str, set[type]] = {}
        for number, line in enumerate(lines, 1):
            if line.isspace():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                row = None
            if not isinstance(row, dict):
                raise ClinnerError(f"{self.name}, line {number}: it is no JSON object; write one a line.")
            seen |= dict.fromkeys(row)
            others = self.wanted.others(row)
            for name in others:
                types.setdefault(name, set()).add(type(row.get(name)))
            yield {name: row.get(name) for name in (self.wanted.id, self.wanted.text, *others)}
        if seen:
            check_columns(list(seen), self.wanted, self.name)
        self.types = types


class Delimited(LineTable):
    """CSV or TSV, quoted as spreadsheets and pandas do, its first line the names of columns; cells are strings."""

    newline = ""

    def __init__(self, path: Path | None, wanted: Wanted, encoding: str = "utf-8", delimiter: str = ",") -> None:
        super().__init__(path, wanted, encoding)
        self.delimiter = delimiter

    def _rows(self, lines: Iterable[str]) -> Iterator[Row]:
        csv.field_size_limit(MAX_CELL)  # notes are longer than what it expects
        rows = csv.reader(lines, delimiter=self.delimiter, strict=True)
        number = 0
        try:
            header = next(rows, [])
            self._check_header(header)
            names = [self.wanted.id, self.wanted.text, *self.wanted.others(header)]
            self.types = dict.fromkeys(names[2:], "string")
            at = [header.index(name) for name in names]
            for cells in rows:
                if not cells:
                    continue
                number += 1
                if len(cells) != len(header):
                    raise ClinnerError(
                        f"{self.name}, row {number}: {len(cells)} cells under {len(header)} columns; quote cells that "
                        "hold the delimiter or a line end."
                    )
                yield {name: cells[n] for name, n in zip(names, at, strict=True)}
        except csv.Error as error:
            raise ClinnerError(f"{self.name}, row {number + 1}: its quotation marks do not match ({error}).") from error


    def _check_header(self, header: list[str]) -> None:
        """Raise ClinnerError for a first line that names no columns, or not those that are needed."""
        if not header:
            raise ClinnerError(f"{self.name} is empty; its first line names its columns, {self.wanted.id} among them.")
        if self.delimiter == "," and len(header) == 1 and ";" in header[0]:
            raise ClinnerError(f"{self.name} is separated by semicolons, not commas; write it again with commas.")
        check_columns(header, self.wanted, self.name, perhaps_cells=True)


def check_columns(there: Sequence[str], wanted: Wanted, source: str, perhaps_cells: bool = False) -> None:
    """Raise ClinnerError for a needed column that is not there, or there twice.

    Those that are there are named. perhaps_cells: unless they look like cells of a table whose header was forgotten.
    """
    missing = [name for name in wanted.needed if name not in there]
    if missing:
        names = all(NAME.fullmatch(name) for name in there) and len(set(there)) == len(there)
        named = names or not perhaps_cells
        has = ", ".join(there) if named and there else f"{len(there)} columns whose names look like no names"
        raise ClinnerError(f"{source} has no column {', '.join(missing)} but {has}; {wanted.do}.")
    twice = [name for name in wanted.needed if list(there).count(name) > 1]
    if twice:
        raise ClinnerError(f"{source} has several columns {twice[0]}; rename all but one.")


def _plain_type(pa: Any, type: Any) -> Any:
    return type.value_type if pa.types.is_dictionary(type) else type


def _values(column: Any) -> list[Any]:
    """A column's cells; one that no Python value can hold (bytes that are no UTF-8, a year 10000) is Ellipsis."""
    try:
        return column.to_pylist()
    except (ValueError, OverflowError):
        return [_value(cell) for cell in column]


def _value(cell: Any) -> Any:
    try:
        return cell.as_py()
    except (ValueError, OverflowError):
        return _microseconds(cell)


def _microseconds(cell: Any) -> Any:
    """A time in nanoseconds, as exactly as Python knows times; Ellipsis for any other cell."""
    pa = import_pyarrow()
    kind, of = cell.type, pa.types
    if of.is_timestamp(kind) and kind.unit == "ns":
        return cell.cast(pa.timestamp("us", kind.tz), safe=False).as_py()
    if of.is_time64(kind) and kind.unit == "ns":
        return cell.cast(pa.time64("us"), safe=False).as_py()
    if of.is_duration(kind) and kind.unit == "ns":
        return cell.cast(pa.duration("us"), safe=False).as_py()
    return ...
