"""Files: the package's own, writing one so that a reader never sees half of it, finding those below a folder."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple

from clinner_spacy.errors import ClinnerError

#: The pipeline that ships inside the package.
EMBEDDED = Path(__file__).parent / "embedded"
#: What a checkpoint or model is called that is that pipeline.
EMBEDDED_NAME = "embedded"
#: The service's page; what ``multiclin render`` writes looks the same.
PAGE = Path(__file__).parent / "service" / "page"
#: What neither the name of a document nor a label may hold, since files of lines and tabs are made of them.
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def path_of(checkpoint: str) -> Path:
    """Where a checkpoint lies if it is here: the embedded one in the package, any other where its name says."""
    return EMBEDDED if checkpoint == EMBEDDED_NAME else Path(checkpoint)


def called(path: Path) -> str:
    """What messages call a pipeline: the embedded one by its name, any other by its place."""
    return f"The {EMBEDDED_NAME} model" if path == EMBEDDED else str(path)


@contextmanager
def replacing(path: str | Path, mode: str = "w") -> Iterator[IO[Any]]:
    """Open a temporary file that becomes ``path`` when the block ends, and vanishes if it fails.

    mode: "w" (UTF-8, newlines as given) or "wb". Raises ClinnerError naming the path if it cannot be written.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        raise ClinnerError(f"{path} cannot be written: it is not a regular file; name a file.")
    temporary = _beside(target)
    text = {} if "b" in mode else {"encoding": "utf-8", "newline": ""}
    try:
        with temporary.open(mode.replace("w", "x"), **text) as file:  # type: ignore[call-overload]
            yield file
        temporary.replace(target)
    except OSError as error:
        if error.filename not in (None, str(temporary)):  # another file's trouble, inside the block
            raise
        raise ClinnerError(f"{path} cannot be written: {error.strerror}; choose another place.") from error
    finally:
        with suppress(OSError):  # where it could not be made there is nothing to remove
            temporary.unlink(missing_ok=True)


def standard(name: Literal["input", "output"]) -> IO[bytes]:
    """Standard input or output, as bytes. Raises ClinnerError where it is closed, as the shell's ``<&-`` does."""
    stream = sys.stdin if name == "input" else sys.stdout
    if stream is None:
        raise ClinnerError(f"Standard {name} is closed; open it, or name a file as {name.upper()}.")
    return stream.buffer


@contextmanager
def making_folder(path: str | Path) -> Iterator[Path]:
    """Make a temporary folder that becomes ``path`` when the block ends, and vanishes if it fails.

    ``path`` must be new or an empty folder. Raises ClinnerError naming it if it cannot be written.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise ClinnerError(f"{path} exists already: give the name of a new folder.")
    temporary = _beside(target)
    try:
        temporary.mkdir()
        yield temporary
        temporary.replace(target)
    except OSError as error:
        raise ClinnerError(f"{path} cannot be written: {error.strerror}; choose another place.") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _beside(target: Path) -> Path:
    """A name beside ``target`` that nobody else has: the processes of all containers have the same few numbers."""
    return target.with_name(f".multiclin.{secrets.token_hex(8)}.part")


class Files(NamedTuple):
    """Paths below a folder, as strings: those of a hundred thousand files are a fifth of the size of Path objects.

    ``unreadable`` are links that lead nowhere, folders that may not be opened, and what is no regular file.
    """

    files: list[str]
    unreadable: list[str]


def find_files(folder: str | Path) -> Files:
    """All files below ``folder``, at any depth, through links to folders, too; a link back up is not followed."""
    found = Files([], [])
    _look_into(str(folder), (), found)
    return found


def shown(paths: Iterable[str], folder: str | Path) -> list[str]:
    """Those of the paths below ``folder`` that are no bookkeeping: no part below it begins with "." or "_", as Spark's
    ``_SUCCESS`` and Delta's ``_delta_log/`` do."""
    return [path for path in paths if not any(part[0] in "._" for part in Path(path).relative_to(folder).parts)]


def _look_into(folder: str, above: tuple[tuple[int, int], ...], found: Files) -> None:
    try:
        status = os.stat(folder)  # noqa: PTH116 - strings, see Files
        here = status.st_dev, status.st_ino
        if here in above:
            return
        with os.scandir(folder) as entries:
            names = sorted(entries, key=lambda entry: entry.name)
    except OSError:
        found.unreadable.append(folder)
        return
    for entry in names:
        try:
            is_dir, is_file = entry.is_dir(), entry.is_file()
        except OSError:  # a link to itself
            is_dir = is_file = False
        if is_dir:
            _look_into(entry.path, (*above, here), found)
        else:
            (found.files if is_file else found.unreadable).append(entry.path)
