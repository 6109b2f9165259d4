"""The registered scorer ``clinner.assertion_scorer.v1``: P/R/F1 of each attribute, over gold spans and end to end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from spacy.tokens import Doc, SpanGroup
from spacy.training import Example

from clinner_spacy.assertion.categories import ATTRIBUTES, CATEGORIES, attributes_of
from clinner_spacy.assertion.mentions import assert_spans
from clinner_spacy.assertion.tagged import written_scopes
from clinner_spacy.scoring.spans import SpanRow, strict_scores


def make_assertion_scorer() -> Callable[..., dict[str, Any]]:
    """A scorer to be called as :func:`score_assertions`."""
    return score_assertions


def score_assertions(
    examples: Iterable[Example], *, spans_key: str = "sc", scopes_key: str = "assertion", **kwargs: Any
) -> dict[str, Any]:
    """Score the attributes negated, uncertain, family, historical and hypothetical.

    Gold are the span groups of the reference whose ``attrs`` have a list of the attribute's name, parallel to their
    spans; a group without it was not annotated for it and does not count. Over gold spans, that is what the predicted
    scopes (``predicted.spans[scopes_key]``) say of them: ``negated_gold_p``, ``_r`` and ``_f``. End to end, over
    ``predicted.spans[spans_key]``: ``negated_p``, ``_r`` and ``_f``; a span is right if it has the bounds and the label
    of a gold one that has the attribute, too. A label that no reference has was not annotated; found spans of it do not
    count. Numbers are from 0 to 1, or None where nothing was annotated.
    """
    gold: dict[str, list[SpanRow]] = {}
    over_gold: dict[str, list[SpanRow]] = {}
    found: dict[str, list[SpanRow]] = {}
    labels: dict[str, set[str]] = {}
    for number, example in enumerate(examples):
        for attribute, groups in _annotated(example.reference).items():
            gold.setdefault(attribute, []).extend(row for group in groups for row in _rows(number, group, attribute))
            said = over_gold.setdefault(attribute, [])
            for group in groups:
                said += _said(number, example.predicted, group, attribute, scopes_key)
            predicted = example.predicted.spans.get(spans_key)
            labels.setdefault(attribute, set()).update(span.label_ for group in groups for span in group)
            if predicted is not None:
                found.setdefault(attribute, []).extend(_rows(number, predicted, attribute))
    counted = {attribute: [row for row in rows if row.label in labels[attribute]] for attribute, rows in found.items()}
    scores: dict[str, Any] = {}
    for attribute in ATTRIBUTES:
        for prefix, side in ((f"{attribute}_gold", over_gold), (attribute, counted)):
            measures = strict_scores(gold[attribute], side.get(attribute, [])) if attribute in gold else None
            for name in ("precision", "recall", "f1"):
                scores[f"{prefix}_{name[0]}"] = measures and measures[name]
    return scores


def _annotated(doc: Doc) -> dict[str, list[SpanGroup]]:
    """Attribute -> the groups that it was annotated in."""
    groups: dict[str, list[SpanGroup]] = {}
    for group in doc.spans.values():
        for attribute in ATTRIBUTES:
            if len(group.attrs.get(attribute, ())) == len(group) and attribute in group.attrs:
                groups.setdefault(attribute, []).append(group)
    return groups


def _rows(number: int, group: SpanGroup, attribute: str) -> Iterator[SpanRow]:
    """The spans of a group that have the attribute."""
    for span, attributes in zip(group, attributes_of(group), strict=True):
        if attribute in attributes:
            yield SpanRow(number, span.label_, span.start_char, span.end_char)


def _said(number: int, doc: Doc, gold: SpanGroup, attribute: str, scopes_key: str) -> Iterator[SpanRow]:
    """The gold spans that the scopes of a predicted document say to have the attribute."""
    places = [(span.label_, span.start_char, span.end_char) for span in gold]
    spans = [doc.char_span(start, end, alignment_mode="expand") or doc[0:0] for _, start, end in places]
    said = assert_spans(doc, spans, written_scopes(doc, scopes_key))
    for place, assertion in zip(places, said, strict=True):
        if any(CATEGORIES[category].attribute == attribute for category in assertion.scopes):
            yield SpanRow(number, *place)
