"""The texts a command reads: a directory tree, one file, standard input, or the notes of tables."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import typer

from clinner_spacy.corpora.text import decode, document_name, read_text
from clinner_spacy.errors import ClinnerError
from clinner_spacy.files import find_files, standard
from clinner_spacy.tables.found import Text
from clinner_spacy.tables.rows import Wanted
from clinner_spacy.tables.sources import KINDS, TableTexts, fingerprint_of, table_files
from clinner_spacy.tables.unread import Unread

STDIN = "-"


class TableOptions(NamedTuple):
    """What the options of a command say of a table's columns; None and False where they say nothing."""

    text_column: str | None = None
    id_column: str | None = None
    keep: str | None = None
    allow_duplicates: bool = False

    def columns(self, keep_all: bool = False) -> Wanted:
        """keep_all: keep all columns where no option says which."""
        keep = tuple(name.strip() for name in self.keep.split(",")) if self.keep is not None else ()
        wanted = Wanted(self.text_column or "text", self.id_column or "note_id", keep)
        named = wanted.needed
        if len(set(named)) < len(named) or not all(named):
            raise ClinnerError(
                f"--keep, --text-column and --id-column name the columns {', '.join(named)}; name each once, without "
                "empty names between commas."
            )
        return wanted._replace(keep=None) if keep_all and self.keep is None else wanted


NO_OPTIONS = TableOptions()


class Texts:
    """The texts under ``source``, read one at a time in order of their names.

    Characters are those of the decoded file: line ends stay as they are and a byte order mark counts as the character
    it is, so that offsets hold for whoever decodes the file alike. A text that cannot be read is passed over and noted
    in ``unread``; :meth:`report_unread` tells of them. Raises ClinnerError at once for a source without ``.txt``, two
    files of one name or an unknown encoding, and while reading if nothing at all can be read.
    ``position`` is the number of files read so far, ``total`` how many there are.
    """

    types: dict[str, Any] | None = None  # texts have no columns
    wanted = Wanted(id="record_id")  # what DT4H calls the name of a text

    def __init__(self, source: str, encoding: str = "utf-8") -> None:
        self.source, self.encoding = source, checked_encoding(encoding)
        self.unread = Unread()
        self.unreadable = 0  # of them those that are no files
        self.position = self.start = 0
        self.files: list[tuple[str, str]] = [] if source == STDIN else self._find(Path(source))

    def __len__(self) -> int:
        return len(self.files) or 1

    def __iter__(self) -> Iterator[Text]:
        if self.source == STDIN:
            yield Text("stdin", decode(standard("input").read(), self.encoding, "Standard input"))
        for name, path in self.files[self.start :]:
            self.position += 1
            try:
                text = read_text(Path(path), self.encoding)
            except ClinnerError as error:
                if len(self.files) == 1:
                    raise
                self.unread.add(str(error))
            else:
                yield Text(name, text)
        if self.files and self.unread.count - self.unreadable == len(self.files):
            raise ClinnerError(f"None of the {len(self.files)} texts can be read; for one, {self.unread.reasons[-1]}")

    @property
    def paths(self) -> list[str]:
        return [path for _, path in self.files]

    @property
    def total(self) -> int:
        return len(self)

    def skip(self, files: int, unread: Unread) -> None:
        """Begin behind so many files, of which ``unread`` could not be read."""
        self.position = self.start = files
        self.unread = unread

    def fingerprint(self) -> dict[str, Any]:
        """What tells this input from others: names and contents of its files, and their encoding."""
        return fingerprint_of(self.files) | {"encoding": self.encoding}

    def report_unread(self) -> None:
        """Say which texts could not be read, a line each, and raise ClinnerError with their number, if any."""
        report_unread(self)

    @property
    def seen(self) -> int:
        """Files that were looked at, those that are none among them."""
        return len(self.files) + self.unreadable

    def _find(self, source: Path) -> list[tuple[str, str]]:
        """Name and path of each text, in order of names."""
        if source.is_file():
            return [(document_name(Path(source.name)), str(source))]
        if not source.is_dir():
            raise ClinnerError(f"{source} is neither a file nor a directory; check the path.")
        files, unreadable = find_files(source)
        self.unreadable = len(unreadable)
        for path in unreadable:
            self.unread.add(f"{path} cannot be read: no file or folder that can be opened.")
        texts = [path for path in files if path.lower().endswith(".txt")]
        found = sorted((document_name(Path(path).relative_to(source)), path) for path in texts)
        if not found:
            unread = "".join(f" {reason}" for reason in self.unread.reasons[:3])
            raise ClinnerError(f"{source} holds no .txt file; name a directory that does.{unread}")
        for (name, first), (other, second) in pairwise(found):
            if name == other:
                raise ClinnerError(f"{first} and {second} would both be document {name!r}; rename one of them.")
        return found


def open_texts(
    source: str,
    encoding: str = "utf-8",
    kind: str | None = None,
    options: TableOptions = NO_OPTIONS,
    keep_all: bool = False,
) -> Texts | TableTexts:
    """The texts of a command's INPUT: .txt files, or the notes of a table or of a directory of Parquet files.

    kind: how to read it; None: by its extension. Raises ClinnerError for a path that is not there, for options that the
    input has no use for, and for what :class:`Texts` and :class:`~clinner_spacy.tables.sources.TableTexts` raise.
    """
    path = Path(source)
    if kind is None and path.suffix.lower() == ".json":
        raise ClinnerError(f"{source} may hold JSON lines or be a text; say which, with --input-format jsonl or txt.")
    kind = kind or _kind_of(source)
    if kind == "txt":
        for name, value in options._asdict().items():
            if value not in (None, False):
                option = f"--{name.replace('_', '-')}"
                raise ClinnerError(f"{option} is for tables, and {source} is read as texts; leave it out.")
        return Texts(source, encoding)
    if kind == "parquet" and encoding.lower() != "utf-8":
        raise ClinnerError("--encoding is for texts, and Parquet files are UTF-8 always; leave it out.")
    if source == STDIN:
        paths: list[Path] = []
    elif path.is_dir():
        paths = table_files(path, kind)
        if not paths:
            raise ClinnerError(f"{source} holds no {kind} file; name a directory that does.")
    elif path.is_file():
        paths = [path]
    else:
        raise ClinnerError(f"{source} is neither a file nor a directory; check the path.")
    wanted = options.columns(keep_all)
    return TableTexts(paths, kind, wanted, checked_encoding(encoding), options.allow_duplicates)


def whole(texts: Texts | TableTexts) -> Iterator[Text]:
    """The texts. Raises ClinnerError if one of them cannot be read, where others alone would be no use."""
    yield from texts
    if texts.unread.count:
        raise ClinnerError(texts.unread.reasons[0])


def report_unread(texts: Texts | TableTexts) -> None:
    """Say which texts could not be read, a line each, and raise ClinnerError with their number, if any."""
    unread = texts.unread
    if unread.count:
        for line in unread.lines():
            typer.echo(line, err=True)
        raise ClinnerError(f"{unread.count} of {texts.seen} could not be read, the others are in the output.")


def _kind_of(source: str) -> str:
    """How to read a source: of a directory, Parquet if it holds such files and no .txt."""
    path = Path(source)
    if source == STDIN or not path.is_dir():
        return KINDS.get(path.suffix.lower(), "txt")
    texts = any(file.lower().endswith(".txt") for file in find_files(path).files)
    return "parquet" if not texts and table_files(path, "parquet") else "txt"


def checked_encoding(encoding: str) -> str:
    """The encoding. Raises ClinnerError if Python knows none of that name."""
    try:
        "".encode(encoding)
    except (LookupError, ValueError) as error:
        raise ClinnerError(f"--encoding {encoding} is no encoding of texts; name one, as utf-8 or cp1252.") from error
    return encoding
