"""Where the package's own files lie, and writing files so that a reader never sees half of one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from clinner_spacy.errors import ClinnerError

#: The pipeline that ships inside the package.
EMBEDDED = Path(__file__).parent / "embedded"


@contextmanager
def replacing(path: str | Path, mode: str = "w") -> Iterator[IO[Any]]:
    """Open a temporary file that becomes ``path`` when the block ends, and vanishes if it fails.

    mode: "w" (UTF-8, newlines as given) or "wb". Raises ClinnerError naming the path if it cannot be written.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        raise ClinnerError(f"{path} cannot be written: it is not a regular file; name a file.")
    temporary = target.with_name(f".{target.name[:200]}.{os.getpid()}.part")
    text = {} if "b" in mode else {"encoding": "utf-8", "newline": ""}
    try:
        with temporary.open(mode, **text) as file:  # type: ignore[call-overload]
            yield file
        temporary.replace(target)
    except OSError as error:
        if error.filename not in (None, str(temporary)):  # another file's trouble, inside the block
            raise
        raise ClinnerError(f"{path} cannot be written: {error.strerror}; choose another place.") from error
    finally:
        with suppress(OSError):  # where it could not be made there is nothing to remove
            temporary.unlink(missing_ok=True)
