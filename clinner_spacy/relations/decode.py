"""Logits of candidate pairs -> relations a document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clinner_spacy.relations.candidates import Candidates


class PairRelation(NamedTuple):
    """A relation found: head and tail as indices into the document's spans, and the probability of its label."""

    head: int
    tail: int
    label: str
    score: float


def best_relations(
    candidates: Sequence[Candidates],
    logits: NDArray[np.floating],
    labels: Sequence[str],
    null: bool,
    threshold: float,
) -> list[list[PairRelation]]:
    """The best label of each pair, the null one (the first, if ``null``) aside, where it scores at least ``threshold``.

    logits: float (n_pairs, n_labels) of all documents' pairs. Returns the relations of each document, by head and tail.
    """
    p = softmax(logits)[:, int(null) :]
    best = p.argmax(axis=1)
    score = p[np.arange(len(p)), best]
    found: list[list[PairRelation]] = []
    start = 0
    for c in candidates:
        kept = np.flatnonzero(score[start : start + len(c.heads)] >= threshold)
        rows = zip(
            c.heads[kept].tolist(),
            c.tails[kept].tolist(),
            best[start + kept].tolist(),
            score[start + kept].tolist(),
            strict=True,
        )
        found.append([PairRelation(h, t, labels[n + null], float(s)) for h, t, n, s in rows])
        start += len(c.heads)
    return found


def softmax(logits: NDArray[np.floating]) -> NDArray[np.floating]:
    """Rows of probabilities."""
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True)
