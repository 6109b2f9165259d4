"""The texts a command reads: a directory tree, one file, or standard input."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from clinner_spacy.corpora.text import read_text
from clinner_spacy.errors import ClinnerError

STDIN = "-"


class Text(NamedTuple):
    """A text and the name it goes by: the stem of its file, or "stdin"."""

    name: str
    text: str


class Texts:
    """The texts under ``source``, read one at a time in order of their names.

    Characters are those of the decoded file: line ends stay as they are and a byte order mark counts as the character
    it is, so that offsets hold for whoever decodes the file as UTF-8. Raises ClinnerError at once where there is no
    ``.txt`` or two files have one stem, and while reading for a file that is not UTF-8.
    """

    def __init__(self, source: str) -> None:
        self.paths = [] if source == STDIN else _find(Path(source))

    def __len__(self) -> int:
        return len(self.paths) or 1

    def __iter__(self) -> Iterator[Text]:
        if not self.paths:
            yield _read_stdin()
        for path in map(Path, self.paths):
            yield Text(path.stem, read_text(path))


def _read_stdin() -> Text:
    try:
        return Text("stdin", sys.stdin.buffer.read().decode("utf-8"))
    except UnicodeDecodeError as error:
        where = f"first bad byte at position {error.start}"
        raise ClinnerError(f"Standard input is not UTF-8 ({where}): convert it to UTF-8 first.") from error


def _find(source: Path) -> list[str]:
    """Paths as strings: those of a hundred thousand files are a fifth of the size of Path objects."""
    if source.is_file():
        return [str(source)]
    if not source.is_dir():
        raise ClinnerError(f"{source} is neither a file nor a directory; check the path.")
    files = (path for path in source.rglob("*") if path.suffix.lower() == ".txt" and path.is_file())
    found = sorted((path.stem, str(path)) for path in files)
    if not found:
        raise ClinnerError(f"{source} holds no .txt file; name a directory that does.")
    for (stem, first), (other, second) in pairwise(found):
        if stem == other:
            raise ClinnerError(f"{first} and {second} would both be document {stem!r}; rename one of them.")
    return [path for _, path in found]
