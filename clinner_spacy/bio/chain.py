"""A linear chain over the tags of one task: transition scores learned beside the tag scores.

Source: Lafferty, McCallum, Pereira (2001), "Conditional Random Fields". Sequences run side by side, one step in time
for all of them, so the Python loop is over the words of the longest sequence and not over all words.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Ints = NDArray[np.int64]

#: No probability is taken as smaller: keeps long sequences from underflow.
TINY = 1e-30


def illegal(n_tags: int) -> NDArray[np.bool_]:
    """bool (n_tags, n_tags): True where tag j may not follow tag i. ``I-X`` follows only ``B-X`` and ``I-X``."""
    tag = np.arange(n_tags)
    inside = (tag > 0) & (tag % 2 == 0)
    follows = (tag[:, None] == tag[None, :]) | (tag[:, None] == tag[None, :] - 1)
    return inside[None, :] & ~(follows & (tag[:, None] > 0))


def chain_loss(logits: Floats, tags: Ints, lengths: Ints, transitions: Floats) -> tuple[float, Floats, Floats]:
    """Negative log likelihood of the gold tags and its gradients.

    logits: float (n_words, n_tags), sequences one after another. tags: int (n_words,). lengths: int (n_sequences,), all
    above 0. transitions: float (n_tags, n_tags), from row to column.
    Returns the loss, its gradient by the logits (n_words, n_tags) and by the transitions (n_tags, n_tags).
    """
    grid = _Grid(lengths)
    weight = _exp(transitions)
    shift = logits.max(axis=1, keepdims=True)
    emit = grid.pad(np.exp(logits - shift))
    alpha, scale = np.zeros_like(emit), np.ones(emit.shape[:2], dtype=emit.dtype)
    emit[0] *= ~illegal(logits.shape[1])[0]
    for t, n in grid.steps():
        ahead = emit[t, :n] if t == 0 else emit[t, :n] * (alpha[t - 1, :n] @ weight)
        scale[t, :n] = np.maximum(ahead.sum(axis=1), TINY)
        alpha[t, :n] = ahead / scale[t, :n, None]
    beta = np.ones_like(emit)
    for t, n in reversed(list(grid.steps())[1:]):
        beta[t - 1, :n] = ((emit[t, :n] * beta[t, :n]) @ weight.T) / scale[t, :n, None]
    marginals = grid.flat(alpha * beta)
    marginals /= marginals.sum(axis=1, keepdims=True)
    before, after = alpha[:-1], emit[1:] * beta[1:] / scale[1:, :, None] * grid.mask[1:, :, None]
    pairs = np.einsum("tsi,tsj->ij", before, after) * weight
    gold = np.arange(len(tags))
    follows = np.ones(len(tags), dtype=bool)
    follows[grid.starts] = False
    pair = (tags[np.flatnonzero(follows) - 1], tags[follows])
    path = float((logits[gold, tags]).sum() + transitions[pair].sum())
    loss = float(np.log(grid.flat(scale[..., None])).sum() + shift.sum()) - path
    marginals[gold, tags] -= 1.0
    np.subtract.at(pairs, pair, 1.0)
    return loss, marginals, pairs


def best_path(logits: Floats, lengths: Ints, transitions: Floats) -> Ints:
    """The legal sequence of tags with the highest score for each sequence (Viterbi): int (n_words,)."""
    grid = _Grid(lengths)
    forbidden = illegal(logits.shape[1])
    weight = np.where(forbidden, -np.inf, transitions)
    best = grid.pad(logits)
    best[0, :, forbidden[0]] = -np.inf
    back = np.zeros(best.shape, dtype=np.int64)
    for t, n in grid.steps():
        if t:
            options = best[t - 1, :n, :, None] + weight
            back[t, :n] = options.argmax(axis=1)
            best[t, :n] += options.max(axis=1)
    tags = np.zeros(best.shape[:2], dtype=np.int64)
    rows = np.arange(best.shape[1])
    tag = np.zeros(best.shape[1], dtype=np.int64)
    for t, n in reversed(list(grid.steps())):
        ends = slice(grid.active[t + 1] if t + 1 < len(grid.active) else 0, n)
        tag[ends] = best[t, ends].argmax(axis=1)
        tags[t, :n] = tag[:n]
        tag[:n] = back[t, rows[:n], tag[:n]]
    return grid.flat(tags[..., None])[:, 0]


def _exp(transitions: Floats) -> Floats:
    return np.where(illegal(len(transitions)), 0.0, np.exp(transitions)).astype(transitions.dtype)


class _Grid:
    """Sequences of several lengths side by side, longest first: (longest, n_sequences, …)."""

    def __init__(self, lengths: Ints) -> None:
        order = np.argsort(-lengths, kind="stable")
        ends = np.cumsum(lengths)
        self.starts = ends - lengths
        column = np.empty_like(order)
        column[order] = np.arange(len(order))
        self.time = np.arange(ends[-1]) - np.repeat(self.starts, lengths)
        self.column = np.repeat(column, lengths)
        self.shape = (int(lengths.max()), len(lengths))
        self.active = np.bincount(self.time, minlength=self.shape[0])
        self.mask = np.zeros(self.shape, dtype=bool)
        self.mask[self.time, self.column] = True

    def steps(self) -> Iterator[tuple[int, int]]:
        """Each time and how many sequences (the first columns) reach it."""
        return iter(enumerate(self.active.tolist()))

    def pad(self, flat: NDArray) -> NDArray:
        grid = np.zeros((*self.shape, flat.shape[1]), dtype=flat.dtype)
        grid[self.time, self.column] = flat
        return grid

    def flat(self, grid: NDArray) -> NDArray:
        return grid[self.time, self.column]
