"""The five things said of a mention, and what each is called where."""

from __future__ import annotations

from typing import NamedTuple


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
