"""``project.yml`` from corpus to package, on three notes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import spacy

from tests.layout import write_doses, write_split
from tests.pipeline.conftest import NOTES

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_workflow_all(tmp_path: Path) -> None:
    for split in ("train", "dev"):
        write_split(tmp_path / "corpora" / "Notes-es" / f"Notes-es-{split}", NOTES)
    overrides = ["--vars.corpora", "corpora", "--vars.corpus", "Notes-es", "--vars.max_steps", "60"]
    run(tmp_path, "all", *overrides)
    metrics = json.loads((tmp_path / "metrics" / "dev.json").read_text())
    assert {"spans_sc_f", "spans_sc_char_f"} <= set(metrics)
    doc = spacy.load(tmp_path / "training" / "model-best")(NOTES[0][0])
    assert "sc" in doc.spans
    assert list(tmp_path.glob("packages/es_clinical-0.1.0/dist/*.whl"))


@pytest.mark.slow
def test_relations(tmp_path: Path) -> None:
    for split in ("train", "dev"):
        write_doses(tmp_path / "brat" / split)
    assert "| Has_Dose | 2 |" in run(tmp_path, "relations", "--vars.relations", "brat")
    assert "clinical_relations" in spacy.load(tmp_path / "training" / "relations" / "model-best").pipe_names


@pytest.mark.slow
def test_assertion(tmp_path: Path) -> None:
    notes = [("Niega fiebre . Tiene tos", {"negation": ["Niega", "fiebre"], "uncertainty": []})] * 3
    for split in ("train", "dev"):
        folder = tmp_path / "corpora" / "Scopes-es" / f"Scopes-es-{split}"
        write_split(folder, notes)
        for table in folder.glob("*-negation/tsv/*.tsv"):
            rows = table.read_text().replace("\tNEGATION\t", "\tNSCO\t").splitlines()
            table.write_text("".join((row.replace("NSCO", "NEG") if "Niega" in row else row) + "\n" for row in rows))
    overrides = ["--vars.corpora", "corpora", "--vars.negation", "Scopes-es", "--vars.negation_steps", "60"]
    run(tmp_path, "assertion", *overrides)
    nlp = spacy.blank("es")
    nlp.add_pipe("clinical_assertion", config={"checkpoint": str(tmp_path / "training/assertion/model-best")})
    nlp.get_pipe("clinical_assertion").load()
    assert set(nlp.get_pipe("clinical_assertion").tagger.labels) == {"NEG", "NSCO"}


def run(folder: Path, *args: str) -> str:
    """Run a workflow or command of the project in ``folder``, and what it prints."""
    shutil.copy(ROOT / "project.yml", folder)
    for part in ("configs", "benchmarks"):
        shutil.copytree(ROOT / part, folder / part)
    # The project calls `python` and `multiclin` by name.
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    command = [sys.executable, "-m", "spacy", "project", "run", args[0], str(folder), *args[1:]]
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
