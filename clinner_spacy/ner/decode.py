"""Scores of tags -> spans, for all documents of a batch at once, with no Python loop over words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from spacy.tokens import Doc

from clinner_spacy.encoders.units import Units, to_words
from clinner_spacy.encoders.visible import visible_words
from clinner_spacy.ner.calibration import BetaMap
from clinner_spacy.ner.chain import decode_chain
from clinner_spacy.ner.tagset import TagSet
from clinner_spacy.ner.threshold import Threshold, least_scores


class Prediction(NamedTuple):
    """A span found: word offsets (end exclusive), its label, its score, and the task that it was found for.

    The score is the mean over the span's words of the probability of the tag chosen there; of a calibrated task, the
    probability that the span is right. Where other units than the Doc's words were tagged, ``characters``
    are those of the units (start, end), and the words those that hold them.
    """

    start: int
    end: int
    label: str
    score: float
    task: str
    characters: tuple[int, int] | None = None


class Spans(NamedTuple):
    """Spans of one task over a batch: parallel arrays (n_spans,), in text order.

    ``start`` and ``end`` (exclusive) count words from the batch's first; ``label`` is a position in the task's labels;
    ``score`` is the mean over the span's words of the probability of the tag chosen there.
    """

    start: NDArray[np.int64]
    end: NDArray[np.int64]
    label: NDArray[np.int64]
    score: NDArray[np.float32]


def predictions(
    docs: Sequence[Doc],
    scores: Sequence[NDArray[np.floating]],
    tagset: TagSet,
    threshold: Threshold,
    transitions: NDArray[np.floating] | None = None,
    calibration: Mapping[str, BetaMap] | None = None,
) -> list[list[Prediction]]:
    """Decode a batch.

    scores: a float matrix (n_words, n_columns) of logits a document; a row of NaN was not read, which makes its word
    transparent. threshold: spans that score less are left out. calibration: task -> the map of its spans' scores.
    Returns the spans of each document, of all tasks, in text order.
    """
    found: list[list[Prediction]] = [[] for _ in docs]
    visible = [visible_words(doc) & ~np.isnan(score[:, 0]) for doc, score in zip(docs, scores, strict=True)]
    counts = np.asarray([int(seen.sum()) for seen in visible])
    if not counts.sum():
        return found
    logits = np.concatenate([np.asarray(score)[seen] for score, seen in zip(scores, visible, strict=True)])
    word = np.concatenate([np.flatnonzero(seen) for seen in visible])
    doc_of = np.repeat(np.arange(len(docs)), counts)
    first = np.diff(doc_of, prepend=-1) > 0
    for task, columns in tagset.columns.items():
        x = logits[:, columns]
        if transitions is None:
            tags, probabilities = decode_words(x)
        else:
            tags, probabilities = decode_chain(x, counts[counts > 0], transitions[columns, columns])
        spans = decode(tags, probabilities, first)
        labels = tagset.tasks[task]
        if calibration and task in calibration:
            spans = spans._replace(score=calibration[task](spans.score).astype(np.float32))
        keep = spans.score >= least_scores(threshold, labels)[spans.label]
        # From the batch's words to each document's own.
        rows = zip(
            doc_of[spans.start[keep]].tolist(),
            word[spans.start[keep]].tolist(),
            (word[spans.end[keep] - 1] + 1).tolist(),
            spans.label[keep].tolist(),
            spans.score[keep].tolist(),
            strict=True,
        )
        for doc, start, end, label, score in rows:
            found[doc].append(Prediction(start, end, labels[label], score, task))
    for spans_of_doc in found:
        spans_of_doc.sort(key=lambda span: (span.start, span.end))
    return found


def on_words(doc: Doc, units: Units, found: Sequence[Prediction]) -> list[Prediction]:
    """Spans of units -> the words of ``doc`` that hold them, in text order; what no word holds is left out."""
    spans = np.asarray([(p.start, p.end - 1) for p in found], dtype=np.int64).reshape(-1, 2)
    characters = np.stack([units.bounds[spans[:, 0], 0], units.bounds[spans[:, 1], 1]], axis=1)
    rows = zip(found, to_words(doc, characters).tolist(), map(tuple, characters.tolist()), strict=True)
    return [
        p._replace(start=start, end=end, characters=exact if units.exact else None)
        for p, (start, end), exact in rows
        if end
    ]


def decode_words(logits: NDArray[np.floating]) -> tuple[NDArray[np.int64], NDArray[np.floating]]:
    """The best tag of each word by itself and its probability: int (n_words,), float (n_words,)."""
    best = logits.max(axis=1, keepdims=True)
    return logits.argmax(axis=1), 1.0 / np.exp(logits - best).sum(axis=1)


def decode(tags: NDArray[np.int64], scores: NDArray[np.floating], first: NDArray[np.bool_]) -> Spans:
    """Read spans off a tag a word.

    tags: int (n_words,), columns of one task (0 is O, 2n + 1 is B and 2n + 2 is I of label n). scores: float
    (n_words,), the probability of that tag. first: bool (n_words,), True at each document's first word.

    ``B-X`` opens a mention and closes the one before, ``O`` closes, ``I-X`` continues an open mention of the same
    label; any other ``I`` neither opens nor closes nor continues. That is how the publisher of the DT4H models reads
    tags, and it cannot yield an illegal span whatever the tags are.
    """
    n = len(tags)
    inside = (tags > 0) & (tags % 2 == 0)
    # The last word that is no I, or the document's first: what a later I refers to.
    anchor = np.maximum.accumulate(np.where(~inside | first, np.arange(n), 0))
    opened = tags[anchor]
    member = ((opened % 2 == 1) & (tags == opened + 1)) | (tags % 2 == 1)
    words = np.flatnonzero(member)
    if not len(words):
        none = np.empty(0, dtype=np.int64)
        return Spans(none, none, none, np.empty(0, dtype=np.float32))
    bounds = np.flatnonzero(np.diff(anchor[words], prepend=-1))
    last = words[np.append(bounds[1:], len(words)) - 1]
    start = words[bounds]
    length = np.diff(np.append(bounds, len(words)))
    score = np.add.reduceat(scores[words].astype(np.float64), bounds) / length
    return Spans(start, last + 1, (tags[start] - 1) // 2, score.astype(np.float32))
