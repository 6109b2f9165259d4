"""On a real Ray: the same findings as without it, whatever becomes of its workers. Run by .ci/run in .venv-ray."""

from __future__ import annotations

import os
import signal
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import spacy
from spacy.language import Language

from clinner_spacy import Annotate
from clinner_spacy.errors import ClinnerError
from clinner_spacy.tables import ray_job
from clinner_spacy.tables.ray_job import predict_with_ray
from tests.pipeline.conftest import NOTES
from tests.tables.files import same_findings

pytestmark = pytest.mark.ray

N_NOTES = 240


def make(slow: float = 0.0, trace: str = "") -> Language:
    """The embedded model; ``slow`` seconds a batch, and a file in ``trace`` named after each process that loads it."""
    nlp = spacy.blank("es")
    nlp.add_pipe("multiclin_ner")
    if trace:
        (Path(trace) / str(os.getpid())).touch()
    if slow:
        nlp.add_pipe("wait_a_moment", config={"seconds": slow})
    return nlp


@Language.factory("wait_a_moment")
def wait_a_moment(nlp: Language, name: str, seconds: float) -> Any:
    def wait(doc: Any) -> Any:
        time.sleep(seconds)
        return doc

    return wait


def write_notes(folder: Path, **columns: Any) -> pa.Table:
    """Notes in three files, the last in several row groups."""
    folder.mkdir()
    texts = [f"{NOTES[n % len(NOTES)][0]} Nota {n}." for n in range(N_NOTES)]
    notes = pa.table({"id": list(range(N_NOTES)), "text": texts, "patient": [f"p{n}" for n in range(N_NOTES)]})
    for name, column in columns.items():
        notes = notes.set_column(notes.column_names.index(name), name, column)
    for number, (start, size) in enumerate(((0, 50), (50, 10), (60, N_NOTES))):
        pq.write_table(notes.slice(start, size), folder / f"{number}.parquet", row_group_size=40)
    return notes


def settings(**more: Any) -> dict[str, Any]:
    return {"pipeline": partial(make, **more), "id_column": "id", "keep": ["patient"]}


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_job, "NOTES_AT_ONCE", 20)


def parts(folder: Path) -> pa.Table:
    files = sorted(folder.iterdir())
    assert [file.name for file in files] == [f"part-{n:05}.parquet" for n in range(len(files))]
    return pa.concat_tables([pq.read_table(file) for file in files])


def test_equal_to_the_plain_run(tmp_path: Path) -> None:
    notes = write_notes(tmp_path / "in")
    (tmp_path / "trace").mkdir()
    with_trace = settings(trace=str(tmp_path / "trace"))
    predict_with_ray(tmp_path / "in", tmp_path / "out", with_trace, workers=2)
    expected = Annotate(**settings())(notes)
    assert len(expected) > N_NOTES and same_findings(parts(tmp_path / "out"), expected)
    assert len(list((tmp_path / "trace").iterdir())) == 3  # two workers, each once, and this process


def test_as_the_docs_say(tmp_path: Path) -> None:
    notes = write_notes(tmp_path / "in")
    ray = ray_job.import_ray()
    with ray_job.running(2):
        found = ray.data.read_parquet(str(tmp_path / "in")).map_batches(
            Annotate, fn_constructor_kwargs=settings(), batch_format="pyarrow", concurrency=1
        )
        found.write_parquet(str(tmp_path / "out"))
    tables = [pq.read_table(part) for part in sorted((tmp_path / "out").iterdir())]
    order = [("note_id", "ascending"), ("start", "ascending"), ("end", "ascending"), ("label", "ascending")]
    assert same_findings(pa.concat_tables(tables).sort_by(order), Annotate(**settings())(notes).sort_by(order))


def test_a_file_that_is_broken_inside(tmp_path: Path) -> None:
    write_notes(tmp_path / "in")
    file = tmp_path / "in" / "2.parquet"
    column = pq.ParquetFile(file).metadata.row_group(1).column(1)
    data = bytearray(file.read_bytes())
    at = column.dictionary_page_offset or column.data_page_offset
    data[at : at + column.total_compressed_size] = b"\xff" * column.total_compressed_size
    file.write_bytes(data)
    with pytest.raises(ClinnerError, match=r"^The Ray job failed \(\w+\); nothing was written\.$"):
        predict_with_ray(tmp_path / "in", tmp_path / "out", settings(), workers=1)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_a_worker_killed_in_the_middle(tmp_path: Path) -> None:
    notes = write_notes(tmp_path / "in")
    (tmp_path / "trace").mkdir()
    slow = settings(slow=0.05, trace=str(tmp_path / "trace"))
    killed: list[int] = []

    def kill() -> None:
        ours = {str(os.getpid())}
        while not (there := {path.name for path in (tmp_path / "trace").iterdir()} - ours):
            time.sleep(0.05)
        time.sleep(1.5)  # it has read some notes, not all: those of one worker take 6 seconds
        killed.append(int(there.pop()))
        os.kill(killed[0], signal.SIGKILL)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    predict_with_ray(tmp_path / "in", tmp_path / "out", slow, workers=2)
    killer.join()
    assert same_findings(parts(tmp_path / "out"), Annotate(**settings())(notes))
    loaded = {path.name for path in (tmp_path / "trace").iterdir()}
    assert str(killed[0]) in loaded and len(loaded) == 4  # another has taken its place


def test_nothing_found(tmp_path: Path) -> None:
    write_notes(tmp_path / "in", text=pa.array(["Nada."] * N_NOTES))
    predict_with_ray(tmp_path / "in", tmp_path / "out", settings(), workers=1)
    found = parts(tmp_path / "out")
    assert len(found) == 0 and found.column_names[:3] == ["note_id", "patient", "start"]


def test_an_error_in_a_worker_is_one_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    """Bytes that are no UTF-8 are only seen where texts are read; a null is found before the job."""
    texts = pa.array([b"Refiere tos."] * (N_NOTES - 1) + [b"Niega tos \xff."]).view(pa.string())
    write_notes(tmp_path / "in", text=texts)
    with pytest.raises(ClinnerError, match=r"^The column 'text' holds bytes that are no UTF-8") as caught:
        predict_with_ray(tmp_path / "in", tmp_path / "out", settings(), workers=1)
    assert "tos" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_a_null_is_found_before_the_job(tmp_path: Path) -> None:
    write_notes(tmp_path / "in", text=pa.array(["Refiere tos."] * (N_NOTES - 1) + [None]))
    with pytest.raises(ClinnerError, match=r"2\.parquet: The column 'text' has 1 nulls"):
        predict_with_ray(tmp_path / "in", tmp_path / "out", settings(), workers=1)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_an_output_that_is_there(tmp_path: Path) -> None:
    write_notes(tmp_path / "in")
    with pytest.raises(ClinnerError, match="exists already"):
        predict_with_ray(tmp_path / "in", tmp_path / "in", settings(), workers=1)
