"""The characters of a file, every one of them, and the name its document goes by."""

from __future__ import annotations

from pathlib import Path, PurePath

from clinner_spacy.errors import ClinnerError
from clinner_spacy.files import CONTROL


def read_text(path: Path, encoding: str = "utf-8") -> str:
    """The text of a file, line ends untouched, so that offsets count characters of the decoded file.

    Raises ClinnerError when the file cannot be read or decoded.
    """
    try:
        return decode(path.read_bytes(), encoding, str(path))
    except OSError as error:
        raise ClinnerError(f"{path} cannot be read: {error.strerror}.") from error


def decode(data: bytes, encoding: str, source: str) -> str:
    """``data`` as text. Raises ClinnerError naming ``source`` and the place of the first byte that does not fit."""
    try:
        return data.decode(encoding)
    except UnicodeError as error:
        name = "UTF-8" if encoding == "utf-8" else encoding
        where = f" (first bad byte at position {error.start})" if isinstance(error, UnicodeDecodeError) else ""
        raise ClinnerError(
            f"{source} is not {name}{where}: convert it to UTF-8, or name its encoding with --encoding."
        ) from error


def document_name(path: PurePath) -> str:
    """The name of a document by its path, without suffix.

    Control characters and bytes that are no UTF-8 are written as their escapes (``\\x09``, ``\\xe9``), so that any
    table, brat folder or page can hold the name.
    """
    name = path.with_suffix("").as_posix().encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return CONTROL.sub(lambda m: m[0].encode("unicode_escape").decode(), name)
