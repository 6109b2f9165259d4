"""What the commands find in a text: mentions and the relations between them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from clinner_spacy.corpora.document import Document, Mention, Relation


class Found(NamedTuple):
    """A mention in characters, trimmed, with its label and score, and what it is, as negated."""

    start: int
    end: int
    label: str
    score: float
    attributes: frozenset[str] = frozenset()


class AnnotatedText(NamedTuple):
    """A text and what was found in it, in text order; relations are dicts whose head and tail are indices into
    ``found``."""

    name: str
    text: str
    found: list[Found]
    relations: Sequence[dict[str, Any]] = ()

    def to_document(self) -> Document:
        mentions = [
            Mention(found.label, ((found.start, found.end),), id=f"T{n}", attributes=found.attributes)
            for n, found in enumerate(self.found, 1)
        ]
        relations = [Relation(r["label"], f"T{r['head'] + 1}", f"T{r['tail'] + 1}") for r in self.relations]
        return Document(self.name, self.text, {"sc": mentions}, relations)
