"""Files of torch.save that are not what they should be: one sentence, before they cost memory."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch

from clinner_spacy.checkpoints import load_checkpoint
from clinner_spacy.checkpoints.relations import load_relations, split_state
from clinner_spacy.encoders.torch_files import read_state
from clinner_spacy.errors import ClinnerError
from tests.tiny import save_dt4h, save_relations, save_tagger

EMBEDDINGS = "encoder.embeddings.word_embeddings.weight"


def compress(source: Path, target: Path) -> Path:
    with zipfile.ZipFile(source) as plain, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed:
        for part in plain.infolist():
            packed.writestr(part.filename, plain.read(part))
    return target


@pytest.mark.parametrize("name", ["mtl.pt", "pytorch_model.bin"])
def test_a_bomb_costs_nothing(tmp_path: Path, name: str) -> None:
    folder = save_tagger(tmp_path / "tagger")
    (folder / "model.safetensors").unlink()
    torch.save({"encoder.x": torch.zeros(100_000_000)}, tmp_path / "large.pt")
    bomb = compress(tmp_path / "large.pt", folder / name)
    (tmp_path / "large.pt").unlink()
    assert bomb.stat().st_size < 2_000_000
    checkpoint = bomb if name.endswith(".pt") else folder
    script = (
        "import resource, sys\nfrom clinner_spacy.checkpoints import load_checkpoint\n"
        "from clinner_spacy.errors import ClinnerError\nimport torch, transformers\n"
        "import clinner_spacy.encoders.encoder\n"
        "used = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\nbefore = used()\n"
        "try:\n    load_checkpoint(sys.argv[1])\n"
        "except ClinnerError as error:\n    print('is compressed' in str(error), used() - before < 100_000)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(checkpoint)], capture_output=True, text=True, timeout=300)
    assert done.stdout.strip() == "True True", done.stdout + done.stderr[-2000:]


@pytest.mark.parametrize(
    "value",
    [
        torch.eye(3).to_sparse(),
        torch.eye(3).to_sparse_csr(),
        torch.empty(3, 3, device="meta"),
        torch.zeros(1).expand(1_000_000, 1_000_000),
        torch.quantize_per_tensor(torch.eye(3), 0.1, 0, torch.qint8),
    ],
    ids=["sparse", "csr", "meta", "expanded", "quantized"],
)
def test_tensors_without_numbers_of_their_own(tmp_path: Path, value: torch.Tensor) -> None:
    torch.save({"x": value}, tmp_path / "x.pt")
    with pytest.raises(ClinnerError, match=r"x\.pt (holds|is)"):
        read_state(tmp_path / "x.pt")


@pytest.mark.parametrize("shape", [(), (3,), (2, 3, 4)])
@pytest.mark.parametrize("key", [EMBEDDINGS, "classifiers.disease.weight", "classifiers.disease.bias"])
def test_shapes_of_other_numbers_of_axes(tmp_path: Path, key: str, shape: tuple[int, ...]) -> None:
    path = save_dt4h(tmp_path)
    state = torch.load(path, weights_only=True)
    if state[key].shape == shape:
        pytest.skip("its own shape")
    torch.save(state | {key: torch.zeros(shape)}, path)
    with pytest.raises(ClinnerError, match=r"mtl\.pt"):
        load_checkpoint(str(path), base_model=str(tmp_path / "base"))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("key", [EMBEDDINGS, "classifiers.disease.weight"])
def test_numbers_that_are_none(tmp_path: Path, key: str, value: float) -> None:
    path = save_dt4h(tmp_path)
    state = torch.load(path, weights_only=True)
    state[key][0, 0] = value
    torch.save(state, path)
    with pytest.raises(ClinnerError, match="no finite numbers"):
        load_checkpoint(str(path), base_model=str(tmp_path / "base"))


@pytest.mark.parametrize("key", ["layer_norm.weight", "linear.weight", "linear.bias"])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3, 4)])
def test_heads_of_relations(tmp_path: Path, key: str, shape: tuple[int, ...]) -> None:
    from clinner_spacy.checkpoints.relations import read_weights

    state = read_weights(save_relations(tmp_path))
    with pytest.raises(ClinnerError, match="shapes that do not fit"):
        split_state(state | {key: torch.zeros(shape)}, "it")


def test_an_index_that_names_files_elsewhere(tmp_path: Path) -> None:
    folder = save_relations(tmp_path / "re")
    (folder / "model.safetensors").unlink()
    for content in ("{", "[]", "{}", '{"weight_map": 5}', '{"weight_map": {"a": "../x.safetensors"}}', "\xff"):
        (folder / "model.safetensors.index.json").write_text(content, encoding="latin1")
        with pytest.raises(ClinnerError, match="no index of weights"):
            load_relations(str(folder))
