"""``doc._.relations``: a list (from a DocBin: a tuple) of dicts ``head``, ``tail`` (int), ``label`` (str) and, where
predicted, ``score`` (float); None where nothing is known of relations.
"""

from __future__ import annotations

from typing import NamedTuple

from spacy.tokens import Doc, Span


class Related(NamedTuple):
    """A relation with its spans instead of their indices; a gold one has the score 1."""

    label: str
    head: Span
    tail: Span
    score: float


def set_relations_extension() -> None:
    """Make ``doc._.relations`` (default None) and ``doc._.relations_of`` known to spaCy; calling it again changes
    nothing."""
    if not Doc.has_extension("relations"):
        Doc.set_extension("relations", default=None)
    if not Doc.has_extension("relations_of"):
        Doc.set_extension("relations_of", method=relations_of)


def relations_of(doc: Doc, span: Span | None = None, spans_key: str = "sc") -> list[Related]:
    """The relations that ``span`` is the head or the tail of, or all of them, as spans of ``doc.spans[spans_key]``.

    A span is found by its words and label. Called as ``doc._.relations_of(span)``.
    """
    if not doc._.relations:
        return []
    group = doc.spans[spans_key]
    found = [
        Related(r["label"], group[r["head"]], group[r["tail"]], float(r.get("score", 1.0)))
        for r in doc._.relations
    ]
    if span is None:
        return found
    wanted = (span.start, span.end, span.label)
    return [r for r in found if wanted in ((s.start, s.end, s.label) for s in (r.head, r.tail))]
