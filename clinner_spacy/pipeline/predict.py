"""Score matrices -> predicted spans a document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from spacy.tokens import Doc

from clinner_spacy.bio.chain import decode_chain
from clinner_spacy.bio.decode import decode
from clinner_spacy.bio.tagset import TagSet
from clinner_spacy.words.visible import visible_words


class Prediction(NamedTuple):
    """A span found: word offsets (end exclusive), its label, and its score.

    The score is the mean over the span's words of the probability of the tag chosen there.
    """

    start: int
    end: int
    label: str
    score: float


def predictions(
    docs: Sequence[Doc],
    scores: Sequence[NDArray[np.floating]],
    tagset: TagSet,
    threshold: float,
    transitions: NDArray[np.floating] | None = None,
) -> list[list[Prediction]]:
    """Decode a batch.

    scores: a float matrix (n_words, n_columns) of logits a document; a row of NaN was not read, which makes its word
    transparent. threshold: spans that score less are left out.
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
        keep = spans.score >= threshold
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
            found[doc].append(Prediction(start, end, labels[label], score))
    for spans_of_doc in found:
        spans_of_doc.sort(key=lambda span: (span.start, span.end))
    return found


def decode_words(logits: NDArray[np.floating]) -> tuple[NDArray[np.int64], NDArray[np.floating]]:
    """The best tag of each word by itself and its probability: int (n_words,), float (n_words,)."""
    best = logits.max(axis=1, keepdims=True)
    return logits.argmax(axis=1), 1.0 / np.exp(logits - best).sum(axis=1)
