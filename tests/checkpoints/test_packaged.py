"""A checkpoint exported, packaged and installed runs where there is neither checkpoint nor network."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from tests.tiny import TEXT, save_dt4h, save_tagger

RUN = """
import socket, sys
def refuse(*args, **kwargs): raise AssertionError("the network was asked for")
socket.socket.connect = socket.create_connection = refuse
import spacy
nlp = spacy.load(sys.argv[1])
doc = nlp(sys.argv[2])
print(nlp.lang, len(doc.spans["sc"]) > 0)
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
    (tmp_path / "package").mkdir()
    package = (sys.executable, "-m", "spacy", "package", tmp_path / "pipeline", tmp_path / "package")
    sh(*package, "--name", kind, "--version", "1.0.0", "--build", "none")
    sources = tmp_path / "package" / f"es_{kind}-1.0.0"
    assert "clinner-spacy" in (sources / "meta.json").read_text()
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation")
    sh(*pip, "--target", tmp_path / "site", sources)
    found = sh(sys.executable, "-c", RUN, f"es_{kind}", TEXT[0], PYTHONPATH=str(tmp_path / "site"), HF_HUB_OFFLINE="1")
    assert found.split() == ["es", "True"]
