"""Blocks with context: every piece counts once, and is read with what stands around it."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from clinner_spacy.encoders.blocks import NOBODY, every_position, plan_blocks


@given(st.lists(st.integers(0, 60), max_size=5), st.integers(0, 4), st.integers(1, 9))
def test_every_piece_counts_once_and_has_its_context(lengths, context, block):
    plan = plan_blocks(np.ones(sum(lengths), dtype=np.int64), lengths, block + 2 * context, context)
    assert plan.word.tolist() == list(range(sum(lengths)))
    ends = np.cumsum(lengths)
    for word, window, piece in zip(plan.word, plan.window, plan.piece, strict=True):
        doc = int(np.searchsorted(ends, word, "right"))
        begin, end = int(ends[doc]) - lengths[doc], int(ends[doc])
        first = begin + (word - begin) // block * block
        assert plan.begin[window] == max(first - context, begin)
        assert plan.end[window] == min(first + block + context, end)
        assert plan.pads[window] == context - (first - plan.begin[window])
        assert plan.begin[window] + piece == word


@given(st.lists(st.integers(0, 40), max_size=4))
def test_every_position_stands_in_order(lengths):
    plan = plan_blocks(np.ones(sum(lengths), dtype=np.int64), lengths, 9, 2)
    every = every_position(plan, 1, 1)
    assert every.word[every.word != NOBODY].tolist() == plan.word.tolist()
    assert len(every.word) == (1 + plan.pads + plan.end - plan.begin + 1).sum()
    assert (np.diff(every.window) >= 0).all()
