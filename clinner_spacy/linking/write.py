"""Codes -> span groups, and what is linked of them."""

from __future__ import annotations

from collections.abc import Sequence

from spacy.tokens import Doc, Span, SpanGroup

from clinner_spacy.linking.linker import Candidate, Mention
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
