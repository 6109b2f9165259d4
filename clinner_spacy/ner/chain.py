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

#: Logits by which no mention must lead the best one beyond what transitions could win back: rounding of float32.
ROUNDING = 1e-3

#: Words whose marginals are computed side by side with others', and words read before and after them.
WINDOW, CONTEXT = 96, 32


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
    """The segments of words in which the best path may hold anything but O: words (n,), lengths (n_segments,).

    A word is O in the best path, and cuts its sequence in two, where even the best mention that covers it scores less
    than O in its place, whatever the tags around it are. It stays at the edge of the segment beside it.
    """
    # Into the mention, from its first word to its second, and out of it.
    swing = 3.0 * (transitions.max() - transitions.min())
    relative = logits.astype(np.float64) - logits[:, :1]
    doubt = np.zeros(len(logits), dtype=bool)
    for begin in range(1, logits.shape[1], 2):
        step = transitions[begin + 1, begin + 1] - transitions[0, 0]
        best = best_mention(relative[:, begin], relative[:, begin + 1] + step, lengths)
        doubt |= best >= -swing - ROUNDING
    sequence = np.repeat(np.arange(len(lengths)), lengths)
    near = doubt.copy()
    near[1:] |= doubt[:-1] & (sequence[1:] == sequence[:-1])
    near[:-1] |= doubt[1:] & (sequence[1:] == sequence[:-1])
    words = np.flatnonzero(near)
    new = (np.diff(words, prepend=-2) > 1) | (np.diff(sequence[words], prepend=-1) > 0)
    return words, np.diff(np.append(np.flatnonzero(new), len(words)))


def best_mention(begin: Floats, inside: Floats, lengths: Ints) -> Floats:
    """The score of the best mention that covers each word, float64 (n_words,).

    begin, inside: float64 (n_words,), what a word adds as the first and as a further word of a mention.
    """
    total = np.cumsum(inside)
    # A step down at the end of each sequence that no mention is worth crossing.
    drop = 4.0 * (np.abs(total).max() + np.abs(begin).max() + 1.0)
    total -= drop * np.repeat(np.arange(len(lengths)), lengths)
    start_before = np.maximum.accumulate(begin - total)
    end_after = np.maximum.accumulate(total[::-1])[::-1]
    return start_before + end_after


def decode_chain(logits: Floats, lengths: Ints, transitions: Floats) -> tuple[Ints, Floats]:
    """The best legal tags and the probability of each, its marginal: int (n_words,), float (n_words,).

    The tags are those of :func:`best_path`. Both are computed in many short pieces side by side, so that one long
    document takes no longer than many short ones: the path between words that are O for certain (:func:`uncertain`),
    the marginals in windows of :data:`WINDOW` words with :data:`CONTEXT` words around them.
    """
    tags = np.zeros(len(logits), dtype=np.int64)
    chain = legal(transitions)
    words, segments = uncertain(logits, lengths, transitions)
    if len(words):
        tags[words] = best_path(logits[words], segments, chain)
    words, read, core = windows(lengths)
    p = marginals(logits[words], read, chain)[core]
    return tags, p[np.arange(len(tags)), tags]


def windows(lengths: Ints) -> tuple[Ints, Ints, NDArray[np.bool_]]:
    """Sequences in overlapping windows: words (n,), words of each window (n_windows,), and which of the words are
    their window's own and not its context: bool (n,), True once for each word, in order."""
    ends = np.cumsum(lengths)
    counts = -(-lengths // WINDOW)
    sequence = np.repeat(np.arange(len(lengths)), counts)
    number = np.arange(len(sequence)) - np.repeat(np.cumsum(counts) - counts, counts)
    start = (ends - lengths)[sequence] + number * WINDOW
    stop = np.minimum(start + WINDOW, ends[sequence])
    begin = np.maximum(start - CONTEXT, (ends - lengths)[sequence])
    read = np.minimum(stop + CONTEXT, ends[sequence]) - begin
    words = np.arange(read.sum()) + np.repeat(begin - (np.cumsum(read) - read), read)
    core = (words >= np.repeat(start, read)) & (words < np.repeat(stop, read))
    return words, read, core


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
