"""Tag probabilities -> spans, for all documents of a batch at once, with no Python loop over words."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Spans(NamedTuple):
    """Spans of one task over a batch: parallel arrays (n_spans,), in text order.

    ``start`` and ``end`` (exclusive) count words from the batch's first; ``label`` is a position in the task's labels;
    ``score`` is the mean over the span's words of the probability of the tag chosen there.
    """

    start: NDArray[np.int64]
    end: NDArray[np.int64]
    label: NDArray[np.int64]
    score: NDArray[np.float32]


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
