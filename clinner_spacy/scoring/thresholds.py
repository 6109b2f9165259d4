"""Which threshold gives the best strict F1, and whether that holds for documents that it was not chosen on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clinner_spacy.scoring.calibration import DocumentKey, JudgedSpan, folds

#: The thresholds that are tried; float32, as scores are.
GRID = np.arange(100, dtype=np.float32) / 100

#: Drawings of documents for an interval, and its percentiles.
N_DRAWS, INTERVAL = 1000, (2.5, 97.5)


class TunedThreshold(NamedTuple):
    """``threshold`` has the best strict F1, ``f1``, on all documents, where ``f1_at_0`` is that of all mentions.

    ``gain`` is what thresholds chosen on other documents add to F1 (cross-validation), ``low`` and ``high`` its 95 %
    interval over documents drawn anew (bootstrap).
    """

    threshold: float
    f1_at_0: float
    f1: float
    gain: float
    low: float
    high: float

    @property
    def holds(self) -> bool:
        """True if the gain is not one of chance: its whole interval is above 0."""
        return self.low > 0


def tune_threshold(judged: Sequence[JudgedSpan], gold: Mapping[DocumentKey, int]) -> TunedThreshold:
    """The best of :data:`GRID` for mentions that were found without a threshold.

    gold: how many mentions the gold has, for each annotated document, those without any, too.
    """
    documents = list(gold)
    counts = _counts(judged, gold)
    fold = folds(documents)
    chosen = np.zeros(len(documents), dtype=np.int64)
    for n in np.unique(fold):
        chosen[fold == n] = _f1(counts[fold != n].sum(axis=0)).argmax()
    pairs = np.stack([counts[:, 0], counts[np.arange(len(documents)), chosen]], axis=1)  # without and with threshold
    drawn = np.random.default_rng(0).multinomial(len(documents), np.full(len(documents), 1 / len(documents)), N_DRAWS)
    gains = np.diff(_f1(np.einsum("nd,dtk->ntk", drawn, pairs)))
    f1 = _f1(counts.sum(axis=0))
    best = int(f1.argmax())
    low, high = np.percentile(gains, INTERVAL)
    return TunedThreshold(
        best / 100, float(f1[0]), float(f1[best]), float(np.diff(_f1(pairs.sum(axis=0)))[0]), float(low), float(high)
    )


def _counts(judged: Sequence[JudgedSpan], gold: Mapping[DocumentKey, int]) -> NDArray[np.int64]:
    """int (n_documents, n_thresholds, 3): mentions that score enough, those of them that are right, gold mentions."""
    row = {name: n for n, name in enumerate(gold)}
    counts = np.zeros((len(row), len(GRID), 3), dtype=np.int64)
    counts[:, :, 2] = np.asarray(list(gold.values()))[:, None]
    for span in judged:
        enough = int(np.searchsorted(GRID, np.float32(span.score), side="right"))
        counts[row[span.document], :enough, :2] += 1, span.right
    return counts


def _f1(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Strict F1 of (…, 3) counts; 0 of nothing."""
    found, right, gold = np.moveaxis(counts, -1, 0)
    return 2 * right / np.maximum(found + gold, 1)
