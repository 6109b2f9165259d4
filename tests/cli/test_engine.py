from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clinner_spacy.cli.model import build_nlp
from clinner_spacy.tables.annotate import Annotate
from tests.cli.conftest import TEXT, Run
from tests.cli.processes import until
from tests.tables.files import same_findings

NOTES = pa.table({"note_id": [str(n) for n in range(30)], "text": [f"{TEXT} Nota {n}." for n in range(30)]})


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    pq.write_table(NOTES, tmp_path / "in" / "notes.parquet")
    return tmp_path / "in"


@pytest.mark.ray
def test_the_same_findings_as_without_it(run: Run, notes: Path, saved: Path, tmp_path: Path) -> None:
    options = ("--engine", "ray", "--workers", 2, "--lang", "es", "--assertion", "--task", "symptom")
    result = run("predict", notes, tmp_path / "out", *options)
    assert result.exit_code == 0, result.output
    assert result.output == ""
    found = pa.concat_tables(pq.read_table(part) for part in sorted((tmp_path / "out").iterdir()))
    nlp = build_nlp(str(saved), lang="es", assertion=True)
    assert same_findings(found, Annotate(lambda: nlp, tasks=["symptom"])(NOTES)) and len(found) >= 30
    again = run("predict", notes, tmp_path / "out", *options)
    assert again.exit_code == 1 and "exists already" in again.output


@pytest.mark.ray
@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--task", "gene"), "no task 'gene'"),
        (("--device", "cuda:9"), "--device cuda:9 is for transformer encoders"),
    ],
)
def test_a_pipeline_that_cannot_be_fails_before_anything_is_written(
    run: Run, notes: Path, tmp_path: Path, options: tuple[str, ...], sentence: str
) -> None:
    result = run("predict", notes, tmp_path / "out", "--engine", "ray", *options)
    assert result.exit_code == 1 and sentence in result.output, result.output
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


@pytest.mark.ray
def test_terminated(notes: Path, saved: Path, tmp_path: Path) -> None:
    command = ["predict", notes, tmp_path / "out", "--engine", "ray", "--model", saved]
    process = subprocess.Popen([sys.executable, "-m", "clinner_spacy", *map(str, command)])
    assert until(lambda: list(tmp_path.glob(".multiclin.*")), 60)
    time.sleep(3)
    process.terminate()
    assert process.wait(120) in (15, 143)  # while Ray starts, and later; it takes its time on a busy machine
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_without_ray(run: Run, notes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    result = run("predict", notes, tmp_path / "out", "--engine", "ray")
    assert result.exit_code == 1 and 'pip install "clinner-spacy[ray]"' in result.output


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--workers", 2), "--workers is for --engine ray"),
        (("--engine", "ray", "--n-process", 2), "--n-process has no effect with --engine ray"),
        (("--engine", "ray", "--overwrite"), "--overwrite has no effect with --engine ray"),
        (("--engine", "ray", "another"), "3 names are given"),
    ],
)
def test_options_without_effect(
    run: Run, notes: Path, tmp_path: Path, options: tuple[object, ...], sentence: str
) -> None:
    result = run("predict", notes, tmp_path / "out", *options)
    assert result.exit_code == 1 and sentence in result.output, result.output
    assert not (tmp_path / "out").exists()
