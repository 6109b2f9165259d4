"""The characters of a file, every one of them."""

from __future__ import annotations

from pathlib import Path

from clinner_spacy.errors import ClinnerError


def read_text(path: Path) -> str:
    """The text of a UTF-8 file, line ends untouched, so that offsets count characters of the decoded file.

    Raises ClinnerError when the file cannot be read or is not UTF-8.
    """
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        where = f"first bad byte at position {error.start}"
        raise ClinnerError(f"{path} is not UTF-8 ({where}): convert it to UTF-8 first.") from error
    except OSError as error:
        raise ClinnerError(f"{path} cannot be read: {error.strerror}.") from error
