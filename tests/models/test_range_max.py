from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from thinc.api import NumpyOps

from clinner_spacy.models.range_max import RangeMax

OPS = NumpyOps()


@given(st.integers(1, 40), st.lists(st.tuples(st.integers(0, 39), st.integers(0, 20)), max_size=20))
@settings(max_examples=200, deadline=None)
def test_maxima_and_gradient_are_those_of_a_plain_comparison(n_rows, stretches):
    X = np.random.default_rng(n_rows).normal(size=(n_rows, 5)).astype("f")
    start = np.asarray([min(a, n_rows) for a, _ in stretches], dtype=np.int64)
    end = np.asarray([min(a + n, n_rows) for a, n in stretches], dtype=np.int64)
    longest = int((end - start).max(initial=1))
    maxima = RangeMax(OPS, X, longest, is_train=True)
    Y, rows = maxima(start, end)
    assert np.array_equal(RangeMax(OPS, X, longest, is_train=False)(start, end)[0], Y)
    expected = np.zeros_like(X)
    dY = np.random.default_rng(1).normal(size=Y.shape).astype("f")
    for n, (a, b) in enumerate(zip(start, end, strict=True)):
        assert np.array_equal(Y[n], X[a:b].max(axis=0) if b > a else np.zeros(5))
        if b > a:
            expected[a + X[a:b].argmax(axis=0), np.arange(5)] += dY[n]
    assert np.allclose(maxima.backprop(dY, rows), expected, atol=1e-6)
