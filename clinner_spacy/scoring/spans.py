"""Strict and character-overlap F1 of labelled spans, as the MultiClinAI shared tasks measure them.

Equal to the official evaluation, https://github.com/nlp4bia-bsc/MultiClinAIEval (``src/evaluate.py``, 2026), which
compares all with all; here sets and sorted runs do it. As there: a repeated prediction counts once, a repeated gold
span is one more gold span (strict: one more miss), and a measure of nothing is 0.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np

from clinner_spacy.scoring.overlap import best_overlaps


class SpanRow(NamedTuple):
    """A labelled span of a document: character offsets, 0-based, end exclusive, ``start < end``."""

    document: Hashable
    label: str
    start: int
    end: int


Measures = dict[str, float]


def strict_scores(gold: Sequence[Hashable], predicted: Sequence[Hashable]) -> Measures:
    """Precision, recall and F1 of exact matches (document, label, start, end), one to one, and their counts.

    Gives ``precision``, ``recall``, ``f1``, ``tp``, ``fp``, ``fn``, unrounded.
    """
    found = set(predicted)
    tp = len(found & set(gold))
    fp, fn = len(found) - tp, len(gold) - tp
    return {**_prf(_share(tp, tp + fp), _share(tp, tp + fn)), "tp": tp, "fp": fp, "fn": fn}


def char_scores(gold: Sequence[SpanRow], predicted: Sequence[SpanRow]) -> Measures:
    """Precision: the mean over predicted spans of the best overlap F1 with a gold span of the same document and label.

    Recall is the same mean over gold spans with the predicted ones. The overlap F1 of two spans is the harmonic mean of
    overlap / predicted length and overlap / gold length. Gives ``precision``, ``recall``, ``f1``, ``n_gold``,
    ``n_pred``, unrounded.
    """
    predicted = list(dict.fromkeys(predicted))
    return mean_char_scores(*char_overlaps(gold, predicted))


def char_overlaps(gold: Sequence[SpanRow], predicted: Sequence[SpanRow]) -> tuple[list[float], list[float]]:
    """The best overlap F1 of each gold span with the predicted ones, and of each predicted span with the gold ones."""
    groups: dict[tuple[Hashable, str], int] = {}
    rows = [*gold, *predicted]
    group = np.array([groups.setdefault((row[0], row[1]), len(groups)) for row in rows], dtype=np.int64)
    start = np.array([row[2] for row in rows], dtype=np.int64)
    end = np.array([row[3] for row in rows], dtype=np.int64)
    # Documents and labels side by side on one line, so that only spans of the same group can overlap.
    first, last = np.full(len(groups), np.iinfo(np.int64).max), np.full(len(groups), np.iinfo(np.int64).min)
    np.minimum.at(first, group, start)
    np.maximum.at(last, group, end)
    place = np.cumsum(last - first) - last
    start, end = start + place[group], end + place[group]
    n = len(gold)
    of_gold = best_overlaps(start[:n], end[:n], start[n:], end[n:])
    of_predicted = best_overlaps(start[n:], end[n:], start[:n], end[:n])
    return of_gold.tolist(), of_predicted.tolist()


def mean_char_scores(of_gold: Sequence[float], of_predicted: Sequence[float]) -> Measures:
    """The measures of :func:`char_scores` from the scores of single spans."""
    precision, recall = _share(sum(of_predicted), len(of_predicted)), _share(sum(of_gold), len(of_gold))
    return {**_prf(precision, recall), "n_gold": len(of_gold), "n_pred": len(of_predicted)}


def _share(part: float, whole: int) -> float:
    return part / whole if whole else 0.0


def _prf(precision: float, recall: float) -> Measures:
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return {"precision": precision, "recall": recall, "f1": f1}
