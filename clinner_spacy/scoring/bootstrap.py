"""How far scores would move on other documents of the same kind: percentile intervals by the bootstrap.

Source: Efron, Tibshirani (1993), "An Introduction to the Bootstrap", chapter 13. Documents are drawn, not spans, since
errors of one document are alike.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Times that documents are drawn, and the share of scores inside an interval.
ROUNDS, INSIDE = 1000, 0.95


def precision_recall_f1(counts: NDArray[np.floating]) -> NDArray[np.float64]:
    """counts: (..., 3), true positives, false positives, false negatives. Gives (..., 3); a measure of nothing is 0."""
    tp, fp, fn = np.moveaxis(np.asarray(counts, dtype=np.float64), -1, 0)
    parts = ((tp, tp + fp), (tp, tp + fn), (2 * tp, 2 * tp + fp + fn))
    return np.stack([np.divide(a, b, out=np.zeros_like(a), where=b > 0) for a, b in parts], axis=-1)


def intervals(counts: NDArray[np.integer], seed: int = 0, rounds: int = ROUNDS) -> NDArray[np.float64]:
    """Where INSIDE of the scores lie when documents are drawn anew with replacement.

    counts: (documents, ..., 3) as those of :func:`precision_recall_f1`. Gives (2, ..., 3): the lower and upper ends of
    precision, recall and F1. The same seed gives the same.
    """
    n = len(counts)
    if not n:
        return np.zeros((2, *counts.shape[1:]))
    draw = np.random.default_rng(seed)
    flat = counts.reshape(n, -1).astype(np.float64)
    totals = np.stack([np.bincount(draw.integers(n, size=n), minlength=n) @ flat for _ in range(rounds)])
    scores = precision_recall_f1(totals.reshape(rounds, *counts.shape[1:]))
    return np.quantile(scores, [(1 - INSIDE) / 2, (1 + INSIDE) / 2], axis=0)
