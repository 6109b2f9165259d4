"""Hashed features of candidate pairs: their types, order and distance, the spans and words around them.

Most features are hashed together with both types, so that a model learns for each pair of types by itself what, say,
three words between mean; the last are not, for pairs of types that are rare. A text's hash is the sum of its words'
hashes, found as the difference of two running sums.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from spacy.attrs import LOWER
from spacy.strings import get_string_id

from clinner_spacy.relations.candidates import Candidates, Ints

Hashes = NDArray[np.uint64]

#: Counts and distances are told apart up to the last of these.
STEPS = np.asarray([0, 1, 2, 3, 4, 5, 6, 8, 11, 15, 20, 30, 50])

#: Columns of :func:`pair_features`.
N_FEATURES = 18


def pair_features(c: Candidates) -> tuple[Ints, Hashes]:
    """Words between, int (n_pairs, 2), and hashed features, uint64 (n_pairs, N_FEATURES), of one Doc's pairs."""
    start = np.asarray([span.start for span in c.spans], dtype=np.int64)
    end = np.asarray([span.end for span in c.spans], dtype=np.int64)
    labels, kind = np.unique([span.label for span in c.spans], return_inverse=True)
    names = np.asarray([get_string_id(str(label)) for label in labels], dtype=np.uint64)[kind]
    words = np.concatenate([[np.uint64(0)], np.cumsum(_mix(c.doc.to_array([LOWER]).astype(np.uint64)))])
    text = words[end] - words[start]
    h, t = c.heads, c.tails
    left, right = np.minimum(end[h], end[t]), np.maximum(start[h], start[t])
    between = np.stack([np.minimum(left, right), right], axis=1)
    gap = right - left
    order = _order(start, end, h, t)
    counts = _Counts(c, start, kind, len(labels))
    head_type, tail_type = _join(names[h]), _join(names[t] * np.uint64(3))
    both = _join(names[h], names[t] * np.uint64(3))
    apart, n_between = _step(np.maximum(gap, 0)), _step(counts.between(h, t))
    kinds_between = counts.kinds_between(h, t, names)
    text_between = words[between[:, 1]] - words[between[:, 0]]
    word = np.concatenate([[np.uint64(0)], np.diff(words), [np.uint64(0)]])  # one more at either end
    first_end, second_start = np.minimum(end[h], end[t]), np.maximum(start[h], start[t])
    first_start, second_end = np.minimum(start[h], start[t]), np.maximum(end[h], end[t])
    columns = [
        both,
        _join(both, order),
        _join(both, order, apart),
        _join(both, order, n_between),
        _join(both, order, _step(counts.between(h, t, kind[t]))),
        _join(both, order, _step(counts.between(h, t, kind[h]))),
        _join(both, _step(counts.in_sentence(h, kind[h])), _step(counts.in_sentence(t, kind[t]))),
        _join(both, order, kinds_between),
        _join(both, order, text_between),
        _join(both, order, word[first_end + 1], word[second_start]),
        _join(both, order, word[first_start], word[second_end + 1]),
        _join(head_type, text[t]),
        _join(tail_type, text[h]),
        _join(head_type, order, apart),
        _join(tail_type, order, apart),
        _join(order, apart, n_between),
        _join(order, kinds_between),
        _join(order, text_between),
    ]
    features = np.stack([_mix(column + np.uint64(n)) for n, column in enumerate(columns)], axis=1)
    return between, features


class _Counts:
    """Counts spans of a kind between others or in a sentence, by running sums over the spans in text order."""

    def __init__(self, c: Candidates, start: Ints, kind: Ints, n_kinds: int) -> None:
        order = np.argsort(start, kind="stable")
        self.rank = np.empty_like(order)
        self.rank[order] = np.arange(len(order))
        is_kind = np.zeros((len(order) + 1, n_kinds), dtype=np.int64)
        is_kind[np.arange(len(order)) + 1, kind[order]] = 1
        self.running = np.cumsum(is_kind, axis=0)
        sentence = c.sentences[start[order]] if len(order) else order
        self.first = np.searchsorted(sentence, sentence, "left")[self.rank]
        self.last = np.searchsorted(sentence, sentence, "right")[self.rank]
        self.order = order

    def between(self, h: Ints, t: Ints, kind: Ints | None = None) -> Ints:
        """Spans, of a kind or of any, that start between head and tail."""
        low, high = self._range(h, t)
        return high - low if kind is None else self.running[high, kind] - self.running[low, kind]

    def in_sentence(self, span: Ints, kind: Ints) -> Ints:
        """Spans of a kind in a span's sentence."""
        return self.running[self.last[span], kind] - self.running[self.first[span], kind]

    def kinds_between(self, h: Ints, t: Ints, names: Hashes) -> Hashes:
        """A hash of the bag of labels between head and tail."""
        sums = np.concatenate([[np.uint64(0)], np.cumsum(_mix(names[self.order]))])
        low, high = self._range(h, t)
        return sums[high] - sums[low]

    def _range(self, h: Ints, t: Ints) -> tuple[Ints, Ints]:
        return np.minimum(self.rank[h], self.rank[t]) + 1, np.maximum(self.rank[h], self.rank[t])


def _order(start: Ints, end: Ints, h: Ints, t: Ints) -> Ints:
    """0 head before tail, 1 behind it, 2 around it, 3 inside it, 4 the same words, 5 overlapping, 6 that, behind."""
    same = (start[h] == start[t]) & (end[h] == end[t])
    around = (start[h] <= start[t]) & (end[h] >= end[t])
    inside = (start[h] >= start[t]) & (end[h] <= end[t])
    cases = [end[h] <= start[t], end[t] <= start[h], same, around, inside, start[h] < start[t]]
    return np.select(cases, [0, 1, 4, 2, 3, 5], 6)


def _step(count: Ints) -> Ints:
    return np.searchsorted(STEPS, count, "left")


def _join(*parts: NDArray) -> Hashes:
    """One hash of several values, which are told apart by where they stand."""
    joined = np.zeros(len(parts[0]), dtype=np.uint64)
    for part in parts:
        joined = _mix(joined * np.uint64(31) + part.astype(np.uint64))
    return joined


def _mix(value: Hashes) -> Hashes:
    """The finalizer of splitmix64: every bit of the input changes half the bits of the output."""
    value = value + np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))
