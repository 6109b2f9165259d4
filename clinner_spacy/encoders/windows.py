"""Where an encoder's windows lie over a text's pieces, and which window each word is read in.

Windows lie on a grid of ``size - overlap`` pieces. A window may begin or end inside a word: such a piece of a word is
only context, for a word is read where it stands whole. Where the overlap is too short for that, the next window
begins earlier, at the word's start. So nothing is cut, and a word is never split.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clinner_spacy.encoders.pieces import ragged_range

Ints = NDArray[np.int64]


class Plan(NamedTuple):
    """Windows over the pieces of a batch, and the readings of its words in them.

    ``begin``, ``end``: int (n_windows,), pieces of the batch. ``word``, ``window``, ``piece``: int (n_readings,), the
    word that is read, the window it is read in, and its first piece, counted from the window's first. Readings are
    sorted by word, then by window; words without pieces have none. ``pads``: int (n_windows,), pads that stand before
    a window's pieces and that no piece sees, or None where there are none.
    """

    begin: Ints
    end: Ints
    word: Ints
    window: Ints
    piece: Ints
    pads: Ints | None = None


def plan_windows(counts: Ints, lengths: Iterable[int], size: int, overlap: int, every: bool) -> Plan:
    """Cover each segment of words (a document or a sentence) by windows of its own.

    counts: int (n_words,), pieces a word, none above ``size``. lengths: words a segment. size: pieces a window, without
    special tokens. overlap: pieces that two neighbouring windows share, less than ``size``. every: read a word in every
    window that holds it whole; else only in the one where it has most context.
    """
    ends = np.cumsum(counts)
    starts = ends - counts
    begins: list[Ints] = []
    stops: list[Ints] = []
    first = np.zeros(len(counts), dtype=np.int64)
    last = np.full(len(counts), -1, dtype=np.int64)
    word = n_windows = 0
    for length in lengths:
        words = slice(word, word + length)
        word += length
        begin, end = cut(starts[words], ends[words], size, overlap)
        if len(begin):
            first[words] = n_windows + np.searchsorted(end, ends[words], "left")
            last[words] = n_windows + np.searchsorted(begin, starts[words], "right") - 1
            begins.append(begin)
            stops.append(end)
            n_windows += len(begin)
    begin = np.concatenate(begins) if begins else np.empty(0, dtype=np.int64)
    end = np.concatenate(stops) if stops else np.empty(0, dtype=np.int64)
    shown = np.flatnonzero(counts)
    if not every:
        first[shown] = last[shown] = _most_context(starts[shown], ends[shown], first[shown], last[shown], begin, end)
    readings = (last - first + 1)[shown]
    read = np.repeat(shown, readings)
    window = ragged_range(first[shown], readings)
    return Plan(begin, end, read, window, starts[read] - begin[window])


def cut(starts: Ints, ends: Ints, size: int, overlap: int) -> tuple[Ints, Ints]:
    """The windows (begin, end) over one segment, whose words have their pieces at ``starts`` to ``ends``."""
    if not len(starts) or starts[0] == ends[-1]:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    begin, total = int(starts[0]), int(ends[-1])
    begins = [begin]
    while begin + size < total:
        not_whole = starts[np.searchsorted(ends, begin + size, "right")]
        begin = min(begin + size - overlap, int(not_whole))
        begins.append(begin)
    found = np.asarray(begins, dtype=np.int64)
    return found, np.minimum(found + size, total)


def _most_context(starts: Ints, ends: Ints, first: Ints, last: Ints, begin: Ints, end: Ints) -> Ints:
    """Of the windows ``first`` to ``last`` that hold a word, the one whose nearer edge is farthest from it.

    The outer edges of a segment count as they are, too: all windows that share a word lie between the same two.
    """
    counts = last - first + 1
    window = ragged_range(first, counts)
    context = np.minimum(np.repeat(starts, counts) - begin[window], end[window] - np.repeat(ends, counts))
    best = np.maximum.reduceat(context, np.cumsum(counts) - counts) if len(counts) else context
    owner = np.repeat(np.arange(len(counts)), counts)
    chosen = np.flatnonzero(context == best[owner])
    # The first of equals: later ones are overwritten by going backwards.
    result = first.copy()
    result[owner[chosen[::-1]]] = window[chosen[::-1]]
    return result
