from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from clinner_spacy.encoders.batches import fill_batches, pack
from clinner_spacy.encoders.windows import plan_windows


@given(st.lists(st.integers(1, 50), max_size=40), st.integers(1, 200))
def test_pack_fills_up_to_the_budget(lengths, budget):
    lengths = np.asarray(lengths, dtype=np.int64)
    packed = list(pack(lengths, budget))
    assert sorted(n for part in packed for n in part.tolist()) == list(range(len(lengths)))
    assert all(len(part) == 1 or len(part) * lengths[part].max() <= budget for part in packed)


@given(st.lists(st.integers(0, 5), max_size=60), st.integers(5, 9), st.integers(0, 4), st.integers(1, 60))
def test_batches_hold_every_window_and_point_at_every_reading(counts, size, overlap, budget):
    counts = np.asarray(counts, dtype=np.int64)
    ids = np.arange(100, 100 + counts.sum())
    plan = plan_windows(counts, [len(counts)], size, overlap, every=True)
    first_pieces = 100 + np.cumsum(counts) - counts
    seen = []
    for batch in fill_batches(plan, ids, prefix=[1], suffix=[2, 3], pad=0, batch_tokens=budget):
        for row, length in zip(batch.ids, batch.lengths, strict=True):
            assert row[0] == 1
            assert row[length - 2 : length].tolist() == [2, 3]
            assert (row[length:] == 0).all()
            assert (np.diff(row[1 : length - 2]) == 1).all()
        words = plan.word[batch.readings]
        assert (batch.ids.ravel()[batch.pieces] == first_pieces[words]).all()
        seen += batch.readings.tolist()
    assert sorted(seen) == list(range(len(plan.word)))
