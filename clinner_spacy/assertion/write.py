"""Scopes and what they say of mentions -> the Doc: spans of their own, attributes of groups and of spans."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from spacy.tokens import Doc, Span, SpanGroup

from clinner_spacy.assertion.categories import ATTRIBUTES, CATEGORIES
from clinner_spacy.assertion.mentions import Assertion
from clinner_spacy.assertion.scopes import Scope


def register_extensions() -> None:
    """Let spans have ``_.is_negated`` and its like, medspaCy's names; another package's of that name is left alone."""
    for attribute in ATTRIBUTES:
        if not Span.has_extension(f"is_{attribute}"):
            Span.set_extension(f"is_{attribute}", default=False)


def write_scopes(doc: Doc, scopes: Sequence[Scope], key: str) -> None:
    """Put cues and scopes into ``doc.spans[key]``, in text order, their probabilities into its ``attrs["scores"]``."""
    rows: dict[tuple[int, int, str], float] = {}
    for scope in scopes:
        category = CATEGORIES[scope.category]
        for start, end, label in (
            (scope.cue_start, scope.cue_end, category.cue),
            (scope.start, scope.end, category.scope),
        ):
            if start < end:
                rows[start, end, label] = max(scope.score, rows.get((start, end, label), 0.0))
    places = sorted(rows)
    spans = [Span(doc, start, end, label=label) for start, end, label in places]
    doc.spans[key] = SpanGroup(doc, name=key, spans=spans, attrs={"scores": [rows[place] for place in places]})


def write_assertions(doc: Doc, spans: Sequence[Span], said: Sequence[Assertion]) -> None:
    """Set ``is_negated`` and its like of each span, by its bounds."""
    for span, assertion in zip(spans, said, strict=True):
        for category, names in CATEGORIES.items():
            span._.set(f"is_{names.attribute}", category in assertion.scopes)


def group_attributes(doc: Doc, said: Sequence[Assertion]) -> dict[str, list[Any]]:
    """What a span group keeps, parallel to its spans, as plain data.

    ``negated`` and its like are probabilities, 0 where no scope says so; ``negated_cue`` and ``negated_scope`` are
    [first character, character behind the last] or None.
    """
    attrs: dict[str, list[Any]] = {}
    for category, names in CATEGORIES.items():
        scopes = [assertion.scopes.get(category) for assertion in said]
        attrs[names.attribute] = [assertion.score(category) for assertion in said]
        cues = [scope and _characters(doc, scope.cue_start, scope.cue_end) for scope in scopes]
        attrs[f"{names.attribute}_cue"] = cues
        attrs[f"{names.attribute}_scope"] = [scope and _characters(doc, scope.start, scope.end) for scope in scopes]
    return attrs


def _characters(doc: Doc, start: int, end: int) -> list[int]:
    span = doc[start:end]
    return [span.start_char, span.end_char]
