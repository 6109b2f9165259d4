"""Text in and out with every character kept, and files that appear whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

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


@contextmanager
def whole_file(path: Path | str, mode: str = "w") -> Iterator[IO[Any]]:
    """A handle on a temporary neighbour of ``path`` that takes its place when the block ends without an error.

    ``mode`` is ``"w"`` (UTF-8 text, line ends untouched) or ``"wb"``. Raises ClinnerError when it cannot be written.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        raise ClinnerError(f"{path} cannot be written: it is not a regular file; give the name of a file.")
    temporary = target.with_name(f".{target.name[:200]}.{os.getpid()}.tmp")
    text = {} if "b" in mode else {"encoding": "utf-8", "newline": ""}
    try:
        with temporary.open(mode, **text) as handle:  # type: ignore[call-overload]
            yield handle
        temporary.replace(target)
    except OSError as error:
        if error.filename not in (None, str(temporary)):  # another file's trouble, inside the block
            raise
        raise ClinnerError(f"{path} cannot be written: {error.strerror}.") from error
    finally:
        temporary.unlink(missing_ok=True)
