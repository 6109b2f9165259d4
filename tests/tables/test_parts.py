"""Parts of a run: however often it stops, no note is lost and none is there twice."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinner_spacy.errors import ClinnerError
from clinner_spacy.tables.found import AnnotatedText, Found, Text
from clinner_spacy.tables.parts import MANIFEST, Parts, locked, part_files
from clinner_spacy.tables.rows import Wanted
from clinner_spacy.tables.sources import TableTexts
from clinner_spacy.tables.write import Layout
from tests.tables.files import write_notes

PIPELINE = {"sha256": "1"}
#: Every third note cannot be read, every second of the others has no finding.
NOTES: list[dict[str, Any]] = [
    {"note_id": n, "text": None if n % 3 == 1 else f"Tos {n}." if n % 2 else f"Nada {n}."} for n in range(23)
]
FINDINGS = [str(n) for n in range(23) if n % 3 != 1 and n % 2]


class Stopped(Exception):
    """The run ends here."""


def annotate(texts: Iterable[Text], stop: int | None = None, ahead: int = 3) -> Iterator[AnnotatedText]:
    """What a pipeline does: it reads some texts ahead, and stops before the one with that number."""
    waiting: list[Text] = []
    done = 0
    for text in texts:
        waiting.append(text)
        if len(waiting) > ahead:
            if done == stop:
                raise Stopped
            yield _found(waiting.pop(0))
            done += 1
    yield from map(_found, waiting)


def _found(text: Text) -> AnnotatedText:
    return AnnotatedText(text.name, text.text, [Found(0, 3, "SYMPTOM", 1.0)] if "Tos" in text.text else [])


def run(folder: Path, notes: Path, size: int = 4, stop: int | None = None, **other: Any) -> Parts:
    source = TableTexts([notes], "jsonl", other.pop("wanted", Wanted()))
    with locked(folder):
        parts = Parts(folder, source, other.pop("pipeline", PIPELINE), other.pop("layout", Layout()), size)
        parts.write(annotate(parts.texts(), stop))
    return parts


def names(folder: Path) -> list[str]:
    return [row["note_id"] for path in part_files(folder) for row in pq.read_table(path).to_pylist()]


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    return write_notes(tmp_path / "notes.jsonl", NOTES)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 12), max_size=4), st.integers(1, 9), st.booleans())
def test_a_run_that_stops_goes_on(stops: list[int], size: int, unnamed: bool) -> None:
    with tempfile.TemporaryDirectory() as place:
        path = write_notes(Path(place) / "notes.jsonl", NOTES)
        run(Path(place) / "whole", path, size)
        folder = Path(place) / "found"
        for stop in stops:
            try:
                run(folder, path, size, stop)
            except Stopped:
                if unnamed and (folder / MANIFEST).exists():  # as if killed between a part and its place there
                    parts = json.loads((folder / MANIFEST).read_text())["parts"]
                    (folder / f"part-{len(parts):05}.parquet").write_bytes(b"half")
                    (folder / ".multiclin.0.part").write_bytes(b"half")
        parts = run(folder, path, size)
        assert names(folder) == names(Path(place) / "whole") == FINDINGS
        assert parts.source.unread.count == 8 and parts.source.position == 23
        assert (folder / MANIFEST).read_text() == (Path(place) / "whole" / MANIFEST).read_text()
        assert not list(folder.glob(".*"))


def test_a_part_that_the_manifest_does_not_name_is_written_again(notes: Path, tmp_path: Path) -> None:
    run(tmp_path / "found", notes)
    manifest = json.loads((tmp_path / "found" / MANIFEST).read_text())
    manifest |= {"parts": manifest["parts"][:2], "complete": False, "unread": {"count": 3, "reasons": ["a", "b", "c"]}}
    (tmp_path / "found" / MANIFEST).write_text(json.dumps(manifest))
    parts = run(tmp_path / "found", notes)
    assert names(tmp_path / "found") == FINDINGS
    told = list(parts.source.unread.lines())
    assert told[:4] == ["a", "b", "c", f"{notes}, row 14 cannot be read: its text is null."]


def test_a_run_that_is_complete_is_left_as_it_is(notes: Path, tmp_path: Path) -> None:
    run(tmp_path / "found", notes)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "found").glob("*.parquet")}
    assert run(tmp_path / "found", notes).done == 15
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "found").glob("*.parquet")} == before


def test_no_notes_are_one_empty_part(tmp_path: Path) -> None:
    (tmp_path / "notes.jsonl").touch()
    run(tmp_path / "found", tmp_path / "notes.jsonl")
    (path,) = part_files(tmp_path / "found")
    assert pq.read_table(path).num_rows == 0


def test_a_folder_of_parts_is_a_table_for_other_programs(notes: Path, tmp_path: Path) -> None:
    run(tmp_path / "found", notes)
    assert pq.read_table(tmp_path / "found")["note_id"].to_pylist() == FINDINGS
    assert pa.types.is_int64(pq.read_table(tmp_path / "found")["start"].type)


def test_nothing_that_is_another_run(notes: Path, tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        run(tmp_path / "found", notes, stop=9)
    other = write_notes(tmp_path / "other.jsonl", NOTES[:-1])
    for changed, told in (
        ({"pipeline": {"sha256": "2"}}, "another pipeline or options of it"),
        ({"notes": other}, "another input"),
        ({"wanted": Wanted(keep=("x",))}, "no column x"),
        ({"layout": Layout(said=True)}, "another columns"),
    ):
        with pytest.raises(ClinnerError, match=told):
            run(tmp_path / "found", **{"notes": notes, **changed})  # type: ignore[arg-type]
    run(tmp_path / "found", notes)
    assert names(tmp_path / "found") == FINDINGS


@pytest.mark.parametrize(
    ("name", "change", "told"),
    [
        ("part-00001.parquet", None, "part-00001.parquet is missing"),
        ("part-00000.parquet", b"PAR1", "part-00000.parquet is missing or is not as it was written"),
        (MANIFEST, b"{", f"{MANIFEST} is missing or damaged"),
        (MANIFEST, b"[]", "damaged"),
        (MANIFEST, b'{"complete": true, "parts": [{"file": "../x"}], "unread": {"reasons": []}}', "damaged"),
    ],
)
def test_parts_that_are_damaged(notes: Path, tmp_path: Path, name: str, change: bytes | None, told: str) -> None:
    with pytest.raises(Stopped):
        run(tmp_path / "found", notes, stop=9)
    path = tmp_path / "found" / name
    path.unlink() if change is None else path.write_bytes(change)
    before = {path.name: path.read_bytes() for path in (tmp_path / "found").iterdir()}
    with pytest.raises(ClinnerError, match=told):
        run(tmp_path / "found", notes)
    assert {path.name: path.read_bytes() for path in (tmp_path / "found").iterdir()} == before


def test_a_part_with_damaged_bytes_of_the_same_number(notes: Path, tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        run(tmp_path / "found", notes, stop=9)
    path = tmp_path / "found" / "part-00000.parquet"
    path.write_bytes(bytes(path.stat().st_size))
    with pytest.raises(ClinnerError, match="not as it was written"):
        run(tmp_path / "found", notes)


def test_a_run_that_is_not_complete_is_no_table(notes: Path, tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        run(tmp_path / "found", notes, stop=9)
    with pytest.raises(ClinnerError, match="a run that is not complete"):
        part_files(tmp_path / "found")


def test_only_one_run_at_a_time(notes: Path, tmp_path: Path) -> None:
    code = "import sys, pathlib; from clinner_spacy.tables.parts import locked\n"
    code += "with locked(pathlib.Path(sys.argv[1])): print('in', flush=True); input()"
    command = [sys.executable, "-c", code, str(tmp_path / "found")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None and other.stdout.readline() == b"in\n"
        with pytest.raises(ClinnerError, match="Another run is writing"):
            run(tmp_path / "found", notes)
        other.kill()
    run(tmp_path / "found", notes)
    assert names(tmp_path / "found") == FINDINGS


def test_other_folders_are_left_alone(notes: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()
    with pytest.raises(ClinnerError, match="holds other things"):
        run(tmp_path / "mine", notes)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]
    with pytest.raises(ClinnerError, match="cannot be written"):
        run(notes / "found", notes)
