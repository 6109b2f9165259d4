"""The formats that notes are read in and findings are written in, and which of them a file's name asks for."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from clinner_spacy.errors import ClinnerError

#: Standard output, or standard input.
DASH = "-"


class Input(StrEnum):
    """How to read notes: each of its own file, or as the rows of tables."""

    txt = "txt"
    parquet = "parquet"
    jsonl = "jsonl"
    csv = "csv"
    tsv = "tsv"


class Format(StrEnum):
    """What to write."""

    tsv = "tsv"
    brat = "brat"
    jsonl = "jsonl"
    csv = "csv"
    parquet = "parquet"
    docbin = "docbin"
    dt4h = "dt4h"
    label_studio = "label-studio"


#: What an extension asks for; .json may be either of two.
EXTENSIONS = {
    ".tsv": (Format.tsv,),
    ".csv": (Format.csv,),
    ".jsonl": (Format.jsonl, Format.dt4h),
    ".ndjson": (Format.jsonl, Format.dt4h),
    ".json": (Format.label_studio, Format.dt4h),
    ".parquet": (Format.parquet,),
    ".spacy": (Format.docbin,),
}
#: Of findings, row by row.
TABLES = (Format.tsv, Format.csv, Format.jsonl, Format.parquet)
#: Formats of lines, which standard output can take.
LINES = (Format.tsv, Format.csv, Format.jsonl, Format.dt4h)
#: Formats of a folder.
FOLDERS = (Format.brat, Format.parquet)


def output_format(output: str, given: Format | None = None) -> Format:
    """The format of an output, by its extension unless one is given; a folder's is Parquet, standard output's TSV.

    Raises ClinnerError for an extension that is of no format, or of another than the one given, and for a format that
    cannot be written there.
    """
    suffix = Path(output).suffix.lower()
    if output == DASH:
        return _allowed(given or Format.tsv, LINES, "standard output", "name a file")
    if is_folder(output):
        return _allowed(given or Format.parquet, FOLDERS, f"the folder {output}", "name a file")
    of_name = EXTENSIONS.get(suffix, ())
    if given is not None:
        if of_name and given not in of_name:
            raise ClinnerError(f"{output} is named as {of_name[0]}, and --format asks for {given}; let them agree.")
        return given
    if suffix == ".json" or not of_name:
        raise ClinnerError(
            f"{output} does not say what to write: name it {', '.join(name for name in EXTENSIONS if name != '.json')}"
            f", or choose by --format {', '.join(Format)}; a folder's name ends in /."
        )
    return of_name[0]


def table_format(path: Path) -> Format:
    """The format of a table by its extension. Raises ClinnerError for an extension of none."""
    found = EXTENSIONS.get(path.suffix.lower(), (None,))[0]
    if found not in TABLES:
        raise ClinnerError(f"{path} does not say what table to write; let its name end in .{', .'.join(TABLES)}.")
    return found


def is_folder(output: str) -> bool:
    """Whether an output is a folder of parts: one that is there, or a name that ends in /."""
    return output.endswith(("/", "\\")) or Path(output).is_dir()


def _allowed(format: Format, there: tuple[Format, ...], where: str, else_do: str) -> Format:
    if format not in there:
        raise ClinnerError(f"{where[0].upper()}{where[1:]} can hold {', '.join(there)}, not {format}; {else_do}.")
    return format
