"""Which spans of a document may stand in a relation: its candidate pairs.

Pairs are ordered, head first. Growth with the number of spans is held by two limits, the sentence and a distance in
words, so that a text of any length has about as many pairs a word.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from spacy.attrs import SENT_START
from spacy.pipeline import Sentencizer
from spacy.tokens import Doc

from clinner_spacy.encoders.pieces import ragged_range
from clinner_spacy.errors import ClinnerError

Ints = NDArray[np.int64]


class WordSpan(NamedTuple):
    """A span by its words: offsets, end exclusive, and its label."""

    start: int
    end: int
    label: str


@dataclass(frozen=True)
class Limits:
    """What makes two spans a candidate pair.

    max_distance: words between them at most; None for any number. within_sentence: they share a sentence. pairs: (head
    label, tail label) pairs that can be related; None for all.
    """

    max_distance: int | None = 100
    within_sentence: bool = True
    pairs: frozenset[tuple[str, str]] | None = None

    def narrowed(self, pairs: Iterable[Sequence[str]] | None) -> Limits:
        """The limits for those of their pairs that are among these, too; None for no change."""
        if pairs is None:
            return self
        these = frozenset((head, tail) for head, tail in pairs)
        return replace(self, pairs=these if self.pairs is None else these & self.pairs)


def asked_limits(
    max_distance: int | None, within_sentence: bool, pairs: Sequence[Sequence[str]] | None
) -> Limits:
    """Limits as a config writes them. Raises ClinnerError for a distance below 0 and for pairs that are none."""
    if pairs is not None and any(isinstance(pair, str) or len(pair) != 2 for pair in pairs):
        raise ClinnerError(f"pairs={list(pairs)} must be a list of [head label, tail label].")
    if max_distance is not None and max_distance < 0:
        raise ClinnerError(f"max_distance={max_distance} is below 0; raise it or set null.")
    return Limits(max_distance, within_sentence).narrowed(pairs)


class Candidates(NamedTuple):
    """The candidate pairs of one Doc.

    ``spans``: all its spans, those in no pair too. ``heads``, ``tails``: int (n_pairs,), indices into
    ``spans``, sorted. ``sentences``: int (n_words,), the number of each word's sentence.
    """

    doc: Doc
    spans: Sequence[WordSpan]
    heads: Ints
    tails: Ints
    sentences: Ints


def find_candidates(doc: Doc, spans: Sequence[WordSpan], limits: Limits) -> Candidates:
    """Every ordered pair of different spans within the limits; nested and overlapping spans make pairs, too.

    Sentences are those of the Doc; where it has none, they end at punctuation, as spaCy's "sentencizer" has it.
    """
    sentences = sentence_numbers(doc)
    start = np.asarray([span.start for span in spans], dtype=np.int64)
    end = np.asarray([span.end for span in spans], dtype=np.int64)
    order = np.lexsort((end, start))
    start, end = start[order], end[order]
    # Of two spans the later one starts behind the earlier one's start, so only its start counts for the distance.
    reach = len(doc) if limits.max_distance is None else limits.max_distance
    stop = np.searchsorted(start, end + reach, "right")
    if limits.within_sentence and len(spans):
        stop = np.minimum(stop, np.searchsorted(sentences[start], sentences[end - 1], "right"))
    first = np.arange(len(spans))
    count = np.maximum(stop - first - 1, 0)
    left, right = np.repeat(first, count), ragged_range(first + 1, count)
    heads, tails = order[np.concatenate([left, right])], order[np.concatenate([right, left])]
    if limits.pairs is not None:
        number, allowed = _numbered([span.label for span in spans], limits.pairs)
        keep = allowed[number[heads], number[tails]]
        heads, tails = heads[keep], tails[keep]
    by_head = np.lexsort((tails, heads))
    return Candidates(doc, spans, heads[by_head], tails[by_head], sentences)


def sentence_numbers(doc: Doc) -> Ints:
    """int (n_words,): which sentence each word is in, from 0."""
    if not len(doc):
        return np.zeros(0, dtype=np.int64)
    if doc.has_annotation("SENT_START"):
        starts = doc.to_array([SENT_START]) == 1
    else:
        starts = np.asarray(Sentencizer().predict([doc])[0], dtype=bool)
    starts[0] = True
    return np.cumsum(starts) - 1


def _numbered(labels: Sequence[str], pairs: frozenset[tuple[str, str]]) -> tuple[Ints, NDArray[np.bool_]]:
    """The number of each span's label, and the table of which (head label, tail label) can be related."""
    names = {label: n for n, label in enumerate(dict.fromkeys(labels))}
    table = np.zeros((len(names), len(names)), dtype=bool)
    for head, tail in pairs:
        if head in names and tail in names:
            table[names[head], names[tail]] = True
    return np.asarray([names[label] for label in labels], dtype=np.int64), table
