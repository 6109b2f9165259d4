"""A small trained pipeline on disk, and a way to run commands on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import spacy
from typer.testing import CliRunner

from clinner_spacy.cli import app
from tests.pipeline.conftest import NOTES, gold, tagger, train

TEXT = NOTES[0][0]

#: What it gives is the Result of Typer's test runner.
Run = Callable[..., Any]


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a Spanish pipeline that has learned three notes by heart."""
    nlp = spacy.blank("es")
    nlp.add_pipe("multiclin_ner", config={"checkpoint": None, "model": tagger()})
    train(nlp, [gold(nlp, *note) for note in NOTES])
    nlp.meta.update({"name": "by_heart", "license": "CC BY 4.0"})
    nlp.to_disk(path := tmp_path_factory.mktemp("model") / "by_heart")
    return path


@pytest.fixture
def run(saved: Path) -> Run:
    """Run a command, with the saved pipeline as its model unless another is given."""

    def invoke(command: str, *args: object, model: Path = saved, input: bytes | None = None) -> Any:
        return CliRunner().invoke(app, [command, *map(str, args), "--model", str(model)], input=input)

    return invoke
