from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load
from thinc.api import Adam

from clinner_spacy.models.lstm import Sequential, from_bytes, lstm, to_bytes

LAYER = lstm(6, depth=2)


def sequences(lengths: list[int], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(sum(lengths), 6)).astype("f")


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=6))
def test_a_sequence_does_not_depend_on_those_beside_it(lengths):
    X = sequences(lengths)
    together = LAYER.predict((X, lengths))
    apart = [LAYER.predict((part, [len(part)])) for part in np.split(X, np.cumsum(lengths)[:-1])]
    assert np.allclose(together, np.concatenate(apart), atol=1e-5)


def test_both_directions_are_read():
    X = sequences([5])
    changed = X.copy()
    changed[2] += 1
    moved = np.abs(LAYER.predict((changed, [5])) - LAYER.predict((X, [5]))).max(axis=1)
    assert (moved > 1e-6).all()


def test_gradient():
    lengths = [3, 1, 4]
    X, weights = sequences(lengths), sequences(lengths, seed=1)
    _, backprop = LAYER.begin_update((X, lengths))
    found = backprop(weights)
    for at in [(0, 0), (3, 2), (7, 5)]:
        slopes = []
        for step in (1e-2, -1e-2):
            moved = X.copy()
            moved[at] += step
            slopes.append(float((LAYER.predict((moved, lengths)) * weights).sum()))
        assert found[at] == pytest.approx((slopes[0] - slopes[1]) / 2e-2, abs=1e-2)


def test_nothing_to_read():
    assert LAYER.predict((sequences([]), [])).shape == (0, 6)


def test_kept_as_safetensors():
    other = lstm(6, depth=2)
    assert not np.allclose(other.predict((sequences([4]), [4])), LAYER.predict((sequences([4]), [4])))
    other.from_bytes(LAYER.to_bytes())
    for same in (other, copy.deepcopy(LAYER)):
        assert np.array_equal(same.predict((sequences([4]), [4])), LAYER.predict((sequences([4]), [4])))
    assert load(LAYER.shims[0]._serialize_model(LAYER.shims[0]._model))


def test_averages_are_used():
    layer = lstm(4, depth=1)
    X = (sequences([3])[:, :4].copy(), [3])
    before = layer.predict(X)
    optimizer = Adam(0.1, use_averages=True)
    for _ in range(3):
        Y, backprop = layer.begin_update(X)
        backprop(np.ones_like(Y))
        layer.finish_update(optimizer)
        optimizer.step_schedules()
    after = layer.predict(X)
    assert not np.allclose(after, before)
    with layer.use_params(optimizer.averages):
        assert not np.allclose(layer.predict(X), after)
    assert np.array_equal(layer.predict(X), after)


@pytest.mark.parametrize("data", [b"nothing", to_bytes(Sequential(6, depth=1))], ids=["damaged", "depth"])
def test_other_weights_are_refused(data):
    with pytest.raises(ValueError, match="LSTM is another"):
        from_bytes(Sequential(6, depth=2), data, torch.device("cpu"))
