"""One table of spans against another, looked at closely: scores a label, kinds of errors, the worst documents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from clinner_spacy.scoring.bootstrap import intervals, precision_recall_f1
from clinner_spacy.scoring.calibration import Bin, reliability
from clinner_spacy.scoring.errors import KINDS, SpanError, find_errors
from clinner_spacy.scoring.spans import SpanRow


class Score(NamedTuple):
    """A measure and the ends of its interval."""

    value: float
    low: float
    high: float


class LabelScores(NamedTuple):
    """Strict scores of one label (None: of all), its counts, and its errors by kind.

    A label error counts for the gold span's label as "label", and is in ``taken`` of the label that was predicted.
    """

    label: str | None
    precision: Score
    recall: Score
    f1: Score
    tp: int
    fp: int
    fn: int
    kinds: Mapping[str, int]
    taken: int


class Analysis(NamedTuple):
    """labels: all together first, then each, by name. errors: of each document that has some, most errors first.
    n_documents: those with a span on either side. bins: of scores, empty where predictions have none."""

    labels: list[LabelScores]
    errors: dict[Hashable, list[SpanError]]
    n_documents: int
    bins: list[Bin]


def analyse(
    gold: Sequence[SpanRow], predicted: Sequence[SpanRow], scores: Mapping[SpanRow, float] | None = None
) -> Analysis:
    """scores: of predicted spans, from 0 to 1. Intervals are of documents drawn anew, see
    :func:`~clinner_spacy.scoring.bootstrap.intervals`."""
    errors = find_errors(gold, predicted)
    right = set(gold) & set(predicted)
    documents = {name: n for n, name in enumerate(dict.fromkeys(row.document for row in (*gold, *predicted)))}
    labels = {label: n for n, label in enumerate(sorted({row.label for row in (*gold, *predicted)}))}
    counts = np.zeros((len(documents), len(labels) + 1, 3), dtype=np.int64)
    rows = [(row, 0) for row in right]
    rows += [(error.predicted, 1) for error in errors if error.predicted]
    rows += [(error.gold, 2) for error in errors if error.gold]
    for row, column in rows:
        counts[documents[row.document], labels[row.label] + 1, column] += 1
    counts[:, 0] = counts.sum(axis=1)
    totals, (low, high) = counts.sum(axis=0), intervals(counts)
    scores_of = np.stack([precision_recall_f1(totals), low, high], axis=-1)  # (labels, measures, 3)
    table = [
        _label_scores(label, scores_of[n].tolist(), totals[n].tolist(), errors)
        for n, label in enumerate((None, *labels))
    ]
    return Analysis(table, _worst_first(errors), len(documents), _bins(right, scores or {}))


def _label_scores(
    label: str | None, scores: list[list[float]], counts: list[int], errors: Sequence[SpanError]
) -> LabelScores:
    kinds = Counter(error.kind for error in errors if label in (None, error.row.label))
    taken = sum(
        error.kind == "label" and error.predicted is not None and label in (None, error.predicted.label)
        for error in errors
    )
    precision, recall, f1 = (Score(*ends) for ends in scores)
    tp, fp, fn = counts
    return LabelScores(label, precision, recall, f1, tp, fp, fn, {kind: kinds[kind] for kind in KINDS}, taken)


def _worst_first(errors: Sequence[SpanError]) -> dict[Hashable, list[SpanError]]:
    by_document: dict[Hashable, list[SpanError]] = {}
    for error in errors:
        by_document.setdefault(error.row.document, []).append(error)
    worst = sorted(by_document.items(), key=lambda item: (-sum(2 - (None in e[1:]) for e in item[1]), str(item[0])))
    return dict(worst)


def _bins(right: set[SpanRow], scores: Mapping[SpanRow, float]) -> list[Bin]:
    if not scores:
        return []
    return reliability(np.asarray(list(scores.values())), np.asarray([row in right for row in scores], dtype=bool))
