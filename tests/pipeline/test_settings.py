"""A setting without effect is refused, in one sentence that names it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import spacy

from clinner_spacy.checkpoints import load_checkpoint
from clinner_spacy.encoders.settings import EncoderSettings
from clinner_spacy.errors import ClinnerError
from tests.pipeline.conftest import tagger
from tests.tiny import save_dt4h, save_tagger

SETTINGS: dict[str, Any] = {
    "base_model": "org/base",
    "revision": "v1",
    "labels": ["O", "B-X", "I-X"],
    "window": 0,
    "overlap": 8,
    "precision": "fp32",
    "device": "cpu",
    "batch_tokens": 512,
    "local_files_only": True,
}


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("config", [{}, {"checkpoint": None, "model": tagger()}], ids=["embedded", "model"])
def test_settings_of_checkpoints_where_there_is_none(name: str, config: dict[str, Any]) -> None:
    with pytest.raises(ClinnerError, match=rf"has no use for {name}=.*; leave it out\.$"):
        spacy.blank("es").add_pipe("multiclin_ner", config={**config, name: SETTINGS[name]})


def test_task_beside_a_model() -> None:
    with pytest.raises(ClinnerError, match="has no use for task='disease'"):
        spacy.blank("es").add_pipe(
            "multiclin_ner", config={"checkpoint": None, "model": tagger(), "task": "disease"}
        )


@pytest.mark.parametrize(
    "name", ["base_model", "revision", "types", "window", "precision", "device", "batch_tokens", "local_files_only"]
)
def test_settings_of_published_relations_beside_a_model(name: str) -> None:
    model = {"@architectures": "clinner.SpanPairs.v1", "tok2vec": tagger()["tok2vec"]}
    value = SETTINGS.get(name, {"DRUG": "CHE"})
    with pytest.raises(ClinnerError, match=f"has no use for {name}="):
        spacy.blank("es").add_pipe("clinical_relations", config={"model": model, name: value})


def test_settings_of_another_format(tmp_path: Path) -> None:
    folder, file = str(save_tagger(tmp_path / "tagger", "bert")), str(save_dt4h(tmp_path))
    base = str(tmp_path / "base")
    for name, settings in (
        (folder, {"settings": EncoderSettings(revision="v1")}),
        (folder, {"base_model": base}),
        (file, {"base_model": base, "labels": ["O"]}),
        ("embedded", {"settings": EncoderSettings(window=128)}),
    ):
        with pytest.raises(ClinnerError, match="has no use for"):
            load_checkpoint(name, **settings)
