"""What users name as a model, and what a checkpoint that only counts its tags needs beside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import spacy
from spacy.language import Language
from typer.testing import CliRunner

from clinner_spacy.cli import app
from clinner_spacy.cli.model import build_nlp
from clinner_spacy.corpora.tsv import read_tsv
from clinner_spacy.errors import ClinnerError
from tests.cli.conftest import TEXT
from tests.tiny import save_relations, save_tagger

TAGS = ("--label", "O", "--label", "B-DRUG", "--label", "I-DRUG")


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A token classifier whose config calls its tags LABEL_0 to LABEL_2."""
    return save_tagger(tmp_path_factory.mktemp("counted"), "bert", ("LABEL_0", "LABEL_1", "LABEL_2"))


@pytest.fixture
def note(tmp_path: Path) -> Path:
    path = tmp_path / "note.txt"
    path.write_text(TEXT)
    return path


def invoke(command: str, model: Path | str, note: Path, *args: str) -> Any:
    rest = [str(model)] if command == "info" else [str(note), str(note.with_name("out.tsv")), "--model", str(model)]
    return CliRunner().invoke(app, [command, *rest, *args])


@pytest.mark.parametrize("command", ["predict", "render", "info"])
def test_tags_that_are_only_counted_are_named(command: str, counted: Path, note: Path) -> None:
    assert "say what they are" in invoke(command, counted, note).output
    assert "has 3 tags" in invoke(command, counted, note, *TAGS[:4]).output
    result = invoke(command, counted, note, *TAGS)
    assert result.exit_code == 0, result.output
    if command == "predict":
        assert {row[1] for row in read_tsv(note.with_name("out.tsv"))} <= {"DRUG"}
    else:
        shown = result.output if command == "info" else note.with_name("out.tsv").read_text()
        assert "DRUG" in shown


@pytest.mark.parametrize("command", ["predict", "render", "info"])
@pytest.mark.parametrize("option", [TAGS, ("--base-model", "x"), ("--revision", "x")])
@pytest.mark.parametrize("model", ["saved", "embedded"])
def test_a_saved_pipeline_has_no_use_for_them(
    command: str, option: tuple[str, ...], model: str, saved: Path, note: Path
) -> None:
    result = invoke(command, saved if model == "saved" else model, note, *option)
    assert (result.exit_code, result.output.count("\n")) == (1, 1)
    assert "is a saved pipeline" in result.output or "The embedded model" in result.output
    assert not note.with_name("out.tsv").exists()


@pytest.fixture
def related(saved: Path, tmp_path: Path) -> Language:
    """The saved pipeline and behind it a published relation model whose weights are not read yet."""
    nlp = spacy.load(saved)
    types = {"SYMPTOM": "DIS", "DISEASE": "DIS", "PROCEDURE": "CHE"}
    checkpoint = str(save_relations(tmp_path / "published"))
    nlp.add_pipe("clinical_relations", config={"checkpoint": checkpoint, "types": types, "threshold": 0.0})
    return nlp


def test_relations_run_where_and_as_asked(related: Language, tmp_path: Path) -> None:
    related.to_disk(folder := tmp_path / "related")
    component = build_nlp(str(folder), device="cpu", precision="bf16").get_pipe("clinical_relations")
    shim = component.model.shims[0]
    assert (shim.settings.device, shim.settings.precision) == ("cpu", "bf16")
    with pytest.raises(ClinnerError, match="cuda:99"):
        build_nlp(str(folder), device="cuda:99")


def test_relations_have_their_weights_before_processes_fork(
    related: Language, saved: Path, note: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clinner_spacy.cli.model._load", lambda folder: related)
    assert build_nlp(str(saved)).get_pipe("clinical_relations").model is not None
    table = note.with_name("found.rel.tsv")
    result = invoke("predict", saved, note, "--relations", str(table), "--n-process", "2")
    assert result.exit_code == 0, result.output
    assert table.read_text().count("\n") == 3  # a header and the two directions of a pair
