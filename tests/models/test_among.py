from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from thinc.api import fix_random_seed

from clinner_spacy.models.among import among, in_parts, other_way

pair_lists = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), unique=True, max_size=40)


def columns(pairs: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    table = np.asarray(pairs, dtype=np.int64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


@given(pair_lists)
def test_the_other_way_round(pairs):
    expected = [pairs.index((t, h)) if (t, h) in pairs else -1 for h, t in pairs]
    assert other_way(*columns(pairs)).tolist() == expected


@given(pair_lists.filter(len), st.integers(1, 10))
def test_parts_are_the_same_as_all_at_once(pairs, size):
    layer = among(3)
    layer.initialize()
    X = (np.random.default_rng(0).normal(size=(len(pairs), 3)).astype("f"), *columns(pairs))
    parts = [Y for _, Y in in_parts(layer, X, size)]
    assert all(len(part) == size for part in parts[:-1])
    assert np.allclose(np.concatenate(parts), layer.predict(X), atol=1e-5)


def test_what_a_pair_sees():
    layer = among(1)
    layer.initialize()
    layer.layers[0].set_param("W", np.asarray([[100.0, 10.0, 1.0]], dtype="f"))
    heads, tails = np.asarray([0, 0, 1]), np.asarray([1, 2, 0])
    H = np.asarray([[1.0], [2.0], [3.0]], dtype="f")
    # Itself, and 100 x the largest of its head, 10 x that of its tail, 1 x the pair the other way round.
    expected = [[1 + 200 + 10 + 3], [2 + 200 + 20 + 0], [3 + 300 + 30 + 1]]
    assert np.allclose(layer.predict((H, heads, tails)), expected)


@pytest.mark.parametrize("pairs", [[(0, 1), (1, 0), (0, 2), (3, 2)], [(5, 6)]])
def test_gradient(pairs):
    fix_random_seed(0)
    layer = among(4)
    layer.initialize()
    random = np.random.default_rng(0)
    heads, tails = columns(pairs)
    H, weights = (random.normal(size=(len(pairs), 4)).astype("f") for _ in range(2))
    _, backprop = layer.begin_update((H, heads, tails))
    found = backprop(weights)
    for at in np.ndindex(H.shape):
        slopes = []
        for step in (1e-2, -1e-2):
            moved = H.copy()
            moved[at] += step
            slopes.append(float((layer.predict((moved, heads, tails)) * weights).sum()))
        assert found[at] == pytest.approx((slopes[0] - slopes[1]) / 2e-2, abs=1e-2)
