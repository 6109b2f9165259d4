"""Parameters to safetensors and back, and files that are something else."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import save
from thinc.api import Linear, Maxout, chain

from clinner_spacy.errors import ClinnerError
from clinner_spacy.models.weights import model_from_bytes, model_to_bytes, pack, unpack


def network(width: int = 4):
    return chain(Maxout(width, 3, dropout=0.2, normalize=True), Maxout(2, width))


def test_round_trip():
    model = network().initialize()
    model.layers[0].attrs["note"] = "kept"
    back = model_from_bytes(network(), model_to_bytes(model), "it")
    X = np.ones((5, 3), dtype="f")
    assert (back.predict(X) == model.predict(X)).all()
    assert model_to_bytes(back) == model_to_bytes(model)


@pytest.mark.parametrize("view", [np.transpose, lambda value: value[::-1]])
def test_parameters_of_another_memory_order(view):
    model = Linear(4, 4).initialize()
    model.set_param("W", view(np.arange(16, dtype="f").reshape(4, 4)))
    back = model_from_bytes(Linear(4, 4), model_to_bytes(model), "it")
    assert (back.get_param("W") == model.get_param("W")).all()


def test_half_precision_is_float32_in_memory():
    model = network().initialize()
    tensors, state = unpack(model_to_bytes(model), "it")
    half = pack({key: value.astype(np.float16) for key, value in tensors.items()}, state)
    back = model_from_bytes(network(), half, "it")
    assert model_to_bytes(back) == half  # and stays half on disk
    X = np.ones((5, 3), dtype="f")
    assert back.predict(X).dtype == np.float32
    assert np.allclose(back.predict(X), model.predict(X), atol=1e-2)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", save({"x": np.ones(1)})], ids=["empty", "zip", "no metadata"])
def test_no_saved_model(data):
    with pytest.raises(ClinnerError, match=r"weights\.safetensors is no saved model"):
        model_from_bytes(network(), data, "weights.safetensors")


def test_another_architecture():
    with pytest.raises(ClinnerError, match="another architecture"):
        model_from_bytes(network(width=5), model_to_bytes(network().initialize()), "it")
