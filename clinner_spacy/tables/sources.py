"""The notes of tables as texts, one at a time, however many there are."""

from __future__ import annotations

import hashlib
import json
import os
import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from clinner_spacy.errors import ClinnerError
from clinner_spacy.files import CONTROL, find_files, shown
from clinner_spacy.tables.found import Text
from clinner_spacy.tables.rows import Delimited, JsonLines, LineTable, ParquetTable, Row, Wanted
from clinner_spacy.tables.unread import Unread

#: Extension of a table -> how it is read.
KINDS = {".parquet": "parquet", ".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".tsv": "tsv"}
SURROGATE = re.compile("[\ud800-\udfff]")


def table_files(folder: Path, kind: str) -> list[Path]:
    """The tables of a kind below a folder, in order of their names, but those that :func:`shown` leaves out."""
    endings = tuple(ending for ending, of_kind in KINDS.items() if of_kind == kind)
    files = (Path(file) for file in shown(find_files(folder).files, folder))
    return sorted(path for path in files if path.suffix.lower() in endings)


class TableTexts:
    """The notes of tables of one kind, row by row in the order of ``paths``; paths=(): of standard input.

    A row without an id or text is passed over and noted in ``unread``. ``position`` is the number of rows read so far,
    ``total`` how many there are, None for standard input. Files are looked through once before: ``types`` are those of
    the kept columns. Raises ClinnerError for a missing column, an id that is there twice (unless duplicates are
    allowed) and a table that is broken.
    """

    def __init__(
        self, paths: Sequence[Path], kind: str, wanted: Wanted, encoding: str = "utf-8", duplicates: bool = False
    ) -> None:
        self.paths, self.kind, self.wanted, self.duplicates = [str(path) for path in paths], kind, wanted, duplicates
        self.unread = Unread()
        self.position = self.start = 0
        self.total: int | None = None
        self.types: dict[str, Any] | None = None
        places: Sequence[Path | None] = paths or [None]
        self._tables = [open_table(path, kind, wanted, encoding) for path in places]
        if paths:
            self._survey()

    def skip(self, rows: int, unread: Unread) -> None:
        """Begin behind so many rows, of which ``unread`` could not be read."""
        self.position = self.start = rows
        self.unread = unread

    def __iter__(self) -> Iterator[Text]:
        seen: set[int] = set()  # of standard input, which is read once; see _survey()
        for table in self._tables:
            first, self.position = self._begin(table)
            for number, row in enumerate(table.read(first), first + 1):
                self.position += 1
                where = f"{table.name}, row {number}"
                text = self._text(row, where)
                if isinstance(text, str):
                    self.unread.add(text)
                    continue
                if not self.paths and not self.duplicates:
                    if hash(text.name) in seen:
                        raise ClinnerError(f"{where} and one before it {_twice(self.wanted)}")
                    seen.add(hash(text.name))
                yield text
        if self.position and self.unread.count == self.position:
            raise ClinnerError(f"None of the {self.position} texts can be read; for one, {self.unread.reasons[-1]}")

    @property
    def seen(self) -> int:
        """Rows that were looked at."""
        return self.position

    def fingerprint(self) -> dict[str, Any]:
        """What tells this input from others: names and contents of its files, columns."""
        root = os.path.commonpath([os.path.dirname(path) for path in self.paths])  # noqa: PTH120 - strings are many
        named = ((os.path.relpath(path, root), path) for path in self.paths)
        return fingerprint_of(named) | {"columns": list(self.wanted[:3]), "duplicates": self.duplicates}

    def _begin(self, table: ParquetTable | LineTable) -> tuple[int, int]:
        """Rows of this table to pass over, and the position then."""
        before = sum(other.rows or 0 for other in self._tables[: self._tables.index(table)])
        first = max(0, self.start - before)
        return first, before + first

    def _survey(self) -> None:
        """Look through all tables: their columns, how many rows there are, and whether ids differ."""
        ids = array("q")
        for table in self._tables:
            for row in table.read(ids_only=True):
                ids.append(hash(_id(row[self.wanted.id])))
        self.total = len(ids)
        self.types = self._merged_types()
        if not self.duplicates:
            self._check_ids(np.frombuffer(ids, dtype="int64") if ids else np.zeros(0))

    def _check_ids(self, ids: np.ndarray) -> None:
        order = np.argsort(ids, kind="stable")
        none = hash(None)
        for n in np.flatnonzero(ids[order][1:] == ids[order][:-1]):
            if ids[order[n]] != none:  # rows without an id are told of when they are read
                first, second = (self._place(int(row)) for row in (order[n], order[n + 1]))
                raise ClinnerError(f"{first} and {second} {_twice(self.wanted)}")

    def _place(self, row: int) -> str:
        for table in self._tables:
            if row < (table.rows or 0):
                return f"{table.name}, row {row + 1}"
            row -= table.rows or 0
        raise IndexError(row)

    def _merged_types(self) -> dict[str, Any]:
        """Type of each kept column: an Arrow type, "string", or "mixed" where tables differ."""
        merged: dict[str, Any] = {}
        for table in self._tables:
            for name in self.wanted.others(table.types):
                kind, before = table.types.get(name, set()), merged.get(name, set())
                sets = isinstance(kind, set) and isinstance(before, set)
                merged[name] = kind | before if sets else kind if before in (kind, set()) else "mixed"
        return {name: arrow_type(kind) for name, kind in merged.items()}

    def _text(self, row: Row, where: str) -> Text | str:
        """A row's text, or why it has none."""
        text_column, id_column = self.wanted.text, self.wanted.id
        name, text = _id(row.pop(id_column)), row.pop(text_column)
        if name is None:
            return f"{where} cannot be read: its {id_column} is empty, or no string or whole number."
        if CONTROL.search(name) or SURROGATE.search(name):
            return f"{where} cannot be read: its {id_column} holds a tab, a line end or the like."
        if not isinstance(text, str):
            kind = {type(None): "null", type(...): "not UTF-8"}.get(type(text), f"no text but {type(text).__name__}")
            return f"{where} cannot be read: its {text_column} is {kind}."
        for column, value in ((text_column, text), *row.items()):
            if value is ...:
                return f"{where} cannot be read: its {column} is not UTF-8, or no time of a calendar."
            if isinstance(value, str | list | dict) and SURROGATE.search(_characters(value)):
                return f"{where} cannot be read: its {column} holds half a character (a lone surrogate)."
        return Text(name, text, row)


def open_table(path: Path | None, kind: str, wanted: Wanted, encoding: str = "utf-8") -> ParquetTable | LineTable:
    """A table by its kind. path=None: standard input, which can hold no Parquet."""
    if kind == "parquet":
        if path is None:
            raise ClinnerError("Standard input can hold jsonl, csv or tsv, not parquet; name the file.")
        return ParquetTable(path, wanted)
    if kind == "jsonl":
        return JsonLines(path, wanted, encoding)
    return Delimited(path, wanted, encoding, "\t" if kind == "tsv" else ",")


def arrow_type(kind: Any) -> Any:
    """What a column's type is in Arrow: of the Python types that JSON gave, by its name; "mixed" if none fits."""
    if not isinstance(kind, set):
        return kind
    kinds = kind - {type(None)}
    known = {frozenset({str}): "string", frozenset({bool}): "bool", frozenset({int}): "int64"}
    known |= {frozenset({float}): "float64", frozenset({int, float}): "float64", frozenset(): "string"}
    return known.get(frozenset(kinds), "mixed")


def fingerprint_of(named: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Number and bytes of files, and a hash of each one's name, size and content. named: name, path."""
    digest, files, size = hashlib.sha256(), 0, 0
    for name, place in named:
        path = Path(place)
        try:
            length = path.stat().st_size
        except OSError as error:
            raise ClinnerError(f"{path} cannot be read: {error.strerror}.") from error
        digest.update(f"{name}\0{length}\0".encode("utf-8", "surrogateescape") + _content(path))
        files, size = files + 1, size + length
    return {"files": files, "bytes": size, "sha256": digest.hexdigest()}


def _content(path: Path) -> bytes:
    """SHA-256 of a file; empty for one that may not be opened, which the run itself tells of and passes over."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError:
        return b""


def _id(value: Any) -> str | None:
    """An id as a string; None if it is no id."""
    if isinstance(value, str):
        return value or None
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _characters(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _twice(wanted: Wanted) -> str:
    return f"have the same {wanted.id}; let them differ, or add --allow-duplicates."
