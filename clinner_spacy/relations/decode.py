"""Logits of candidate pairs -> relations a document, as the dicts that ``doc._.relations`` holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clinner_spacy.relations.candidates import Candidates


def best_relations(
    candidates: Sequence[Candidates],
    logits: NDArray[np.floating],
    labels: Sequence[str],
    null: bool,
    threshold: float,
    pairs: frozenset[tuple[str, str]] | None = None,
) -> list[list[dict[str, Any]]]:
    """The best label of each pair, the null one (the first, if ``null``) aside, where it scores at least ``threshold``.

    logits: float (n_pairs, n_labels) of all documents' pairs. pairs: the (head label, tail label) pairs to give
    relations of; None for all. Returns the relations of each document, by head and tail:
    ``{"head": int, "tail": int, "label": str, "score": float}``, head and tail as indices into the document's spans,
    score the probability of the label.
    """
    p = softmax(logits)[:, int(null) :]
    best = p.argmax(axis=1)
    score = p[np.arange(len(p)), best]
    found: list[list[dict[str, Any]]] = []
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
        found.append(
            [
                {"head": h, "tail": t, "label": labels[n + null], "score": s}
                for h, t, n, s in rows
                if pairs is None or (c.spans[h].label, c.spans[t].label) in pairs
            ]
        )
        start += len(c.heads)
    return found


def softmax(logits: NDArray[np.floating]) -> NDArray[np.floating]:
    """Rows of probabilities."""
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True)
