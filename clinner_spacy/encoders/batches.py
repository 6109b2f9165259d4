"""Windows -> padded batches of like lengths, whatever documents they come from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clinner_spacy.encoders.pieces import ragged_range
from clinner_spacy.encoders.windows import Plan

Ints = NDArray[np.int64]


class Batch(NamedTuple):
    """One call of the encoder.

    ``ids``: int (n_windows, length), pieces with their special tokens, padded. ``lengths``: int (n_windows,), without
    padding. ``readings``: int (n_read,), positions in the plan's readings. ``pieces``: int (n_read,), where each is
    read, counted in the flattened ``ids``. ``hidden``: bool like ``ids``, True at pads that stand before a window's
    pieces, or None where there are none.
    """

    ids: Ints
    lengths: Ints
    readings: Ints
    pieces: Ints
    hidden: NDArray[np.bool_] | None = None


def pack(lengths: Ints, batch_tokens: int) -> Iterator[Ints]:
    """Windows, longest first, as many together as fit ``batch_tokens`` when padded, but at least one."""
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        n = max(1, batch_tokens // int(lengths[order[start]]))
        yield order[start : start + n]
        start += n


def fill_batches(
    plan: Plan, ids: Ints, prefix: list[int], suffix: list[int], pad: int, batch_tokens: int
) -> Iterator[Batch]:
    """Fill batches of at most ``batch_tokens`` tokens, special tokens and padding counted in.

    ids: int (n_pieces,), the pieces that the plan's windows lie over. In half precision a window's scores depend on
    those beside it, so windows of one length are put in order of what they hold, not of the documents.
    """
    n_prefix, n_suffix = len(prefix), len(suffix)
    by_content = np.asarray(
        sorted(range(len(plan.begin)), key=lambda n: ids[plan.begin[n] : plan.end[n]].tobytes()), dtype=np.int64
    )
    before = n_prefix + (np.zeros(len(plan.begin), dtype=np.int64) if plan.pads is None else plan.pads)
    counts = plan.end - plan.begin
    lengths = before + counts + n_suffix
    by_window = np.argsort(plan.window, kind="stable")
    readings = np.bincount(plan.window, minlength=len(lengths))
    offsets = np.cumsum(readings) - readings
    for windows in (by_content[some] for some in pack(lengths[by_content], batch_tokens)):
        size, inner, first = lengths[windows], counts[windows], before[windows]
        block = np.full((len(windows), int(size.max())), pad, dtype=np.int64)
        block[:, :n_prefix] = prefix
        row = np.repeat(np.arange(len(windows)), inner)
        block[row, ragged_range(first, inner)] = ids[ragged_range(plan.begin[windows], inner)]
        for n, special in enumerate(suffix):
            block[np.arange(len(windows)), first + inner + n] = special
        column = np.arange(block.shape[1])
        hidden = None if plan.pads is None else (column >= n_prefix) & (column < first[:, None])
        chosen = by_window[ragged_range(offsets[windows], readings[windows])]
        row = np.repeat(np.arange(len(windows)), readings[windows])
        yield Batch(block, size, chosen, row * block.shape[1] + first[row] + plan.piece[chosen], hidden)
