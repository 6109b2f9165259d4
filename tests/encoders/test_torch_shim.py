from __future__ import annotations

import copy

import numpy as np
import pytest
from safetensors.torch import load
from thinc.api import Adam, Model
from thinc.util import torch2xp, xp2torch
from torch import nn

from clinner_spacy.encoders.torch_shim import ModuleShim


def build(n_inputs: int, n_outputs: int) -> nn.Module:
    return nn.Linear(n_inputs, n_outputs)


def forward(model: Model, X: np.ndarray, is_train: bool):
    Y = model.shims[0].module(xp2torch(X))
    return torch2xp(Y.detach()), lambda dY: Y.backward(xp2torch(dY))


def linear(**sizes: int) -> Model:
    shim = ModuleShim(build)
    if sizes:
        shim.fill(**sizes)
    return Model("linear", forward, shims=[shim])


X = np.random.default_rng(0).normal(size=(5, 3)).astype("f")


def test_updated_by_thincs_optimizer_with_its_averages():
    layer = linear(n_inputs=3, n_outputs=2)
    before = layer.predict(X)
    optimizer = Adam(0.1, use_averages=True)
    for _ in range(3):
        Y, backprop = layer.begin_update(X)
        backprop(np.ones_like(Y))
        layer.finish_update(optimizer)
        optimizer.step_schedules()
    after = layer.predict(X)
    assert after.sum() < before.sum()
    assert all(parameter.grad is None for parameter in layer.shims[0].module.parameters())
    with layer.use_params(optimizer.averages):
        averaged = layer.predict(X)
    assert not np.allclose(averaged, after)
    assert np.array_equal(layer.predict(X), after)


def test_kept_as_safetensors_with_its_sizes():
    layer = linear(n_inputs=3, n_outputs=2)
    other = linear()
    other.from_bytes(layer.to_bytes())
    for same in (other, copy.deepcopy(layer)):
        assert np.array_equal(same.predict(X), layer.predict(X))
    assert set(load(layer.shims[0].to_bytes())) == {"weight", "bias"}
    other.from_bytes(linear().to_bytes())
    assert np.array_equal(other.predict(X), layer.predict(X))  # nothing was kept of a module that was not built


@pytest.mark.parametrize("damage", ["another", "short", "no sizes"])
def test_other_weights_are_refused(damage):
    data = linear(n_inputs=3, n_outputs=2).shims[0].to_bytes()
    shim = ModuleShim(nn.LayerNorm) if damage == "another" else ModuleShim(build)
    data = {"another": data, "short": data[:-3], "no sizes": data.replace(b"n_inputs", b"n_absent")}[damage]
    with pytest.raises(ValueError, match="the weights are those of another module"):
        shim.from_bytes(data)
