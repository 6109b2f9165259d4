from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import spacy
from typer.testing import CliRunner

from clinner_spacy.cli.app import app
from tests.tiny import TEXT, save_dt4h, save_tagger


def run(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return done.exit_code, done.output


def test_a_dt4h_file(tmp_path):
    file = save_dt4h(tmp_path)
    out = tmp_path / "new" / "pipeline"
    code, output = run("export", file, out, "--lang", "es", "--base-model", tmp_path / "base", "--precision", "fp32")
    assert (code, "disease (1), symptom (1)" in output) == (0, True), output
    file.unlink()
    nlp = spacy.load(out)
    doc = nlp(TEXT[0])
    assert nlp.lang == "es" and len(doc.spans["sc"])
    assert [path.name for path in out.parent.iterdir()] == ["pipeline"]
    assert not list(out.rglob("*.pkl")) and (out / "multiclin_ner" / "model.safetensors").is_file()


@pytest.mark.parametrize("kind", ["dt4h", "tagger"])
def test_no_folder_of_the_builder_goes_along(tmp_path, kind, monkeypatch):
    home = tmp_path / "home-of-the-builder"
    monkeypatch.chdir(tmp_path)
    if kind == "dt4h":
        checkpoint, base = save_dt4h(home), ("--base-model", home / "base")
    else:  # a path from here is one, too
        checkpoint, base = save_tagger(home / "tagger").relative_to(tmp_path), ()
    code, output = run("export", checkpoint, tmp_path / "out", "--lang", "es", *base)
    assert code == 0, output
    expected = spacy.load(tmp_path / "out")(TEXT[0])
    shutil.rmtree(home)
    assert names_in(tmp_path / "out", home.name) == []
    doc = spacy.load(tmp_path / "out")(TEXT[0])
    assert doc.spans["sc"].attrs["scores"].tolist() == expected.spans["sc"].attrs["scores"].tolist()
    assert spacy.load(tmp_path / "out").meta["sources"] == [{"name": "mtl.pt" if kind == "dt4h" else "tagger"}]


def names_in(folder: Path, name: str) -> list[str]:
    """The files, weights too, that hold a name."""
    return [path.name for path in folder.rglob("*") if path.is_file() and name.encode() in path.read_bytes()]


def test_one_head(tmp_path):
    file = save_dt4h(tmp_path, ("disease_es_classifier", "disease_it_classifier"))
    base = ("--base-model", tmp_path / "base")
    code, output = run("export", file, tmp_path / "sv", "--lang", "sv", *base)
    assert (code, "disease_es_ner, disease_it_ner" in output) == (1, True)
    assert not (tmp_path / "sv").exists()
    assert run("export", file, tmp_path / "it", "--lang", "it", *base)[0] == 0
    assert spacy.load(tmp_path / "it").get_pipe("multiclin_ner").tasks == {"disease": ["DISEASE"]}


def test_a_tagger_that_only_counts_its_tags(tmp_path):
    tagger = save_tagger(tmp_path / "tagger", "bert", ("LABEL_0", "LABEL_1", "LABEL_2"))
    tags = [part for tag in ("O", "B-DRUG", "I-DRUG") for part in ("--label", tag)]
    assert run("export", tagger, tmp_path / "out", "--task", "drug", *tags)[0] == 0
    assert spacy.load(tmp_path / "out").get_pipe("multiclin_ner").tasks == {"drug": ["DRUG"]}


def test_nothing_is_overwritten(tmp_path):
    code, output = run("export", save_dt4h(tmp_path), tmp_path, "--base-model", tmp_path / "base")
    assert (code, "is there already" in output) == (1, True)
