"""Do scores mean what they say? Mentions judged right or wrong, reliability tables, expected calibration error.

A mention is right if the gold holds the same characters with the same label in the same task, which is what strict
precision counts. A document whose reference lacks a task's group was not annotated for it and does not count there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from spacy.tokens import Span
from spacy.training import Example

from clinner_spacy.ner.calibration import fit_beta_map
from clinner_spacy.ner.write import ANY_TASK, span_tasks

N_BINS = 10

#: Parts that documents are dealt into for cross-validation.
N_FOLDS = 5


#: A document: the file or folder it comes from, and its number there.
DocumentKey = tuple[str, int]


class JudgedSpan(NamedTuple):
    """A predicted span of an annotated document: its score, and whether the gold holds it."""

    document: DocumentKey
    task: str
    label: str
    score: float
    right: bool


class Bin(NamedTuple):
    """Mentions that score from ``low`` to ``high``: their number, their mean score and the share that is right."""

    low: float
    high: float
    size: int
    score: float
    right: float


def judge_spans(
    examples: Iterable[Example], tasks: Mapping[str, Sequence[str]], spans_key: str = "sc", source: str = ""
) -> list[JudgedSpan]:
    """Judge ``predicted.spans[spans_key]`` against ``reference.spans[task]``; ``source`` is where examples come from.

    Spans that stand there without a score, from a rule or another component, are not judged.
    """
    judged: list[JudgedSpan] = []
    for number, example in enumerate(examples):
        group = example.predicted.spans.get(spans_key)
        scores = group.attrs.get("scores", ()) if group is not None else ()
        if group is None or len(scores) != len(group):
            continue
        for task, labels in tasks.items():
            if task in example.reference.spans:
                gold = set(map(_place, example.reference.spans[task]))
                judged += [
                    JudgedSpan((source, number), task, span.label_, float(score), _place(span) in gold)
                    for span, score, found_for in zip(group, scores, span_tasks(group), strict=True)
                    if span.label_ in labels and found_for in (task, ANY_TASK)
                ]
    return judged


def reliability(
    scores: NDArray[np.floating], right: NDArray[np.bool_], n_bins: int = N_BINS
) -> list[Bin]:
    """The bins of equal width that hold a mention, from low to high scores. scores, right: (n_mentions,)."""
    number = np.minimum((np.asarray(scores, dtype=np.float64) * n_bins).astype(int), n_bins - 1)
    bins = []
    for n in np.unique(number).tolist():
        inside = number == n
        means = float(np.mean(scores[inside])), float(np.mean(right[inside]))
        bins.append(Bin(n / n_bins, (n + 1) / n_bins, int(inside.sum()), *means))
    return bins


def calibration_error(scores: NDArray[np.floating], right: NDArray[np.bool_], n_bins: int = N_BINS) -> float | None:
    """The expected calibration error: the mean over mentions of |mean score - share right| of their bin; None of none.

    Source: Naeini, Cooper, Hauskrecht (2015), "Obtaining well calibrated probabilities using Bayesian binning", AAAI.
    """
    if not len(scores):
        return None
    bins = reliability(scores, right, n_bins)
    return sum(b.size * abs(b.score - b.right) for b in bins) / len(scores)


def score_calibration(
    examples: Iterable[Example], tasks: Mapping[str, Sequence[str]], spans_key: str = "sc"
) -> dict[str, float | None]:
    """The expected calibration error of all mentions, ``spans_sc_ece``, and of each task's, as ``disease_ece``."""
    judged = judge_spans(examples, tasks, spans_key)
    parts = {f"spans_{spans_key}": judged} | {task: [span for span in judged if span.task == task] for task in tasks}
    return {f"{name}_ece": calibration_error(*as_arrays(spans)) for name, spans in parts.items()}


def as_arrays(judged: Sequence[JudgedSpan]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Scores and what is right: (n_mentions,) each."""
    return np.asarray([span.score for span in judged]), np.asarray([span.right for span in judged], dtype=bool)


def folds(documents: Sequence[DocumentKey], n_folds: int = N_FOLDS) -> NDArray[np.int64]:
    """The fold of each entry of ``documents``, dealt document by document in an order that is always the same."""
    names = list(dict.fromkeys(documents))
    order = np.random.default_rng(0).permutation(len(names)) % n_folds
    fold = dict(zip(names, order.tolist(), strict=True))
    return np.asarray([fold[name] for name in documents], dtype=np.int64)


def cross_calibrated(judged: Sequence[JudgedSpan]) -> list[JudgedSpan]:
    """One task's mentions with calibrated scores, each by a map that was fitted to other documents."""
    scores, right = as_arrays(judged)
    fold = folds([span.document for span in judged])
    calibrated = np.empty_like(scores)
    for n in np.unique(fold):
        held = fold == n
        calibrated[held] = fit_beta_map(scores[~held], right[~held])(scores[held])
    return [span._replace(score=score) for span, score in zip(judged, calibrated.tolist(), strict=True)]


def _place(span: Span) -> tuple[str, int, int]:
    return span.label_, span.start_char, span.end_char
