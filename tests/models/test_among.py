from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from thinc.api import fix_random_seed

from clinner_spacy.models.among import among, apart, other_way

pair_lists = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), unique=True, max_size=40)


def columns(pairs: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    table = np.asarray(pairs, dtype=np.int64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


@given(pair_lists)
def test_the_other_way_round(pairs):
    here, back = other_way(*columns(pairs))
    expected = {n: pairs.index((t, h)) for n, (h, t) in enumerate(pairs) if (t, h) in pairs}
    assert dict(zip(here.tolist(), back.tolist(), strict=True)) == expected


@given(pair_lists, st.integers(1, 10))
def test_parts_share_no_span(pairs, size):
    parts = [part.tolist() for part in apart(*columns(pairs), size)]
    assert sorted(n for part in parts for n in part) == list(range(len(pairs)))
    spans = [{span for n in part for span in pairs[n]} for part in parts]
    assert all(not a & b for i, a in enumerate(spans) for b in spans[:i])
    assert all(len(part) >= size for part in parts[:-1])


def test_parts_are_no_larger_than_they_must_be():
    heads = np.repeat(np.arange(0, 200, 2), 2)
    parts = list(apart(heads, heads + np.tile([0, 1], 100), 10))
    assert [len(part) for part in parts] == [10] * 20


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
