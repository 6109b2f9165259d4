"""``project.yml`` from corpus to package, on a few notes, with an interpreter that is on no path."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import spacy

from clinner_spacy.corpora.brat import write_brat
from clinner_spacy.corpora.multiclin import read_multiclin
from tests.layout import write_doses, write_split
from tests.pipeline.conftest import NOTES

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_workflow_all(tmp_path: Path) -> None:
    for split in ("train", "dev"):
        write_split(tmp_path / "corpora" / split, NOTES)
    done = run(tmp_path, "all", "--vars.train", "corpora/train", "--vars.dev", "corpora/dev")
    assert done.returncode == 0, done.stdout + done.stderr
    metrics = json.loads((tmp_path / "metrics" / "dev.json").read_text())
    assert metrics["spans_sc_f"] > 0.9 and metrics["disease_f"] == 1.0
    doc = spacy.load(tmp_path / "training" / "model-best")(NOTES[0][0])
    assert {(span.label_, span.text) for span in doc.spans["sc"]} == {
        ("SYMPTOM", "fiebre"),
        ("DISEASE", "diabetes mellitus tipo 2"),
    }
    (wheel,) = tmp_path.glob("packages/es_clinical-0.1.0/dist/*.whl")
    assert wheel.stat().st_size > 10_000


@pytest.mark.slow
def test_a_model_that_finds_nothing_is_not_packaged(tmp_path: Path) -> None:
    write_split(tmp_path / "split", NOTES)
    for part in ("train", "dev"):
        write_brat(tmp_path / part, read_multiclin(tmp_path / "split"))
    settings = "training.optimizer.learn_rate.initial_rate=0.0 training.dropout=0.25"
    paths = ("--vars.train", "train", "--vars.dev", "dev")
    done = run(tmp_path, "all", *paths, "--vars.epochs", "20", "--vars.settings", settings)
    assert done.returncode != 0
    assert "finds nothing right in the dev corpus (F 0.00)" in done.stderr
    assert not (tmp_path / "metrics" / "dev.json").exists() and not list(tmp_path.glob("packages/*"))
    assert spacy.util.load_config(tmp_path / "training" / "config.cfg")["training"]["dropout"] == 0.25


@pytest.mark.slow
def test_relations(tmp_path: Path) -> None:
    for split in ("train", "dev"):
        write_doses(tmp_path / "brat" / split)
    done = run(tmp_path, "relations", "--vars.relations", "brat")
    assert "| Has_Dose | 2 | 1.000 | 1.000 | 1.000 |" in done.stdout, done.stdout + done.stderr
    assert "clinical_relations" in spacy.load(tmp_path / "training" / "relations" / "model-best").pipe_names


@pytest.mark.slow
def test_assertion(tmp_path: Path) -> None:
    notes = [("Niega fiebre . Tiene tos", {"negation": ["Niega", "fiebre"], "uncertainty": []})] * 3
    for split in ("train", "dev"):
        folder = tmp_path / "corpora" / split
        write_split(folder, notes)
        for table in folder.glob("*-negation/tsv/*.tsv"):
            rows = table.read_text().replace("\tNEGATION\t", "\tNSCO\t").splitlines()
            table.write_text("".join((row.replace("NSCO", "NEG") if "Niega" in row else row) + "\n" for row in rows))
    done = run(
        tmp_path, "assertion", "--vars.negation_train", "corpora/train", "--vars.negation_dev", "corpora/dev"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    nlp = spacy.blank("es")
    nlp.add_pipe("clinical_assertion", config={"checkpoint": str(tmp_path / "training/assertion/model-best")})
    doc = nlp(notes[0][0])
    assert {(span.label_, span.text) for span in doc.spans["assertion"]} == {("NEG", "Niega"), ("NSCO", "fiebre")}


def run(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """Run a workflow or command of the project in ``folder``; its environment is not activated."""
    shutil.copy(ROOT / "project.yml", folder)
    for part in ("configs", "benchmarks"):
        shutil.copytree(ROOT / part, folder / part)
    own = Path(sys.executable).parent
    path = os.pathsep.join(part for part in os.environ["PATH"].split(os.pathsep) if Path(part) != own)
    command = [sys.executable, "-m", "spacy", "project", "run", args[0], str(folder), *args[1:]]
    return subprocess.run(command, env={**os.environ, "PATH": path}, capture_output=True, text=True)
