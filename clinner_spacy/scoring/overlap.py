"""For every span the best character-overlap F1 with any span of another set: exact, without comparing all with all.

A span is a point (start, end). The targets are packed into a tree of boxes (Leutenegger et al. 1997, "STR: a simple
and efficient algorithm for R-tree packing"); all queries go down it together, and a box is left as soon as nothing in
it can beat what a query already has (branch and bound). Near-linear in practice, also for many spans in one document.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

#: Children a box has.
FANOUT = 8
#: Pairs of query and box looked at in one go; bounds the memory.
PAIRS = 1 << 17


@dataclass
class _Boxes:
    """One level of the tree: in each box the least and greatest start, end and length, and a target of each length."""

    low_start: Ints
    high_start: Ints
    low_end: Ints
    high_end: Ints
    low_length: Ints
    high_length: Ints
    shortest: Ints
    longest: Ints


def best_overlaps(query_start: Ints, query_end: Ints, start: Ints, end: Ints) -> Floats:
    """The best character-overlap F1 of each query with any target; 0.0 where it overlaps none. Shape (queries,).

    Offsets are end exclusive; every span holds at least one character.
    """
    best = np.zeros(len(query_start))
    if not len(query_start) or not len(start):
        return best
    order = _packing(start, end)
    start, end = start[order], end[order]
    levels = _tree(start, end)
    bound_met = np.zeros(len(query_start))
    top = len(levels) - 1
    waiting = [(top, np.arange(len(query_start)), np.zeros(len(query_start), dtype=np.int64))]
    while waiting:
        level, query, box = waiting.pop()
        if len(query) > PAIRS:
            half = len(query) // 2
            waiting += [(level, query[half:], box[half:]), (level, query[:half], box[:half])]
            continue
        boxes = levels[level]
        bound = _bound(query_start[query], query_end[query], boxes, box)
        keep = bound > bound_met[query]
        query, box, bound = query[keep], box[keep], bound[keep]
        for target in (boxes.shortest[box], boxes.longest[box]) if level else (box,):
            score, ratio = _f1(query_start[query], query_end[query], start[target], end[target])
            np.maximum.at(best, query, score)
            np.maximum.at(bound_met, query, ratio)
        if level and len(query):
            keep = bound > bound_met[query]
            child = (box[keep, None] * FANOUT + np.arange(FANOUT)).ravel()
            query = np.repeat(query[keep], FANOUT)
            there = child < len(levels[level - 1].low_start)
            waiting.append((level - 1, query[there], child[there]))
    return best


def _packing(start: Ints, end: Ints) -> Ints:
    """An order in which neighbours have similar starts and ends: slabs by start, by end within a slab."""
    by_start = np.lexsort((end, start))
    slab = np.empty(len(start), dtype=np.int64)
    slab[by_start] = np.arange(len(start)) // max(1, int(np.sqrt(len(start) * FANOUT)))
    return np.lexsort((start, end, slab))


def _tree(start: Ints, end: Ints) -> list[_Boxes]:
    """Levels from the targets themselves (a box each) up to one box."""
    each = np.arange(len(start))
    length = end - start
    levels = [_Boxes(start, start, end, end, length, length, each, each)]
    while len(levels[-1].low_start) > 1:
        below = levels[-1]
        first = np.arange(0, len(below.low_start), FANOUT)
        shortest, longest = _least(below.shortest, length), _least(below.longest, -length)
        levels.append(
            _Boxes(
                np.minimum.reduceat(below.low_start, first),
                np.maximum.reduceat(below.high_start, first),
                np.minimum.reduceat(below.low_end, first),
                np.maximum.reduceat(below.high_end, first),
                length[shortest],
                length[longest],
                shortest,
                longest,
            )
        )
    return levels


def _least(target: Ints, key: Ints) -> Ints:
    """Of every FANOUT targets the one with the least key."""
    padded = np.append(target, np.repeat(target[-1], -len(target) % FANOUT)).reshape(-1, FANOUT)
    return padded[np.arange(len(padded)), np.argmin(key[padded], axis=1)]


def _bound(query_start: Ints, query_end: Ints, boxes: _Boxes, box: Ints) -> Floats:
    """An overlap ratio that no target in the box exceeds; for a box of one target its ratio itself.

    The ratio 2 * overlap / (both lengths) grows as a target's start and end come nearer to the query's, so the box's
    nearest corner bounds it; and an overlap is at most a target's length.
    """
    start = np.clip(query_start, boxes.low_start[box], boxes.high_start[box])
    end = np.clip(query_end, boxes.low_end[box], boxes.high_end[box])
    length = query_end - query_start
    overlap = np.maximum(0, np.minimum(query_end, end) - np.maximum(query_start, start))
    within = np.minimum(overlap, boxes.high_length[box])
    return np.minimum(
        2 * overlap / (length + end - start), 2 * within / (length + np.maximum(within, boxes.low_length[box]))
    )


def _f1(query_start: Ints, query_end: Ints, start: Ints, end: Ints) -> tuple[Floats, Floats]:
    """Character-overlap F1 as the official evaluation computes it, and the same as a ratio (one rounding only)."""
    overlap = np.maximum(0, np.minimum(query_end, end) - np.maximum(query_start, start))
    precision, recall = overlap / (query_end - query_start), overlap / (end - start)
    score = 2 * precision * recall / np.where(overlap, precision + recall, 1)
    return score, 2 * overlap / (query_end - query_start + end - start)
