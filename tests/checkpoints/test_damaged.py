"""Published formats that are damaged or do not fit: one sentence that says what was found, never another model."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from clinner_spacy.checkpoints import load_checkpoint
from clinner_spacy.errors import ClinnerError
from tests.checkpoints.test_families import SHORT, found
from tests.published import FAMILIES, cltl, crf, linear, multihead, ner_lab, save
from tests.tiny import config, tokenizer


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def change(path: Path, keys: Callable[[str], bool], change: Callable) -> list[str]:
    """Change tensors whose names are wanted (None leaves one out); returns their names."""
    file = path / "model.safetensors"
    weights = load_file(file)
    names = [name for name in weights if keys(name)]
    changed = {name: change(value) if name in names else value for name, value in weights.items()}
    save_file({name: value.contiguous() for name, value in changed.items() if value is not None}, file)
    return names


def is_head(name: str) -> bool:
    return "crf" in name or "classifier" in name or "dense_1" in name


DAMAGE: dict[str, Callable] = {
    "missing": lambda value: None,
    "a row more": lambda value: torch.cat([value, value[-1:]]),
    "of another rank": lambda value: value[None],
    "whole numbers": lambda value: value.to(torch.int64),
    "no numbers": lambda value: value / 0,
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("family", FAMILIES)
def test_each_tensor_of_a_head(family, damage, tmp_path):
    """Any tensor of a head that is damaged is told, by name or by what is then missing."""
    path = FAMILIES[family](tmp_path / "model")
    whole = (path / "model.safetensors").read_bytes()
    names = [name for name in load_file(path / "model.safetensors") if is_head(name)]
    assert names
    for name in names:
        change(path, name.__eq__, DAMAGE[damage])
        with pytest.raises(ClinnerError) as raised:
            load_checkpoint(str(path))
        assert "\n" not in str(raised.value) and str(raised.value).endswith((".", "?")), name
        (path / "model.safetensors").write_bytes(whole)


@pytest.mark.parametrize("family", FAMILIES)
def test_an_encoder_that_lacks_a_tensor(family, tmp_path):
    path = FAMILIES[family](tmp_path / "model")
    assert change(path, lambda name: "embeddings" in name and "word" in name, DAMAGE["missing"])
    with pytest.raises(ClinnerError):
        load_checkpoint(str(path))


@pytest.mark.parametrize("file", ["tokenizer.json", "config.json", "encoding.json", "model.safetensors"])
@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b"null", b'{"a": 1}', b"\xff\xfe"])
@pytest.mark.parametrize("family", FAMILIES)
def test_each_file(family, file, content, tmp_path):
    """A file that is missing, empty or of another kind."""
    path = FAMILIES[family](tmp_path / "model")
    if not (path / file).exists():
        pytest.skip("has no such file")
    if (family, file, content) == ("CRF of the BSC's ner_lab", "tokenizer.json", None):
        pytest.skip("that of its base is taken")
    (path / file).unlink() if content is None else (path / file).write_bytes(content)
    with pytest.raises(ClinnerError) as raised:
        load_checkpoint(str(path))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("family", FAMILIES)
def test_fields_of_a_config(family, tmp_path):
    """A field that is missing or of another kind is told, or makes no difference to what is read."""
    path = FAMILIES[family](tmp_path / "model")
    file = path / ("config.json" if (path / "config.json").exists() else "encoding.json")
    whole = json.loads(file.read_text())
    tasks = load_checkpoint(str(path)).tasks
    told = 0
    for key in whole:
        for value in (None, -1, "x", [], {"x": "y"}, 1.5, 10**9):
            file.write_text(json.dumps({**whole, key: value}))
            try:
                loaded = load_checkpoint(str(path))
            except ClinnerError as error:
                told += "\n" not in str(error)
            else:
                assert loaded.tasks == tasks, (key, value)
    assert told > 10


def test_what_does_not_fit_is_named(tmp_path):
    path = multihead(tmp_path / "a", classes=["SYMPTOM", "CHEMICAL"])
    with pytest.raises(ClinnerError, match="CHEMICAL_classifier"):
        found(path, SHORT)
    with pytest.raises(ClinnerError, match="no task 'drug'"):
        found(multihead(tmp_path / "b"), SHORT, task="drug")
    with pytest.raises(ClinnerError, match="pieces of the raw text"):
        found(multihead(tmp_path / "b"), SHORT, words="whitespace")
    heads = linear("classifier", 3) | crf("crf", 4)
    tags = {"id2label": {"0": "O", "1": "B-X", "2": "I-X"}}
    with pytest.raises(ClinnerError, match=r"crf.transitions .* \(4, 4\) .* \(3, 3\)"):
        found(save(tmp_path / "c", "roberta", "roberta", heads, tags), SHORT)
    with pytest.raises(ClinnerError, match=r"model type 'novel'.* other.weight"):
        found(save(tmp_path / "d", "roberta", "roberta", linear("other", 3), {"model_type": "novel"}), SHORT)


def test_tokenizer_of_another_model_is_named(tmp_path):
    path = multihead(tmp_path, "roberta", vocab_size=config("roberta").vocab_size - 1)
    with pytest.raises(ClinnerError, match=r"does not fit|do not belong together"):
        found(path, SHORT)


@pytest.mark.parametrize("made", [multihead, cltl], ids=["multi-head", "token classifier"])
def test_a_smaller_tokenizer_of_another_model_is_named(made, tmp_path):
    """Its pieces all have an embedding, of other pieces: mentions would be found at random."""
    path = made(tmp_path)
    tokenizer("bert").save(str(path / "tokenizer.json"))
    with pytest.raises(ClinnerError, match="do not belong together"):
        found(path, SHORT)
    whole = tokenizer("roberta")
    whole.save(str(path / "tokenizer.json"))
    few = json.loads((path / "tokenizer.json").read_text())
    few["model"]["vocab"] = dict(list(few["model"]["vocab"].items())[: whole.get_vocab_size() // 2 - 20])
    few["model"]["merges"] = []
    (path / "tokenizer.json").write_text(json.dumps(few))
    with pytest.raises(ClinnerError, match="do not belong together"):
        found(path, SHORT)


def test_ner_lab_as_a_bare_state_with_its_base_s_tokenizer(tmp_path):
    path = ner_lab(tmp_path / "model")
    expected = found(path, SHORT)
    (path / "tokenizer.json").rename(tmp_path / "model-base" / "tokenizer.json")
    assert found(path, SHORT) == expected
    torch.save(load_file(path / "model.safetensors"), path / "model.pt")
    (path / "model.safetensors").unlink()
    assert found(path, SHORT) == expected
    torch.save({}, path / "other.pt")
    with pytest.raises(ClinnerError, match=r"has no model\.safetensors"):
        found(path, SHORT)
