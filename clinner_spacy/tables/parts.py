"""Findings in a folder of Parquet parts, so that a run that was killed goes on where it stopped.

``part-00000.parquet``, ``part-00001.parquet``, … hold the findings of so many notes each, in the order of the input;
``_manifest.json`` says how far each part goes, of which input and by which pipeline. A part counts once the manifest
names it: whatever else a killed run left is written again.
"""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import chain, islice
from pathlib import Path
from typing import Any, Protocol

from clinner_spacy import __version__
from clinner_spacy.errors import DAMAGE, ClinnerError
from clinner_spacy.files import replacing
from clinner_spacy.tables.arrow import import_pyarrow
from clinner_spacy.tables.found import AnnotatedText, Text
from clinner_spacy.tables.records import mention_records
from clinner_spacy.tables.unread import Unread
from clinner_spacy.tables.write import Layout, parquet_writer

#: Readers of a folder of Parquet files, as pyarrow and Spark, pass over names that begin so.
MANIFEST = "_manifest.json"
LOCK = ".lock"
#: What the manifest counts of a part: rows of the input up to its end, its notes and findings, its size.
NUMBERS = ("row", "notes", "findings", "bytes")
#: Notes in a part, unless told otherwise: what is lost at most when a run is killed.
PART_NOTES = 5000


class Source(Protocol):
    """Texts that can be read from any place on; see :class:`~clinner_spacy.tables.sources.TableTexts`."""

    unread: Unread
    position: int

    def __iter__(self) -> Iterator[Text]: ...

    def skip(self, rows: int, unread: Unread, /) -> None: ...

    def fingerprint(self) -> dict[str, Any]: ...


class Parts:
    """The parts in ``folder`` that a run adds to.

    Raises ClinnerError where the folder holds other things, or parts of another pipeline, input or set of columns, or a
    part that is missing or damaged. ``done``: the notes in the parts that are there.
    """

    def __init__(self, folder: Path, source: Source, pipeline: Mapping[str, Any], layout: Layout, size: int) -> None:
        self.folder, self.source, self.layout, self.size = folder, source, layout, size
        columns = {name: str(kind) for name, kind in layout.mentions().items()}
        of = {"pipeline": pipeline, "input": source.fingerprint(), "columns": columns}
        self.manifest: dict[str, Any] = {"version": __version__, **json.loads(json.dumps(of))}
        self.manifest |= {"complete": False, "parts": [], "unread": {"count": 0, "reasons": []}}
        self._marks: deque[tuple[int, int]] = deque()  # position and number of unread texts at each text on its way
        if (folder / MANIFEST).exists():
            self._resume()
        elif folder.exists() and any(path.name != LOCK for path in folder.iterdir()):
            raise ClinnerError(f"{folder} holds other things than parts of a run; name a new folder.")

    @property
    def done(self) -> int:
        return sum(part["notes"] for part in self.manifest["parts"])

    @property
    def rows(self) -> int:
        """Rows of the input that are done, those that could not be read among them."""
        return max((part["row"] for part in self.manifest["parts"]), default=0)

    def texts(self) -> Iterator[Text]:
        """The texts that are left to read."""
        for text in self.source:
            self._marks.append((self.source.position, self.source.unread.count))
            yield text

    def write(self, notes: Iterable[AnnotatedText]) -> None:
        """Write what was found in :meth:`texts`, which come in their order, part by part."""
        stream = iter(notes)
        note = next(stream, None)
        while note is not None or not self.manifest["parts"]:
            self._write_part(islice(chain([note] if note else [], stream), self.size))
            note = next(stream, None)
        self.manifest["parts"][-1]["row"] = self.source.position  # with those behind its last note that have no text
        self._save(self.source.unread, complete=True)

    def _write_part(self, notes: Iterable[AnnotatedText]) -> None:
        name = _part_name(len(self.manifest["parts"]))
        done = findings = 0
        row, unread = self.rows, self.source.unread.count
        with parquet_writer(self.folder / name, self.layout.mentions()) as write:
            for note in notes:
                write(mention_records(note))
                done, findings = done + 1, findings + len(note.found)
                row, unread = self._marks.popleft()
        size = (self.folder / name).stat().st_size
        self.manifest["parts"].append({"file": name, "row": row, "notes": done, "findings": findings, "bytes": size})
        self._save(self.source.unread.first(unread))

    def _save(self, unread: Unread, complete: bool = False) -> None:
        self.manifest |= {"complete": complete, "unread": {"count": unread.count, "reasons": unread.reasons}}
        with replacing(self.folder / MANIFEST) as file:
            json.dump(self.manifest, file, indent=1, ensure_ascii=False)
            file.flush()
            os.fsync(file.fileno())

    def _resume(self) -> None:
        """Take over what another run has done."""
        before = read_manifest(self.folder)
        for key, other in (("version", "version of clinner-spacy"), ("pipeline", "pipeline or options of it")):
            self._refuse(before, key, other)
        self._refuse(before, "input", "input")
        self._refuse(before, "columns", "columns")
        for part in before["parts"]:
            check_part(self.folder, part)
        self.manifest = before
        self.source.skip(self.rows, Unread(**before["unread"]))

    def _refuse(self, before: Mapping[str, Any], key: str, what: str) -> None:
        if before.get(key) != self.manifest[key]:
            raise ClinnerError(
                f"{self.folder} holds parts of a run with another {what}; run that one again, or name a new folder."
            )


def part_files(folder: Path) -> list[Path]:
    """The parts of a run that is complete. Raises ClinnerError if it is not, or if one is missing or damaged."""
    manifest = read_manifest(folder)
    if not manifest["complete"]:
        raise ClinnerError(f"{folder} holds the parts of a run that is not complete; let it end first.")
    return [check_part(folder, part) for part in manifest["parts"]]


def read_manifest(folder: Path) -> dict[str, Any]:
    """What the manifest of a folder says. Raises ClinnerError if it cannot be read or is damaged."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        assert isinstance(manifest["complete"], bool) and isinstance(manifest["unread"]["reasons"], list)
        assert all(isinstance(part[key], int) for part in manifest["parts"] for key in NUMBERS)
        assert all(part["file"] == _part_name(n) for n, part in enumerate(manifest["parts"]))
    except (OSError, AssertionError, *DAMAGE) as error:
        raise ClinnerError(
            f"{folder / MANIFEST} is missing or damaged; remove the folder and begin anew."
        ) from error
    return manifest


def check_part(folder: Path, part: Mapping[str, Any]) -> Path:
    """Where a part is. Raises ClinnerError if it is not there, or not as the manifest says."""
    pa = import_pyarrow()
    import pyarrow.parquet

    path = folder / part["file"]
    try:
        whole = path.stat().st_size == part["bytes"]
        whole = whole and pyarrow.parquet.read_metadata(path).num_rows == part["findings"]
    except (OSError, pa.ArrowException):
        whole = False
    if not whole:
        raise ClinnerError(f"{path} is missing or is not as it was written; remove the folder and begin anew.")
    return path


def _part_name(number: int) -> str:
    return f"part-{number:05}.parquet"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Make the folder and keep other runs out of it; what a killed one left half-written is removed.

    Raises ClinnerError if the folder cannot be made or another run is at work there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = (folder / LOCK).open("w")
    except OSError as error:
        raise ClinnerError(f"{folder} cannot be written: {error.strerror}; choose another place.") from error
    with handle:
        try:
            import fcntl  # not on Windows

            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # let go of when the process ends, however it does
        except ImportError:
            pass
        except OSError as error:
            raise ClinnerError(f"Another run is writing to {folder}; wait for it, or name a new folder.") from error
        try:
            for path in folder.glob(".multiclin.*.part"):
                path.unlink(missing_ok=True)
            yield
        finally:
            with suppress(OSError):
                (folder / LOCK).unlink()
                folder.rmdir()  # where nothing came of it
