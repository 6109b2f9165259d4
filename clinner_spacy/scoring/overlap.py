"""For every span the best character-overlap F1 with any span of another set: exact, without comparing all with all.

Targets are sorted by start, those of a like length together: what can overlap a query then stands in one run of each
length, which a binary search finds, and a long span here and there makes no other run longer.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

#: Pairs of query and target compared in one go; bounds the memory.
PAIRS = 1 << 20


def best_overlaps(query_start: Ints, query_end: Ints, start: Ints, end: Ints) -> Floats:
    """The best character-overlap F1 of each query with any target; 0.0 where it overlaps none. Shape (queries,).

    Offsets are end exclusive; every span holds at least one character.
    """
    best = np.zeros(len(query_start))
    order = np.argsort(start, kind="stable")
    start, end = start[order], end[order]
    magnitude = np.frexp(end - start)[1]
    for kind in np.unique(magnitude):
        of_kind = magnitude == kind
        s, e = start[of_kind], end[of_kind]
        first = np.searchsorted(s, query_start - (e - s).max(), side="right")
        count = np.searchsorted(s, query_end) - first
        queries = np.flatnonzero(count)
        so_far = np.cumsum(count[queries])
        while len(queries):
            n = max(1, int(np.searchsorted(so_far, PAIRS, side="right")))
            some, queries, so_far = queries[:n], queries[n:], so_far[n:] - so_far[n - 1]
            runs = np.cumsum(count[some]) - count[some]
            query = np.repeat(some, count[some])
            target = np.arange(len(query)) + np.repeat(first[some] - runs, count[some])
            scores = _f1(query_start[query], query_end[query], s[target], e[target])
            best[some] = np.maximum(best[some], np.maximum.reduceat(scores, runs))
    return best


def _f1(query_start: Ints, query_end: Ints, start: Ints, end: Ints) -> Floats:
    """Character-overlap F1 as the official evaluation computes it."""
    overlap = np.maximum(0, np.minimum(query_end, end) - np.maximum(query_start, start))
    precision, recall = overlap / (query_end - query_start), overlap / (end - start)
    return 2 * precision * recall / np.where(overlap, precision + recall, 1)
