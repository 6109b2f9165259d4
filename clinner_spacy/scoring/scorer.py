"""The registered scorer ``clinner.span_scorer.v1``: strict and character-overlap F1 a task, overlapping spans kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from spacy.tokens import Doc, Span
from spacy.training import Example

from clinner_spacy.ner.write import ANY_TASK, span_tasks
from clinner_spacy.scoring.calibration import score_calibration
from clinner_spacy.scoring.spans import SpanRow, char_scores, strict_scores

Rows = list[SpanRow]


def make_span_scorer() -> Callable[..., dict[str, Any]]:
    """The scorer that "multiclin_ner" calls with its examples, tasks and ``spans_key``; see :func:`score_tasks`."""
    return score_component


def score_component(
    examples: Iterable[Example], *, tasks: Mapping[str, Sequence[str]], spans_key: str = "sc", **kwargs: Any
) -> dict[str, Any]:
    """:func:`score_tasks` and :func:`~clinner_spacy.scoring.calibration.score_calibration` with the keywords of a
    component's ``score``; others are let pass. No closure: it pickles."""
    examples = list(examples)
    return {**score_tasks(examples, tasks, spans_key), **score_calibration(examples, tasks, spans_key)}


def score_tasks(
    examples: Iterable[Example], tasks: Mapping[str, Sequence[str]], spans_key: str = "sc"
) -> dict[str, Any]:
    """Score ``predicted.spans[spans_key]`` against ``reference.spans[task]`` for each task (name -> its labels).

    A document whose reference lacks a task's group was not annotated for it and does not count there. A predicted span
    belongs to its task in ``attrs["tasks"]`` of the group, without one to each task that has its label; where the key
    is absent, the entities are the prediction. Spans match by
    character offsets, so the tokens of the two Docs may differ. Measures are those of
    :mod:`clinner_spacy.scoring.spans`, from 0 to 1, or None where no document was annotated: strict ``spans_sc_p``,
    ``_r`` and ``_f`` over all tasks and ``spans_sc_per_type`` a label, character overlap ``spans_sc_char_p``,
    ``_char_r`` and ``_char_f``; the same under each task's name (``disease_f``, …).
    """
    gold: dict[str, Rows] = {}
    predicted: dict[str, Rows] = {}
    for number, example in enumerate(examples):
        for task, labels in tasks.items():
            if task in example.reference.spans:
                gold.setdefault(task, []).extend(_rows(example.reference.spans[task], number, task))
                found = _of_task(example.predicted, spans_key, task, labels)
                predicted.setdefault(task, []).extend(_rows(found, number, task))
    scores: dict[str, Any] = {}
    for task in tasks:
        scores.update(_named(task, gold.get(task), predicted.get(task)))
    all_gold, all_predicted = ([row for rows in side.values() for row in rows] for side in (gold, predicted))
    scores.update(_named(f"spans_{spans_key}", all_gold if gold else None, all_predicted))
    scores[f"spans_{spans_key}_per_type"] = _per_label(all_gold, all_predicted) if gold else None
    return scores


def _of_task(doc: Doc, key: str, task: str, labels: Sequence[str]) -> list[Span]:
    """The spans under a key, or the entities where it is absent, that were found for a task or may have been."""
    group = doc.spans.get(key, doc.ents)
    both = zip(group, span_tasks(group), strict=True)
    return [span for span, found_for in both if found_for in (task, ANY_TASK) and span.label_ in labels]


def _rows(spans: Iterable[Span], number: int, task: str) -> Rows:
    """The task in the document's name keeps tasks apart."""
    return [SpanRow((number, task), span.label_, span.start_char, span.end_char) for span in spans]


def _named(name: str, gold: Rows | None, predicted: Rows | None) -> dict[str, float | None]:
    """Strict and character measures under ``name_p``, ``name_char_p`` and so on; None for a task not annotated."""
    if gold is None or predicted is None:
        return {f"{name}{kind}_{letter}": None for kind in ("", "_char") for letter in "prf"}
    return {
        **_letters(f"{name}_", strict_scores(gold, predicted)),
        **_letters(f"{name}_char_", char_scores(gold, predicted)),
    }


def _per_label(gold: Rows, predicted: Rows) -> dict[str, dict[str, float]]:
    sides: dict[str, tuple[Rows, Rows]] = defaultdict(lambda: ([], []))
    for side, rows in enumerate((gold, predicted)):
        for row in rows:
            sides[row.label][side].append(row)
    return {label: _letters("", strict_scores(*both)) for label, both in sorted(sides.items())}


def _letters(prefix: str, measures: Mapping[str, float]) -> dict[str, float]:
    return {prefix + name[0]: measures[name] for name in ("precision", "recall", "f1")}
