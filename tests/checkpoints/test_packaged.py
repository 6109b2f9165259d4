"""A checkpoint exported, packaged and installed runs where there is neither checkpoint nor network."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import spacy

from tests.pipeline.conftest import NOTES, gold, tagger, train
from tests.tiny import TEXT, save_dt4h, save_relations, save_tagger

RUN = """
import socket, sys
def refuse(*args, **kwargs): raise AssertionError("the network was asked for")
socket.socket.connect = socket.create_connection = refuse
import spacy
nlp = spacy.load(sys.argv[1])
doc = nlp(sys.argv[2])
print(nlp.lang, len(doc.spans["sc"]), len(doc._.relations) if doc.has_extension("relations") else 0)
"""


def sh(*command: object, **environment: str) -> str:
    done = subprocess.run(
        [str(part) for part in command], env=os.environ | environment, capture_output=True, text=True, timeout=500
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["dt4h", "tagger"])
def test_an_exported_checkpoint_as_a_package(tmp_path, kind):
    source, settings = tmp_path / "published", []
    if kind == "dt4h":
        checkpoint = save_dt4h(source)
        settings = ["--base-model", source / "base"]
    else:
        checkpoint = save_tagger(source)
    multiclin = (sys.executable, "-c", "from clinner_spacy.cli import main; main()")
    sh(*multiclin, "export", checkpoint, tmp_path / "pipeline", "--lang", "es", *settings)
    shutil.rmtree(source)
    lang, spans, _ = as_a_package(tmp_path, kind, TEXT[0])
    assert lang == "es" and int(spans) > 0


@pytest.mark.slow
def test_mentions_and_relations_as_a_package(tmp_path):
    nlp = spacy.blank("es")
    nlp.add_pipe("multiclin_ner", config={"checkpoint": None, "model": tagger()})
    train(nlp, [gold(nlp, *note) for note in NOTES])
    types = {"SYMPTOM": "DIS", "DISEASE": "DIS", "PROCEDURE": "CHE"}
    checkpoint = save_relations(tmp_path / "published")
    nlp.add_pipe("clinical_relations", config={"checkpoint": str(checkpoint), "types": types, "threshold": 0.0})
    nlp.to_disk(tmp_path / "pipeline")
    shutil.rmtree(checkpoint)
    assert as_a_package(tmp_path, "related", NOTES[0][0]) == ["es", "2", "2"]


def as_a_package(folder: Path, name: str, text: str) -> list[str]:
    """Package and install the pipeline in ``folder``; its language and how many spans and relations it finds."""
    (folder / "package").mkdir()
    package = (sys.executable, "-m", "spacy", "package", folder / "pipeline", folder / "package")
    sh(*package, "--name", name, "--version", "1.0.0", "--build", "none")
    sources = folder / "package" / f"es_{name}-1.0.0"
    assert "clinner-spacy" in (sources / "meta.json").read_text()
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation")
    sh(*pip, "--target", folder / "site", sources)
    run = (sys.executable, "-c", RUN, f"es_{name}", text)
    return sh(*run, PYTHONPATH=str(folder / "site"), HF_HUB_OFFLINE="1").split()
