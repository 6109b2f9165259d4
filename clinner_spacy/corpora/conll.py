"""One token a line: CoNLL/IOB columns (token, tag, optional start and end), or CSV with ``token,ner[,start,end]``.

Columns are separated by tabs or spaces; a blank line ends a sentence, ``-DOCSTART-`` begins a document. Without offsets
the tag is the last column. The text is made of the tokens: at their offsets, or else joined by a space, sentences by a
line end.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from clinner_spacy.corpora.document import Document, Mention, Report
from clinner_spacy.corpora.labels import NO_TASK, into_tasks, rename_labels
from clinner_spacy.corpora.text import document_name, read_text
from clinner_spacy.corpora.tsv import END
from clinner_spacy.errors import ClinnerError
from clinner_spacy.ner.schemes import bare_tags, scheme_of, spans_of

SUFFIXES = (".conll", ".iob", ".bio", ".bioes", ".tsv", ".txt", ".csv")
#: A jump between two tokens that no text makes; it would be filled with as many spaces.
MAX_GAP = 1_000_000


class _Token(NamedTuple):
    text: str
    tag: str
    start: int
    end: int
    sentence: int
    document: int
    line: int
    columns: int = 0  # of a file whose rows may differ


def read_conll(
    path: Path | str,
    *,
    labels: Mapping[str, str] | None = None,
    only: Collection[str] | None = None,
    task: str | None = None,
    report: Report | None = None,
) -> Iterator[Document]:
    """Documents of one file, or of a folder's files with a suffix of :data:`SUFFIXES`, by name.

    A document is named after its file, with ``-1``, ``-2``, … where the file holds several. ``labels``, ``only`` and
    ``task`` as in :func:`clinner_spacy.corpora.brat.read_brat`. Raises ClinnerError naming file and line for a row
    without token or tag, offsets that do not fit the token or go back, and tags of no scheme (BIO, IO, BILOU, BIOES).
    """
    report = report if report is not None else Report()
    documents = [document for file in _files(Path(path)) for document in _read(file)]
    rename_labels(documents, labels, only, report)
    yield from into_tasks(documents, task)


def check_prefixes(path: Path) -> None:
    """Raise ClinnerError if a row of the file or folder ends in a word without a prefix, as B-, and without a header
    that says what it is: it may be a label, and as well the last word of a line of text."""
    for file in _files(path):
        for token in _tagged(file)[0]:
            if token.columns and bare_tags([token.tag]):
                raise ClinnerError(
                    f"{file}, line {token.line}: the last column has no prefix, as B- or I-, and may be the words of a "
                    "text; where they are tags, say so with --format conll."
                )


def _files(path: Path) -> list[Path]:
    files = sorted(f for f in path.iterdir() if f.suffix in SUFFIXES) if path.is_dir() else [path]
    if not files:
        raise ClinnerError(f"{path} holds no file that ends in {', '.join(SUFFIXES)}.")
    return files


def _read(path: Path) -> list[Document]:
    tokens, scheme = _tagged(path)
    groups = [list(group) for _, group in groupby(tokens, key=lambda token: token.document)]
    stem = document_name(Path(path.name))
    names = [stem] if len(groups) == 1 else [f"{stem}-{n}" for n in range(1, len(groups) + 1)]
    return [_document(name, group, scheme, path) for name, group in zip(names, groups, strict=True)]


def _tagged(path: Path) -> tuple[list[_Token], str]:
    """The tokens of a file and the scheme of their tags."""
    lines = re.split(r"\r\n|\n|\r", read_text(path).removeprefix("\ufeff"))
    is_csv = {"token", "ner"} <= set(next(csv.reader(lines[:1])))
    if path.suffix == ".csv" and not is_csv:
        raise ClinnerError(f"{path} needs a first line that names the columns token,ner and, if known, start,end.")
    try:
        tokens = list(_csv_tokens(lines, path) if is_csv else _column_tokens(lines, path))
    except csv.Error as error:
        raise ClinnerError(f"{path} cannot be read as CSV: {error}.") from error
    if not tokens:
        raise ClinnerError(f"{path} holds no tokens.")
    try:
        tags = {token.tag for token in tokens}
        scheme = scheme_of(tags)
    except ClinnerError as error:
        raise ClinnerError(f"{path}: {error}") from error
    if bare_tags(tags):
        _check_columns(tokens, path)
    return tokens, scheme


def _check_columns(tokens: list[_Token], path: Path) -> None:
    """Raise ClinnerError if rows differ in their number of columns: any text has a last word a line, and one without
    prefixes looks like a tag."""
    for token in tokens:
        if token.columns != tokens[0].columns:
            raise ClinnerError(
                f"{path}, line {token.line}: {token.columns} columns where line {tokens[0].line} has "
                f"{tokens[0].columns}; is this no text? Tags without prefixes need rows of one length."
            )


def _csv_tokens(lines: list[str], path: Path) -> Iterator[_Token]:
    rows = csv.reader([*lines, END])
    header = next(rows)
    columns = [header.index(name) for name in ("token", "ner", "start", "end") if name in header]
    if len(columns) == 3:
        raise ClinnerError(f"{path} has one of the columns start,end: name both in the first line, or neither.")
    sentence = 0
    line = rows.line_num
    for cells in rows:
        first, line = line + 1, rows.line_num
        if line > first or cells[-1:] == [END]:
            if cells == [END]:
                return
            raise ClinnerError(f"{path}, line {first}: a quotation mark is opened and not closed; double it.")
        if not any(cells):
            sentence += 1
        elif len(cells) <= max(columns):
            raise ClinnerError(f"{path}, line {line}: {len(cells)} cells under {len(header)} columns.")
        else:
            yield _token([cells[column] for column in columns], sentence, 0, path, line)


def _column_tokens(lines: list[str], path: Path) -> Iterator[_Token]:
    separator = "\t" if any("\t" in line for line in lines) else None
    rows = [(number, line.split(separator)) for number, line in enumerate(lines, 1) if not _is_comment(line, separator)]
    without = [number for number, cells in rows if _is_token(cells) and not _are_offsets(cells)]
    has_offsets = any(_are_offsets(cells) for _, cells in rows)
    if has_offsets and without:
        raise ClinnerError(f"{path}, line {without[0]}: no start and end, which other lines have; give all or none.")
    sentence = document = 0
    for number, cells in rows:
        if cells and cells[0] == "-DOCSTART-":
            document += 1
        elif not any(cell.strip() for cell in cells):
            sentence += 1
        elif len(cells) < 2:
            raise ClinnerError(f"{path}, line {number}: a token without a tag (columns: token, tag, start, end).")
        else:
            token = _token(cells[:4] if has_offsets else [cells[0], cells[-1]], sentence, document, path, number)
            yield token._replace(columns=len(cells))


def _is_comment(line: str, separator: str | None) -> bool:
    return separator == "\t" and line.startswith("#") and "\t" not in line


def _is_token(cells: list[str]) -> bool:
    return any(cell.strip() for cell in cells) and cells[0] != "-DOCSTART-"


def _are_offsets(cells: list[str]) -> bool:
    return len(cells) == 4 and all(map(_is_offset, cells[2:]))


def _is_offset(cell: str) -> bool:
    return bool(re.fullmatch(r"[0-9]{1,12}", cell))


def _token(cells: list[str], sentence: int, document: int, path: Path, line: int) -> _Token:
    """A token of two cells (offsets -1) or four."""
    text, tag = cells[0], cells[1].strip()
    if not text.strip() or not tag:
        raise ClinnerError(f"{path}, line {line}: the {'tag' if text.strip() else 'token'} is empty.")
    if len(cells) == 2:
        return _Token(text, tag, -1, -1, sentence, document, line)
    if not all(map(_is_offset, cells[2:])):
        raise ClinnerError(f"{path}, line {line}: an offset is not a whole number.")
    start, end = int(cells[2]), int(cells[3])
    if end - start != len(text):
        raise ClinnerError(f"{path}, line {line}: from start to end is not the length of the token, {len(text)}.")
    return _Token(text, tag, start, end, sentence, document, line)


def _document(name: str, tokens: list[_Token], scheme: str, path: Path) -> Document:
    text, starts = _text(tokens, path)
    mentions: list[Mention] = []
    word = 0
    for _, sentence in groupby(tokens, key=lambda token: token.sentence):  # no mention crosses a sentence
        words = list(sentence)
        for first, last, label in spans_of([token.tag for token in words], scheme):
            end = starts[word + last - 1] + len(words[last - 1].text)
            mentions.append(Mention(label, ((starts[word + first], end),)))
        word += len(words)
    return Document(name, text, {NO_TASK: mentions})


def _text(tokens: Iterable[_Token], path: Path) -> tuple[str, list[int]]:
    """The text and where in it each token starts."""
    parts: list[str] = []
    starts: list[int] = []
    length = 0
    sentence = -1
    for token in tokens:
        new_sentence = sentence >= 0 and token.sentence != sentence
        gap = token.start - length if token.start >= 0 else int(bool(parts))
        if not 0 <= gap <= MAX_GAP:
            where = "starts before the one before it ends" if gap < 0 else "starts too far behind the one before it"
            raise ClinnerError(f"{path}, line {token.line}: the token {where}; offsets must go forward in a document.")
        parts += ["\n" + " " * (gap - 1) if new_sentence and gap else " " * gap, token.text]
        starts.append(length + gap)
        length += gap + len(token.text)
        sentence = token.sentence
    return "".join(parts), starts
