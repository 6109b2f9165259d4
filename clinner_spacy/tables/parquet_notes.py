"""A directory of Parquet files with notes, looked through before a long job begins."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from clinner_spacy.errors import ClinnerError
from clinner_spacy.files import find_files, shown
from clinner_spacy.tables.annotate import Annotate
from clinner_spacy.tables.arrow import import_pyarrow
from clinner_spacy.tables.notes import ids_of, require_columns

if TYPE_CHECKING:
    import pyarrow
    from pyarrow.parquet import ParquetFile


def find_parquet(folder: Path) -> list[Path]:
    """The Parquet files below ``folder``, in order of their names, but those that :func:`shown` leaves out.

    Raises ClinnerError if there is none, or something cannot be read.
    """
    if not folder.is_dir():
        raise ClinnerError(f"{folder} is no directory; name one with .parquet files.")
    files, unreadable = (shown(paths, folder) for paths in find_files(folder))
    if unreadable:
        raise ClinnerError(f"{unreadable[0]} cannot be read: no file or folder that can be opened.")
    found = sorted(Path(path) for path in files if path.lower().endswith(".parquet"))
    if not found:
        raise ClinnerError(f"{folder} holds no .parquet file; name a directory that does.")
    return found


def check_notes(files: Sequence[Path], annotate: Annotate) -> pyarrow.Table:
    """An empty table with the columns that ``annotate`` reads in each of the files.

    Raises ClinnerError, naming the file, for one that is no Parquet, lacks a column or has it in another type than the
    first file; for a text that is null; and for an id that is null or stands there twice. Texts are read only where
    the file does not say how many are null.
    """
    pa = import_pyarrow()
    first, ids = _look_into(files[0], annotate)
    all_ids = [ids]
    for path in files[1:]:
        schema, ids = _look_into(path, annotate)
        for there, here in zip(first, schema, strict=True):
            if here.type != there.type:
                raise ClinnerError(f"{path} has the column {here.name!r} as {here.type}, {files[0]} as {there.type}.")
        all_ids.append(ids)
    repeated = sum(map(len, all_ids)) - len(pa.chunked_array(all_ids).unique())
    if repeated:
        raise ClinnerError(f"{repeated} notes have an id that an earlier note has; give each note its own.")
    return first.empty_table()


def _look_into(path: Path, annotate: Annotate) -> tuple[pyarrow.Schema, pyarrow.Array]:
    """The columns of a file that are read, and its ids."""
    pa = import_pyarrow()
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(path) as file:
            schema = file.schema_arrow.remove_metadata()
            require_columns(schema, annotate.columns, str(path))
            table = file.read(columns=[annotate.id_column])
            nulls = _nulls(file, annotate.text_column)
    except (OSError, pa.ArrowException) as error:
        raise ClinnerError(f"{path} cannot be read as Parquet ({type(error).__name__}); write it again.") from error
    try:
        if nulls:
            raise ClinnerError(f"The column {annotate.text_column!r} has {nulls} nulls; leave these rows out.")
        ids = ids_of(table, annotate.id_column)
    except ClinnerError as error:
        raise ClinnerError(f"{path}: {error}") from error
    return pa.schema([schema.field(name) for name in annotate.columns]), pa.array(ids, pa.large_string())


def _nulls(file: ParquetFile, column: str) -> int:
    """Nulls in a column: as the row groups' statistics say, or counted where one has none."""
    nulls = 0
    for group in range(file.num_row_groups):
        cells = file.metadata.row_group(group)
        chunks = (cells.column(n) for n in range(cells.num_columns))
        statistics = next((chunk.statistics for chunk in chunks if chunk.path_in_schema == column), None)
        if statistics is not None and statistics.has_null_count:
            nulls += statistics.null_count
        else:
            nulls += file.read_row_group(group, columns=[column]).column(0).null_count
    return nulls
