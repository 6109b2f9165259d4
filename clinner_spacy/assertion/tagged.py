"""Scopes that a tagger has found: which cue each belongs to, and what rules know better."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence

from spacy.tokens import Doc

from clinner_spacy.assertion.categories import CATEGORIES, TAGGED
from clinner_spacy.assertion.cues import Cue
from clinner_spacy.assertion.scopes import Scope
from clinner_spacy.ner.decode import Prediction
from clinner_spacy.ner.write import ANY_TASK

DENIAL, DOUBT = "NEGATED_EXISTENCE", "POSSIBLE_EXISTENCE"


def pair_cues(found: Iterable[Prediction]) -> list[Scope]:
    """Scopes out of spans labelled as cues and scopes, as a tagger finds them (NEG, NSCO, UNC, USCO).

    A scope's cue is the nearest one, of two as near the one before it; a scope without any has an empty cue.
    """
    found = list(found)
    scopes = []
    for name, category in CATEGORIES.items():
        cues = sorted((p.start, p.end) for p in found if p.label == category.cue)
        for p in found:
            if p.label == category.scope:
                place = bisect_left(cues, (p.start, p.start))
                near = cues[max(0, place - 1) : place + 1]
                none = (p.start, p.start)
                start, end = min(near, key=lambda cue: max(cue[0] - p.end, p.start - cue[1]), default=none)
                scopes.append(Scope(name, p.start, p.end, start, end, p.score))
    return scopes


def join(tagged: Iterable[Scope], by_rule: Iterable[Scope], cues: Sequence[Cue], lines: Sequence[int]) -> list[Scope]:
    """A tagger's scopes of negation and uncertainty, and those that rules find; lines: the words that end a line.

    Beside a tagger rules tell all of the other categories. Of these two they tell what running text, that taggers learn
    from, has little of: what lies before its cue ("tumor: no", "fractura?") and what goes over a line end (the list
    below "Niega:"). A tagged scope whose cue is part of a pseudo-cue ("no solo") is none, and a denial that is part of
    a longer cue of doubt ("no se descarta") is that doubt.
    """
    denied = _denied(cues)
    said: list[Scope] = []
    wrong: set[int] = set()  # words of the tagger's cues that are none
    for scope in tagged:
        words = _cue_words(scope)
        if any((scope.category, word) in denied for word in words):
            wrong.update(words)
        else:
            said.append(scope)
    return said + [
        scope
        for scope in by_rule
        if scope.category not in TAGGED
        or scope.end <= scope.cue_start
        or _goes_over(scope, lines)
        or not wrong.isdisjoint(_cue_words(scope))
    ]


def _cue_words(scope: Scope) -> range:
    return range(scope.cue_start, scope.cue_end)


def _goes_over(scope: Scope, lines: Sequence[int]) -> bool:
    """Does a line end between a scope's cue and the scope's end?"""
    place = bisect_left(lines, scope.cue_end)
    return place < len(lines) and lines[place] < scope.end


def _denied(cues: Iterable[Cue]) -> set[tuple[str, int]]:
    """Where a tagger's cue of a category is part of something else: (category, word)."""
    denied: set[tuple[str, int]] = set()
    for cue in cues:
        category, direction = cue.rule.category, cue.rule.direction
        if category == DOUBT and direction not in ("PSEUDO", "TERMINATE") and cue.end - cue.start > 1:
            denied.update((DENIAL, word) for word in range(cue.start, cue.end))
        elif direction == "PSEUDO":
            denied.update((category, word) for word in range(cue.start, cue.end))
    return denied


def written_scopes(doc: Doc, key: str) -> list[Scope]:
    """The scopes that ``doc.spans[key]`` tells of."""
    group = doc.spans.get(key, ())
    return pair_cues(Prediction(span.start, span.end, span.label_, 1.0, ANY_TASK) for span in group)
