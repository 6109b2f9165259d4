from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import spacy
import torch
from safetensors.torch import load_file, save_file

from clinner_spacy.checkpoints.relations import load_relations
from clinner_spacy.encoders.settings import EncoderSettings
from clinner_spacy.errors import ClinnerError
from clinner_spacy.relations.candidates import Limits, WordSpan, find_candidates
from tests.tiny import save_encoder, save_relations

DOC = spacy.blank("es")("Tratamiento con enalapril por hipertensión.")
PAIRS = [find_candidates(DOC, [WordSpan(2, 3, "CHE"), WordSpan(4, 5, "DIS")], Limits())]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return save_relations(tmp_path_factory.mktemp("published") / "mbert")


@pytest.fixture
def copy(folder, tmp_path) -> Path:
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


def logits(checkpoint: Path, **settings) -> np.ndarray:
    return load_relations(str(checkpoint), settings=EncoderSettings(precision="fp32"), **settings).model.predict(PAIRS)


def test_labels_and_codes_are_those_of_the_files(folder):
    loaded = load_relations(str(folder))
    assert loaded.labels == ["Has_Dose", "Used_for"]
    assert loaded.codes == ["CHE", "DIS", "LIV"]
    assert loaded.info["encoder"] == "bert"
    assert load_relations(str(folder), labels=["A", "B"]).labels == ["A", "B"]


@pytest.mark.parametrize("name", ["pytorch_model.bin", "weights.pt"])
def test_weights_as_torch_saves_them(folder, copy, name):
    state = load_file(copy / "model.safetensors")
    (copy / "model.safetensors").unlink()
    torch.save(state, copy / name)
    path = copy if name == "pytorch_model.bin" else copy / name
    assert np.array_equal(logits(path), logits(folder))


def test_a_base_model_gives_config_and_tokenizer(folder, tmp_path):
    (tmp_path / "lone.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    assert np.array_equal(logits(tmp_path / "lone.safetensors", base_model=str(folder)), logits(folder))


def test_the_architecture_names_nothing_of_this_machine(folder):
    architecture = load_relations(str(folder), settings=EncoderSettings(device="cpu")).architecture
    assert (architecture["name"], architecture["device"]) == ("mbert", None)


class TestErrors:
    def test_a_base_model_without_markers(self, folder, tmp_path):
        base = save_encoder(tmp_path / "base", "bert")
        with pytest.raises(ClinnerError, match="no markers <S:TYPE>"):
            load_relations(str(folder), base_model=str(base))

    @pytest.mark.parametrize("n", [2, 3])
    def test_labels_that_are_only_counted(self, tmp_path, n):
        copy = save_relations(tmp_path / "counted", labels=("A", "B", "C")[:n])
        config = json.loads((copy / "config.json").read_text())
        del config["id2label"], config["label2id"]
        (copy / "config.json").write_text(json.dumps(config))
        with pytest.raises(ClinnerError, match=rf"its {n} relations .* set `labels` to the names of its relations"):
            load_relations(str(copy))

    def test_too_few_labels(self, folder):
        with pytest.raises(ClinnerError, match="has 2 relations"):
            load_relations(str(folder), labels=["A"])

    @pytest.mark.parametrize("key", ["linear.bias", "layer_norm.weight"])
    def test_a_head_that_is_not_whole(self, copy, key):
        state = load_file(copy / "model.safetensors")
        del state[key]
        save_file(state, copy / "model.safetensors")
        with pytest.raises(ClinnerError, match=f"lacks {key}"):
            load_relations(str(copy))

    def test_an_encoder_that_is_not_whole(self, copy):
        state = load_file(copy / "model.safetensors")
        del state["bert.embeddings.LayerNorm.bias"]
        save_file(state, copy / "model.safetensors")
        with pytest.raises(ClinnerError, match=r"embeddings\.LayerNorm\.bias is missing"):
            load_relations(str(copy))

    @pytest.mark.parametrize(
        ("key", "message"),
        [("bert.embeddings.LayerNorm.bias", "LayerNorm.bias is torch.int8 where"), ("linear.weight", "is quantized")],
    )
    def test_quantized_weights(self, copy, key, message):
        state = load_file(copy / "model.safetensors")
        torch.save(state | {key: state[key].to(torch.int8)}, copy / "quantized.pt")
        with pytest.raises(ClinnerError, match=message):
            load_relations(str(copy / "quantized.pt"))

    def test_damaged_weights(self, copy):
        (copy / "model.safetensors").write_bytes(b"\x80\x04")
        with pytest.raises(ClinnerError, match=r"model\.safetensors is no safetensors file"):
            load_relations(str(copy))

    def test_pickled_objects_are_refused(self, copy):
        torch.save({"bert": Path("x")}, copy / "pickled.pt")
        with pytest.raises(ClinnerError, match="run code"):
            load_relations(str(copy / "pickled.pt"))

    def test_no_weights(self, copy):
        (copy / "model.safetensors").unlink()
        with pytest.raises(ClinnerError, match=r"has no model\.safetensors"):
            load_relations(str(copy))
