"""The texts a command reads: a directory tree, one file, or standard input."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import typer

from clinner_spacy.corpora.text import decode, document_name, read_text
from clinner_spacy.errors import ClinnerError
from clinner_spacy.files import find_files
from clinner_spacy.tables.found import Text

STDIN = "-"


class Texts:
    """The texts under ``source``, read one at a time in order of their names.

    Characters are those of the decoded file: line ends stay as they are and a byte order mark counts as the character
    it is, so that offsets hold for whoever decodes the file alike. A text that cannot be read is passed over and noted
    in ``unread``; :meth:`report_unread` tells of them. Raises ClinnerError at once for a source without ``.txt``, two
    files of one name or an unknown encoding, and while reading if nothing at all can be read.
    """

    def __init__(self, source: str, encoding: str = "utf-8") -> None:
        self.source, self.encoding = source, _checked(encoding)
        self.unread: list[str] = []
        self.unreadable = 0  # of them those that are no files
        self.files: list[tuple[str, str]] = [] if source == STDIN else self._find(Path(source))

    def __len__(self) -> int:
        return len(self.files) or 1

    def __iter__(self) -> Iterator[Text]:
        if self.source == STDIN:
            yield Text("stdin", decode(sys.stdin.buffer.read(), self.encoding, "Standard input"))
        read = 0
        for name, path in self.files:
            try:
                text = read_text(Path(path), self.encoding)
            except ClinnerError as error:
                if len(self.files) == 1:
                    raise
                self.unread.append(str(error))
            else:
                read += 1
                yield Text(name, text)
        if self.files and not read:
            raise ClinnerError(f"None of the {len(self.files)} texts can be read; for one, {self.unread[-1]}")

    @property
    def paths(self) -> list[str]:
        return [path for _, path in self.files]

    def report_unread(self) -> None:
        """Say which texts could not be read, a line each, and raise ClinnerError with their number, if any."""
        if self.unread:
            for reason in self.unread:
                typer.echo(reason, err=True)
            total = len(self.files) + self.unreadable
            raise ClinnerError(f"{len(self.unread)} of {total} could not be read, the others are in the output.")

    def _find(self, source: Path) -> list[tuple[str, str]]:
        """Name and path of each text, in order of names."""
        if source.is_file():
            return [(document_name(Path(source.name)), str(source))]
        if not source.is_dir():
            raise ClinnerError(f"{source} is neither a file nor a directory; check the path.")
        files, unreadable = find_files(source)
        self.unreadable = len(unreadable)
        self.unread += [f"{path} cannot be read: no file or folder that can be opened." for path in unreadable]
        texts = [path for path in files if path.lower().endswith(".txt")]
        found = sorted((document_name(Path(path).relative_to(source)), path) for path in texts)
        if not found:
            unread = "".join(f" {reason}" for reason in self.unread[:3])
            raise ClinnerError(f"{source} holds no .txt file; name a directory that does.{unread}")
        for (name, first), (other, second) in pairwise(found):
            if name == other:
                raise ClinnerError(f"{first} and {second} would both be document {name!r}; rename one of them.")
        return found


def _checked(encoding: str) -> str:
    try:
        "".encode(encoding)
    except (LookupError, ValueError) as error:
        raise ClinnerError(f"--encoding {encoding} is no encoding of texts; name one, as utf-8 or cp1252.") from error
    return encoding
