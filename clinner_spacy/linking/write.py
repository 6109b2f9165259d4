"""Codes -> span groups, and what is linked of them."""

from __future__ import annotations

from collections.abc import Sequence

from spacy.tokens import Doc, Span, SpanGroup

from clinner_spacy.linking.linker import Candidate, Mention
from clinner_spacy.linking.source import Source
from clinner_spacy.ner.write import span_characters


def mentions_in(group: SpanGroup | Sequence[Span]) -> list[Mention]:
    """Text and label of each span, the text by its exact characters where they are known."""
    mentions = []
    for span, characters in zip(group, span_characters(group), strict=True):
        text = span.text if characters is None else span.doc.text[characters[0] : characters[1]]
        mentions.append(Mention(text, span.label_))
    return mentions


def best_code(candidates: Sequence[Candidate], threshold: float) -> str:
    """The code of the best candidate if its score reaches the threshold, else ""."""
    return candidates[0].code if candidates and candidates[0].score >= threshold else ""


def write_codes(doc: Doc, key: str, found: Sequence[Sequence[Candidate]], threshold: float) -> None:
    """Give each span of ``doc.spans[key]`` its code as ``kb_id_``, and the group's ``attrs`` the lists "codes" and
    "candidates"."""
    group = doc.spans[key]
    codes = [best_code(candidates, threshold) for candidates in found]
    spans = [
        Span(doc, span.start, span.end, label=span.label, kb_id=code, span_id=span.id)
        for span, code in zip(group, codes, strict=True)
    ]
    attrs = dict(group.attrs) | {
        "codes": codes,
        "candidates": [[candidate._asdict() for candidate in candidates] for candidates in found],
    }
    doc.spans[key] = SpanGroup(doc, name=key, spans=spans, attrs=attrs)


def write_entity_codes(doc: Doc, found: Sequence[Sequence[Candidate]], threshold: float, source: Source) -> None:
    """Give each entity its code as ``kb_id_``; what the other tokens are, blocked or missing, stays.

    A code that an entity has already and that is none of the source's stays if there is no better: it is another
    component's.
    """
    ents = []
    for ent, candidates in zip(doc.ents, found, strict=True):
        code = best_code(candidates, threshold)
        if not code and ent.kb_id_ and ent.kb_id_ not in source.codes:
            code = ent.kb_id_
        ents.append(Span(doc, ent.start, ent.end, label=ent.label, kb_id=code, span_id=ent.id))
    doc.set_ents(ents, default="unmodified")
