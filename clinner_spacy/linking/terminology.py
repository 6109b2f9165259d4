"""A user's terminology: a table of codes and the terms that name them."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from clinner_spacy.corpora.text import read_text
from clinner_spacy.errors import ClinnerError, nearest
from clinner_spacy.linking.normalize import fold

NEEDED = ("code", "term")
OPTIONAL = ("label", "lang", "preferred")
#: What a cell of the column ``preferred`` may hold, in lower case.
TRUTH = {"": False, "0": False, "false": False, "no": False, "1": True, "true": True, "yes": True}


class Term(NamedTuple):
    """A name of a concept.

    code, term: as they stand in the table. label: a semantic tag, "" if there is none. lang: the language whose
    inflection the term follows, "" for that of the index. preferred: whether this is the code to take where a term has
    several. times: how often annotators gave the code to this term, 0 for one that comes from a table.
    """

    code: str
    term: str
    label: str = ""
    lang: str = ""
    preferred: bool = False
    times: int = 0


class Terminology(NamedTuple):
    """Terms in the order of their table, each once. source: the table's name. fingerprint: SHA-256 of the file.
    duplicates: rows that said again what another says, which were left out."""

    terms: list[Term]
    source: str = ""
    fingerprint: str = ""
    duplicates: int = 0


def read_terminology(path: str | Path, encoding: str = "utf-8") -> Terminology:
    """Read a table with the columns ``code`` and ``term`` and, if it has them, ``label``, ``lang`` and ``preferred``
    (0 or 1); others are not read.

    ``.parquet`` is Parquet, ``.csv`` has commas or semicolons with quotes as usual, any other name means tabs, where a
    quote is a character like others. Raises ClinnerError for a file that cannot be read or decoded, a missing column, a
    row without code or term or with too few cells, and a table without rows.
    """
    path = Path(path)
    rows = _parquet(path) if path.suffix.lower() == ".parquet" else _text(path, encoding)
    terms: dict[tuple[str, str, str, str], Term] = {}
    count = 0
    for count, (where, row) in enumerate(rows, 1):  # noqa: B007 - counted to the end
        term = _term(row, where)
        key = term.code, term.term, term.label, term.lang
        if key not in terms or term.preferred:
            terms[key] = term
    if not terms:
        raise ClinnerError(f"{path} has no terms; give a table with a row a term.")
    return Terminology(list(terms.values()), path.name, fingerprint_of(path), count - len(terms))


def fingerprint_of(path: str | Path) -> str:
    """SHA-256 of a file, in hexadecimal. Raises ClinnerError if it cannot be read."""
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ClinnerError(f"{path} cannot be read: {error.strerror}.") from error


def _text(path: Path, encoding: str) -> Iterator[tuple[str, Mapping[str, str]]]:
    lines = io.StringIO(read_text(path, encoding).removeprefix("\ufeff"), newline="")
    header = lines.readline()
    lines.seek(0)
    if path.suffix.lower() == ".csv":
        rows = csv.reader(lines, delimiter=";" if header.count(";") > header.count(",") else ",")
    else:
        rows = csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
    columns = [name.strip().lower() for name in next(rows, [])]
    _check_columns(columns, path)
    try:
        for row in rows:
            where = f"{path}, line {rows.line_num}"
            if row and len(row) != len(columns):
                raise ClinnerError(f"{where}: {len(row)} cells where the header has {len(columns)}; correct the row.")
            if row:
                yield where, dict(zip(columns, row, strict=True))
    except csv.Error as error:
        raise ClinnerError(f"{path}, line {rows.line_num}: no row of a table ({error}); correct it.") from error


def _parquet(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    from clinner_spacy.tables.arrow import import_pyarrow

    import_pyarrow()
    import pyarrow.parquet

    try:
        file = pyarrow.parquet.ParquetFile(path)
        names = {name.strip().lower(): name for name in file.schema_arrow.names}
        _check_columns(list(names), path)
        wanted = {ours: names[ours] for ours in (*NEEDED, *OPTIONAL) if ours in names}
        number = 0
        for batch in file.iter_batches(columns=list(wanted.values())):
            for row in batch.to_pylist():
                number += 1
                yield f"{path}, row {number}", {ours: row[name] for ours, name in wanted.items()}
    except ClinnerError:
        raise
    except OSError as error:
        raise ClinnerError(f"{path} cannot be read: {error.strerror or 'it is no Parquet file'}.") from error
    except Exception as error:  # pyarrow has exceptions of its own for damage
        raise ClinnerError(f"{path} is no Parquet file or is damaged ({type(error).__name__}).") from error


def _check_columns(columns: list[str], path: Path) -> None:
    for name in NEEDED:
        if name not in columns:
            raise ClinnerError(
                f"{path} has no column {name!r}, {nearest(name, columns)}; name its columns code, term and, if there "
                f"are any, {', '.join(OPTIONAL)}."
            )


def _term(row: Mapping[str, Any], where: str) -> Term:
    code, term, label, lang, preferred = (
        str(row[name]).strip() if row.get(name) is not None else "" for name in (*NEEDED, *OPTIONAL)
    )
    if not code or not term:
        raise ClinnerError(f"{where}: no {'term' if code else 'code'}; give one, or take the row out.")
    if preferred.lower() not in TRUTH:
        raise ClinnerError(f"{where}: preferred is neither 0 nor 1; write one of them.")
    return Term(code, term, label, lang.lower(), TRUTH[preferred.lower()])


def read_abbreviations(path: str | Path, encoding: str = "utf-8") -> dict[str, str]:
    """A table of tabs with the columns ``abbreviation`` and ``meaning``, as a dict.

    Raises ClinnerError for a missing column, an empty cell, an abbreviation of several words ("H.T.A." is three), which
    would match nothing, and one with two meanings, whatever its case and accents.
    """
    found: dict[str, str] = {}
    meant: dict[str, str] = {}  # the same, folded
    lines = read_text(Path(path), encoding).removeprefix("\ufeff").splitlines()
    header = [name.strip().lower() for name in lines[0].split("\t")] if lines else []
    if "abbreviation" not in header or "meaning" not in header:
        raise ClinnerError(f"{path} needs the columns abbreviation and meaning, separated by a tab; name them so.")
    for number, line in enumerate(lines[1:], 2):
        if not line.strip():
            continue
        cells = dict(zip(header, line.split("\t"), strict=False))
        short, meaning = (cells.get(name, "").strip() for name in ("abbreviation", "meaning"))
        if not short or not meaning:
            raise ClinnerError(f"{path}, line {number}: an empty cell; correct it.")
        if " " in fold(short):
            raise ClinnerError(
                f"{path}, line {number}: an abbreviation of several words, points and spaces being between them, "
                "matches nothing; write it as one, or give it as a term."
            )
        if meant.setdefault(fold(short), fold(meaning)) != fold(meaning):
            raise ClinnerError(f"{path}, line {number}: two meanings for one abbreviation, in any case; correct it.")
        found[short] = meaning
    return found


def count_mentions(mentions: Iterable[tuple[str, str, str]]) -> list[Term]:
    """Annotated mentions, each (text, label, code), as terms with their counts."""
    counts: dict[tuple[str, str, str], int] = {}
    for text, label, code in mentions:
        counts[code, text, label] = counts.get((code, text, label), 0) + 1
    return [Term(code, text, label, times=count) for (code, text, label), count in counts.items()]
