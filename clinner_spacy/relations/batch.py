"""The spans and candidate pairs of several documents side by side, as arrays that a model can read at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from spacy.strings import get_string_id

from clinner_spacy.relations.candidates import Candidates, Ints
from clinner_spacy.relations.features import pair_features

#: An int64 array of numpy's, or the same as a torch tensor.
Array = Any


class PairBatch(NamedTuple):
    """Words and spans are numbered over the whole batch; ends are exclusive; hashes are uint64 read as int64.

    ``segments``: (n_segments,), lengths of the sentences, or parts of long ones, that the words stand in, in order.
    ``start``, ``end``: (n_spans,), words. ``types``: (n_spans,), hashes of the spans' labels.
    ``heads``, ``tails``: (n_pairs,), spans. ``reverse``: (n_pairs,), which pair is (tail, head), -1 where none is.
    ``between``: (n_pairs, 2), the first word between head and tail and the one behind the last.
    ``features``: (n_pairs, N_FEATURES), hashes; see :mod:`clinner_spacy.relations.features`.
    """

    segments: Array
    start: Array
    end: Array
    types: Array
    heads: Array
    tails: Array
    reverse: Array
    between: Array
    features: Array


def pair_batch(X: Sequence[Candidates], max_segment: int) -> PairBatch:
    """Put the candidates of several documents side by side; a sentence of more than ``max_segment`` words is cut."""
    first_word = np.cumsum([0, *(len(c.doc) for c in X)])
    first_span = np.cumsum([0, *(len(c.spans) for c in X)])
    spans = [(int(first), span) for first, c in zip(first_word, X, strict=False) for span in c.spans]
    hashes = {label: get_string_id(label) for label in {span.label for _, span in spans}}
    between, features = zip(*map(pair_features, X), strict=True)
    heads = np.concatenate([c.heads + first for c, first in zip(X, first_span, strict=False)])
    tails = np.concatenate([c.tails + first for c, first in zip(X, first_span, strict=False)])
    return PairBatch(
        np.concatenate([segment_lengths(c.sentences, max_segment) for c in X]),
        np.asarray([first + span.start for first, span in spans], dtype=np.int64),
        np.asarray([first + span.end for first, span in spans], dtype=np.int64),
        np.asarray([hashes[span.label] for _, span in spans], dtype=np.uint64).view(np.int64),
        heads,
        tails,
        reverse_pairs(heads, tails),
        np.concatenate([words + first for words, first in zip(between, first_word, strict=False)]),
        np.concatenate(features).view(np.int64),
    )


def segment_lengths(sentences: Ints, max_segment: int) -> Ints:
    """Words of each sentence, in order, where a longer one is cut every ``max_segment`` words.

    sentences: int (n_words,), the number of each word's sentence.
    """
    starts = np.flatnonzero(np.diff(sentences, prepend=-1))
    place = np.arange(len(sentences)) - np.repeat(starts, np.diff(starts, append=len(sentences)))
    return np.diff(np.flatnonzero(place % max_segment == 0), append=len(sentences))


def reverse_pairs(heads: Ints, tails: Ints) -> NDArray[np.int64]:
    """For each pair (h, t) the number of the pair (t, h), int (n_pairs,); -1 where there is none."""
    base = int(max(heads.max(initial=0), tails.max(initial=0))) + 1
    key, reverse = heads * base + tails, tails * base + heads
    order = np.argsort(key)
    found = np.minimum(np.searchsorted(key[order], reverse), len(key) - 1)
    return np.where(key[order][found] == reverse, order[found], -1)
