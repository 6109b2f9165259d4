"""A table's columns of notes: their texts and ids as strings, or one sentence on why they are none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from clinner_spacy.errors import ClinnerError
from clinner_spacy.tables.arrow import import_pyarrow, is_string

if TYPE_CHECKING:
    import pyarrow


def require_columns(schema: pyarrow.Schema, wanted: Sequence[str], where: str = "The table") -> None:
    """Raise ClinnerError, naming ``where``, if a column of ``wanted`` is missing or stands there twice."""
    for name in wanted:
        n = schema.names.count(name)
        if n != 1:
            fault = f"lacks the column {name!r}" if n == 0 else f"has {n} columns {name!r}"
            raise ClinnerError(f"{where} {fault}; it has {', '.join(schema.names) or 'none'}.")


def texts_of(table: pyarrow.Table, name: str) -> list[str]:
    """A column of texts. Raises ClinnerError if it is of another type, or some are null or no UTF-8."""
    pa = import_pyarrow()
    if not is_string(table.schema.field(name).type):
        raise ClinnerError(f"The column {name!r} is of type {table.schema.field(name).type}; texts are strings.")
    return _strings(table.column(name).cast(pa.large_string()), name)


def ids_of(table: pyarrow.Table, name: str) -> list[str]:
    """A column of ids, strings or whole numbers, as strings. Raises ClinnerError as :func:`texts_of` does."""
    pa = import_pyarrow()
    kind = table.schema.field(name).type
    if not (is_string(kind) or pa.types.is_integer(kind)):
        raise ClinnerError(f"The column {name!r} is of type {kind}; ids are strings or whole numbers.")
    return _strings(table.column(name).cast(pa.large_string()), name)


def _strings(column: pyarrow.ChunkedArray, name: str) -> list[str]:
    if column.null_count:
        first = column.is_null().index(True).as_py()
        raise ClinnerError(
            f"The column {name!r} has {column.null_count} nulls in {len(column)} rows, the first in row {first} of its "
            "batch (from 0); leave these rows out."
        )
    try:
        return column.to_pylist()
    except UnicodeDecodeError:
        # Not "from": the other error holds the text.
        raise ClinnerError(f"The column {name!r} holds bytes that are no UTF-8; write it again as text.") from None
