"""A config that asks for more than its weights are costs neither memory nor time."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import srsly

from clinner_spacy.checkpoints import load_checkpoint
from clinner_spacy.checkpoints.relations import load_relations
from clinner_spacy.encoders.config_size import check_counts
from clinner_spacy.encoders.encoder import read_encoder
from clinner_spacy.encoders.saved import encoder_from_bytes, encoder_to_bytes
from clinner_spacy.errors import ClinnerError
from tests.tiny import save_encoder, save_relations, save_tagger


def edit(path: Path, **fields: int) -> str:
    srsly.write_json(path / "config.json", srsly.read_json(path / "config.json") | fields)
    return str(path)


@pytest.mark.parametrize(
    ("field", "value", "what"),
    [
        ("hidden_size", 10_000, "numbers, but the weights beside it have"),
        ("vocab_size", 200_000_000, "numbers, but the weights beside it have"),
        ("num_labels", 2_000_000, "it has num_labels=2000000 where 100000 is the most"),
        ("num_hidden_layers", 3_000, "it has num_hidden_layers=3000 where 1000 is the most"),
    ],
)
def test_a_tagger(tmp_path: Path, field: str, value: int, what: str) -> None:
    path = edit(save_tagger(tmp_path / "tagger", "bert"), **{field: value})
    begin = time.monotonic()
    with pytest.raises(ClinnerError, match=what):
        load_checkpoint(path)
    assert time.monotonic() - begin < 5


def test_relations(tmp_path: Path) -> None:
    path = edit(save_relations(tmp_path / "re"), num_hidden_layers=3_000)
    with pytest.raises(ClinnerError, match="num_hidden_layers=3000"):
        load_relations(path)


def test_a_saved_encoder(tmp_path: Path) -> None:
    state = srsly.msgpack_loads(encoder_to_bytes(read_encoder(save_encoder(tmp_path / "encoder"))))
    state["config"] = srsly.json_dumps(srsly.json_loads(state["config"]) | {"num_hidden_layers": 3_000})
    with pytest.raises(ClinnerError, match="num_hidden_layers=3000"):
        encoder_from_bytes(srsly.msgpack_dumps(state))


def test_what_encoders_have() -> None:
    check_counts({"num_hidden_layers": 96, "num_labels": 1_000, "vocab_size": 1_000_000})
