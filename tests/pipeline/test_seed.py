"""``training.seed`` reaches every random choice: the same seed gives the same weights bit for bit, another others."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
import spacy
from spacy.training.initialize import init_nlp
from spacy.training.loop import train
from spacy.util import load_config

from clinner_spacy.corpora.docbin import save_docs
from tests.layout import write_doses, write_split
from tests.pipeline.conftest import NOTES, gold
from tests.tiny import save_encoder

CONFIGS = Path(__file__).parents[2] / "configs"


def learned(config: str, seed: int, **overrides: Any) -> bytes:
    """The weights after a few steps."""
    settings = {
        **{"system.seed": seed, "system.gpu_allocator": None, "nlp.lang": "es"},
        **{"training.max_epochs": 0, "training.max_steps": 6, "training.eval_frequency": 2},
        "training.batcher.size": 12,
        "training.optimizer.learn_rate": 0.01,
    }
    nlp = init_nlp(load_config(CONFIGS / config, overrides=settings | overrides))
    train(nlp, None, stdout=io.StringIO(), stderr=io.StringIO())
    _, component = nlp.pipeline[0]
    return b"".join(
        node.get_param(name).tobytes()
        for node in component.model.walk()
        for name in node.param_names
        if node.has_param(name)
    ) + b"".join(shim.to_bytes() for node in component.model.walk() for shim in node.shims)


def settings_of(config: str, folder: Path) -> dict[str, Any]:
    if config == "embedded.cfg":
        nlp = spacy.blank("es")
        save_docs(folder / "train.spacy", [gold(nlp, *note).reference for note in NOTES])
        paths = {f"corpora.{part}.paths": [str(folder / "train.spacy")] for part in ("train", "dev")}
        at = "components.multiclin_ner.model.tok2vec"
        small = {f"{at}.embed.rows": 50, f"{at}.encode.depth": 2, f"{at}.encode.dilations": [1, 2]}
        return paths | small
    if config == "relations.cfg":
        corpus = str(write_doses(folder / "brat"))
        return {"paths.train": corpus, "paths.dev": corpus, "components.clinical_relations.negatives": 0.5}
    corpus = str(write_split(folder / "corpus-train", NOTES))
    return {
        **{"paths.train": corpus, "paths.dev": corpus},
        "paths.encoder": str(save_encoder(folder / "encoder")),
        "components.multiclin_ner.model.tok2vec.window": 64,
    }


@pytest.mark.parametrize("config", ["embedded.cfg", "relations.cfg", "xlmr.cfg"])
def test_the_seed_decides_all(config, tmp_path):
    settings = settings_of(config, tmp_path)
    first = learned(config, 1, **settings)
    assert learned(config, 1, **settings) == first
    assert learned(config, 2, **settings) != first
