from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from clinner_spacy.models.pair_layers import HashEmbedding, RangeMaximum, group_maximum, ragged_range

ranges = st.lists(st.tuples(st.integers(0, 39), st.integers(0, 20)), max_size=20)


@given(st.integers(1, 40), ranges)
@settings(max_examples=100, deadline=None)
def test_maxima_over_ranges_and_their_gradient(n_rows, drawn):
    X = torch.from_numpy(np.random.default_rng(n_rows).normal(size=(n_rows, 5)).astype("f")).requires_grad_()
    pairs = [(min(a, n_rows), min(a + n, n_rows)) for a, n in drawn]
    start, end = torch.tensor(pairs, dtype=torch.long).reshape(-1, 2).T
    longest = max((b - a for a, b in pairs), default=1)
    Y = RangeMaximum(X, longest)(start, end)
    plain = [X[a:b].amax(0) if b > a else torch.zeros(5) for a, b in pairs]
    assert torch.equal(Y, torch.stack(plain) if plain else torch.zeros(0, 5))
    if any(b > a for a, b in pairs):
        weights = torch.randn(Y.shape)
        found, expected = (torch.autograd.grad((y * weights).sum(), X)[0] for y in (Y, torch.stack(plain)))
        assert torch.allclose(found, expected, atol=1e-5)


@given(st.lists(st.integers(0, 5), max_size=20))
def test_maxima_over_groups(drawn):
    X = torch.randn(len(drawn), 3)
    found = group_maximum(X, torch.tensor(drawn, dtype=torch.long), 6)
    for n in range(6):
        rows = [row for row, group in enumerate(drawn) if group == n]
        assert torch.equal(found[n], X[rows].amax(0) if rows else torch.zeros(3))


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 9)), max_size=10))
def test_ragged_range(drawn):
    starts, counts = torch.tensor(drawn, dtype=torch.long).reshape(-1, 2).T
    assert ragged_range(starts, counts).tolist() == [n for start, count in drawn for n in range(start, start + count)]


class TestHashEmbedding:
    def test_a_hash_has_its_vector_wherever_it_stands_in_its_column(self):
        layer = HashEmbedding(2, rows=50, width=4)
        hashes = torch.tensor([[1, 2], [3, 2], [-1, 2**63 - 1]])
        vectors = layer(hashes)
        assert torch.equal(vectors[0, 4:], vectors[1, 4:])
        assert torch.equal(layer(hashes[1:]), vectors[1:])
        assert not torch.equal(layer(torch.tensor([[1, 1]]))[0, :4], layer(torch.tensor([[1, 1]]))[0, 4:])

    def test_rows_are_used_evenly_and_hardly_ever_all_shared(self):
        layer = HashEmbedding(1, rows=100, width=8)
        hashes = torch.from_numpy(np.random.default_rng(0).integers(-(2**63), 2**63 - 1, (20000, 1)))
        vectors = layer(hashes)
        assert len(vectors.unique(dim=0)) > 19900
        vectors.sum().backward()
        used = layer.table.grad[:, 0]
        assert used.sum() == 4 * 20000 and used.min() / used.mean() > 0.8 and used.max() / used.mean() < 1.2


@pytest.mark.parametrize("n_columns", [1, 3])
def test_no_hashes(n_columns):
    assert HashEmbedding(n_columns, 10, 4)(torch.zeros(0, n_columns, dtype=torch.long)).shape == (0, n_columns * 4)
