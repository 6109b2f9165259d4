"""The five things said of a mention, and what each is called where."""

from __future__ import annotations

from typing import NamedTuple

from spacy.tokens import SpanGroup


class Category(NamedTuple):
    """attribute: of ``doc.spans[…].attrs``; ``is_<attribute>`` of a span. cue, scope: labels in ``doc.spans``."""

    attribute: str
    cue: str
    scope: str


#: By ConText's names, as medspaCy has them. The labels of the first two are those of NUBes.
CATEGORIES = {
    "NEGATED_EXISTENCE": Category("negated", "NEG", "NSCO"),
    "POSSIBLE_EXISTENCE": Category("uncertain", "UNC", "USCO"),
    "FAMILY": Category("family", "FAMILY", "FAMILY_SCOPE"),
    "HISTORICAL": Category("historical", "HISTORICAL", "HISTORICAL_SCOPE"),
    "HYPOTHETICAL": Category("hypothetical", "HYPOTHETICAL", "HYPOTHETICAL_SCOPE"),
}

#: What a span is asked for, in order.
ATTRIBUTES = tuple(category.attribute for category in CATEGORIES.values())

#: Those that a tagger of scopes tells; the others are told by rules in every language.
TAGGED = ("NEGATED_EXISTENCE", "POSSIBLE_EXISTENCE")

#: From this probability on a span has an attribute.
TRUE = 0.5


def attributes_of(group: SpanGroup) -> list[frozenset[str]]:
    """What each span of a group is, by the lists in its ``attrs`` that are parallel to its spans."""
    known = [name for name in ATTRIBUTES if len(group.attrs.get(name, ())) == len(group)]
    return [frozenset(name for name in known if group.attrs[name][n] >= TRUE) for n in range(len(group))]
