"""A linear chain over the tags of one task: transition scores learned beside the tag scores.

Source: Lafferty, McCallum, Pereira (2001), "Conditional Random Fields". Sequences run side by side, one step in time
for all of them, so the Python loop is over the words of the longest sequence and not over all words.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Ints = NDArray[np.int64]

#: What pytorch-crf calls the parts of a :class:`Chain`, in its order.
CRF = ("transitions", "start_transitions", "end_transitions")

#: No probability is taken as smaller: keeps long sequences from underflow.
TINY = 1e-30

#: Logits by which O must lead, beside what decoding could win back, for a word to be passed over.
SURE = 7.0


class Chain(NamedTuple):
    """How likely a tag is to follow another: float (n_tags, n_tags), from row to column; and to begin or end a
    sequence: float (n_tags,). What must not be has -inf."""

    transitions: Floats
    start: Floats
    end: Floats


def legal(transitions: Floats) -> Chain:
    """The chain of transitions that were learned here: a sequence may begin and end with any legal tag."""
    forbidden = illegal(len(transitions))
    start = np.where(forbidden[0], -np.inf, 0.0).astype(transitions.dtype)
    return Chain(np.where(forbidden, -np.inf, transitions), start, np.zeros_like(start))


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
    grid, chain = _Grid(lengths), legal(transitions)
    emit, shift = _emit(logits, grid, chain)
    alpha, beta, scale = _forward_backward(emit, grid, chain)
    d_logits = _marginals(alpha, beta, grid)
    before, after = alpha[:-1], emit[1:] * beta[1:] / scale[1:, :, None] * grid.mask[1:, :, None]
    pairs = np.einsum("tsi,tsj->ij", before, after) * np.exp(chain.transitions)
    gold = np.arange(len(tags))
    follows = np.ones(len(tags), dtype=bool)
    follows[grid.starts] = False
    pair = (tags[np.flatnonzero(follows) - 1], tags[follows])
    path = float((logits[gold, tags]).sum() + transitions[pair].sum())
    loss = float(np.log(grid.flat(scale[..., None])).sum() + shift.sum()) - path
    d_logits[gold, tags] -= 1.0
    np.subtract.at(pairs, pair, 1.0)
    return loss, d_logits, pairs


def best_path(logits: Floats, lengths: Ints, chain: Chain) -> Ints:
    """The sequence of tags with the highest score for each sequence (Viterbi): int (n_words,)."""
    grid = _Grid(lengths)
    best = _with_ends(grid.pad(logits), grid, chain)
    back = np.zeros(best.shape, dtype=np.int64)
    for t, n in grid.steps():
        if t:
            options = best[t - 1, :n, :, None] + chain.transitions
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


def uncertain(logits: Floats, lengths: Ints, transitions: Floats) -> tuple[Ints, Ints]:
    """The stretches of words in which the best path may hold anything but O: words (n,), lengths (n_stretches,).

    A word whose O leads by more than every change to its neighbours could win back is O in the best path, and cuts its
    sequence in two. Making a word O may change three transitions, and may turn the I that follows into a B. It stays at
    the edge of the stretch beside it. :data:`SURE` on top keeps the marginals true to a per mille.
    """
    swing = 3.0 * (transitions.max() - transitions.min())
    to_begin = np.append((logits[1:, 2::2] - logits[1:, 1::2]).max(axis=1), 0.0)
    ends = np.cumsum(lengths)
    to_begin[ends - 1] = 0.0
    doubt = logits[:, 0] - logits[:, 1:].max(axis=1) <= SURE + swing + np.maximum(to_begin, 0.0)
    sequence = np.repeat(np.arange(len(lengths)), lengths)
    near = doubt.copy()
    near[1:] |= doubt[:-1] & (sequence[1:] == sequence[:-1])
    near[:-1] |= doubt[1:] & (sequence[1:] == sequence[:-1])
    words = np.flatnonzero(near)
    new = (np.diff(words, prepend=-2) > 1) | (np.diff(sequence[words], prepend=-1) > 0)
    return words, np.diff(np.append(np.flatnonzero(new), len(words)))


def decode_chain(logits: Floats, lengths: Ints, transitions: Floats) -> tuple[Ints, Floats]:
    """The best legal tags and the probability of each, its marginal: int (n_words,), float (n_words,).

    Only :func:`uncertain` stretches are looked at; elsewhere the tag is O with probability 1.
    """
    tags = np.zeros(len(logits), dtype=np.int64)
    probability = np.ones(len(logits), dtype=logits.dtype)
    words, stretches = uncertain(logits, lengths, transitions)
    if len(words):
        chain = legal(transitions)
        tags[words] = best_path(logits[words], stretches, chain)
        p = marginals(logits[words], stretches, chain)
        probability[words] = p[np.arange(len(words)), tags[words]]
    return tags, probability


def marginals(logits: Floats, lengths: Ints, chain: Chain) -> Floats:
    """The probability of each tag of each word, float (n_words, n_tags), given all of its sequence."""
    grid = _Grid(lengths)
    alpha, beta, _ = _forward_backward(_emit(logits, grid, chain)[0], grid, chain)
    return _marginals(alpha, beta, grid)


def _with_ends(grid_logits: Floats, grid: _Grid, chain: Chain) -> Floats:
    """Logits side by side, with the scores of beginning and ending added where sequences do."""
    grid_logits[0] += chain.start
    grid_logits[grid.last, np.arange(len(grid.last))] += chain.end
    return grid_logits


def _emit(logits: Floats, grid: _Grid, chain: Chain) -> tuple[Floats, Floats]:
    """exp(logits) side by side, scaled so that a word's best tag has 1, and what was taken off before exp."""
    scores = grid.flat(_with_ends(grid.pad(logits), grid, chain))
    shift = scores.max(axis=1, keepdims=True)
    return grid.pad(np.exp(scores - shift)), shift


def _forward_backward(emit: Floats, grid: _Grid, chain: Chain) -> tuple[Floats, Floats, Floats]:
    weight = np.exp(chain.transitions)
    alpha, scale = np.zeros_like(emit), np.ones(emit.shape[:2], dtype=emit.dtype)
    for t, n in grid.steps():
        ahead = emit[t, :n] if t == 0 else emit[t, :n] * (alpha[t - 1, :n] @ weight)
        scale[t, :n] = np.maximum(ahead.sum(axis=1), TINY)
        alpha[t, :n] = ahead / scale[t, :n, None]
    beta = np.ones_like(emit)
    for t, n in reversed(list(grid.steps())[1:]):
        beta[t - 1, :n] = ((emit[t, :n] * beta[t, :n]) @ weight.T) / scale[t, :n, None]
    return alpha, beta, scale


def _marginals(alpha: Floats, beta: Floats, grid: _Grid) -> Floats:
    p = grid.flat(alpha * beta)
    return p / p.sum(axis=1, keepdims=True)


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
        self.last = lengths[order] - 1
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
