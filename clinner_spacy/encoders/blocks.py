"""Windows as blocks with context: each piece counts in one window, and a CRF sees every position of it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from clinner_spacy.encoders.pieces import ragged_range
from clinner_spacy.encoders.windows import Plan

Ints = NDArray[np.int64]

#: The word of a position that is nobody's reading: special tokens, pads and context.
NOBODY = -1


def plan_blocks(counts: Ints, lengths: Iterable[int], size: int, context: int) -> Plan:
    """Cut each document into blocks of ``size - 2 * context`` pieces, each read with ``context`` pieces on both sides.

    counts: int (n_words,), pieces a word, all 1. lengths: words a document. size: pieces a window, without special
    tokens. Before a document's first block stand pads that no piece sees; its end has none. Source: the inference of
    the Multi-Head CRF of IEETA.
    """
    block = size - 2 * context
    ends = np.cumsum(np.fromiter(lengths, dtype=np.int64))
    starts = np.append(0, ends[:-1]) if len(ends) else ends
    n_blocks = -(-(ends - starts) // block)
    doc = np.repeat(np.arange(len(ends)), n_blocks)
    first = starts[doc] + ragged_range(np.zeros_like(n_blocks), n_blocks) * block
    begin = np.maximum(first - context, starts[doc])
    end = np.minimum(first + block + context, ends[doc])
    word = np.arange(counts.sum())
    window = np.searchsorted(first, word, "right") - 1
    return Plan(begin, end, word, window, word - begin[window], context - (first - begin))


def every_position(plan: Plan, n_prefix: int, n_suffix: int) -> Plan:
    """The plan with a reading of every position of every window, in their order; ``word`` is NOBODY where only one
    of the plan's own readings would not stand."""
    pads = np.zeros(len(plan.begin), dtype=np.int64) if plan.pads is None else plan.pads
    before = n_prefix + pads
    lengths = before + plan.end - plan.begin + n_suffix
    offsets = np.cumsum(lengths) - lengths
    word = np.full(lengths.sum(), NOBODY)
    word[offsets[plan.window] + before[plan.window] + plan.piece] = plan.word
    window = np.repeat(np.arange(len(lengths)), lengths)
    return plan._replace(word=word, window=window, piece=ragged_range(-before, lengths))
