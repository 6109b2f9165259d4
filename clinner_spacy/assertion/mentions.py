"""From scopes to mentions: which of them each scope is about.

A mention is under a scope if its head is. The head is its first word that belongs to no cue of the scope's category,
for a scope holds whole noun phrases: that of "[dolor sin irradiación]" lies before the scope, that of "[ausencia de
fiebre]", "fiebre", within. Of a mention that is all cue the head is its first word: a cue is about what follows its own
first word ("sin [signos] de"), and about nothing where the mention is the whole of it ("[afebril]"), which itself says
what is not there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from spacy.tokens import Doc, Span

from clinner_spacy.assertion.categories import CATEGORIES
from clinner_spacy.assertion.scopes import Scope


class Assertion(NamedTuple):
    """What is said of one mention: for each category it is under, the scope that says so."""

    scopes: dict[str, Scope]

    def score(self, category: str) -> float:
        """How probable it is that the mention is under the category: 0 where no scope says so."""
        return self.scopes[category].score if category in self.scopes else 0.0


def assert_spans(doc: Doc, spans: Sequence[Span], scopes: Sequence[Scope]) -> list[Assertion]:
    """What the scopes say of each span; of several of a category, the one whose cue is nearest to the span's head."""
    found: list[dict[str, Scope]] = [{} for _ in spans]
    for category in CATEGORIES:
        of_category = [scope for scope in scopes if scope.category == category]
        if not of_category:
            continue
        nearest, in_cue = _paint(len(doc), of_category)
        for said, span in zip(found, spans, strict=True):
            if not len(span):
                continue
            number = nearest[span.start + int(in_cue[span.start : span.end].argmin())]
            if number >= 0:
                said[category] = of_category[number]
    return [Assertion(said) for said in found]


def _paint(n_words: int, scopes: Sequence[Scope]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """int (n_words,): the number of the scope over each word, of several the one with the nearest cue, or -1; bool
    (n_words,): is the word part of a cue."""
    nearest = np.full(n_words, -1)
    distance = np.full(n_words, n_words + 1)
    in_cue = np.zeros(n_words, dtype=bool)
    for number, scope in enumerate(scopes):
        in_cue[scope.cue_start : scope.cue_end] = True
        words = np.append(np.arange(scope.cue_start + 1, scope.cue_end), np.arange(scope.start, scope.end))
        away = np.maximum(0, np.maximum(scope.cue_start - words, words - scope.cue_end + 1))
        closer = away < distance[words]
        nearest[words[closer]] = number
        distance[words[closer]] = away[closer]
    return nearest, in_cue
