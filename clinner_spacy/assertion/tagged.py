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


def join(tagged: Iterable[Scope], by_rule: Iterable[Scope], cues: Sequence[Cue]) -> list[Scope]:
    """A tagger's scopes of negation and uncertainty, and those that rules find.

    Beside a tagger rules tell all of the other categories; of these two only what lies before its cue ("tumor: no",
    "fractura?"), which running text, that taggers learn from, has little of. A tagged scope whose cue is part of a
    pseudo-cue ("no solo") is none.
    """
    pseudo_cues = [cue for cue in cues if cue.rule.direction == "PSEUDO"]
    pseudo = {(cue.rule.category, word) for cue in pseudo_cues for word in range(cue.start, cue.end)}
    said = [s for s in tagged if not any((s.category, word) in pseudo for word in range(s.cue_start, s.cue_end))]
    return said + [s for s in by_rule if s.category not in TAGGED or s.end <= s.cue_start]


def written_scopes(doc: Doc, key: str) -> list[Scope]:
    """The scopes that ``doc.spans[key]`` tells of."""
    group = doc.spans.get(key, ())
    return pair_cues(Prediction(span.start, span.end, span.label_, 1.0, ANY_TASK) for span in group)
