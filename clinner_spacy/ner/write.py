"""Predicted spans -> ``doc.spans`` and ``doc.ents``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from spacy.tokens import Doc, Span, SpanGroup

from clinner_spacy.ner.decode import Prediction

#: The score of a span that stood in the group without one, from a rule or an annotator.
CERTAIN = 1.0


def annotate_spans(doc: Doc, found: Sequence[Prediction], key: str) -> None:
    """Add spans to ``doc.spans[key]`` and their scores to its ``attrs["scores"]``, a float32 array in the same order.

    What stands there already stays, with its score; a span that stands there with the same label is not added twice.
    Where units other than the Doc's words were tagged, ``attrs["characters"]`` has the exact [start, end] of each span
    in the text, or None for one from elsewhere, in the same order; two spans may then lie on the same words.
    """
    group = doc.spans.get(key)
    old = list(group) if group is not None else []
    scores = np.full(len(old), CERTAIN, dtype=np.float32)
    if group is not None and len(group.attrs.get("scores", ())) == len(old):
        scores = np.asarray(group.attrs["scores"], dtype=np.float32)
    known = {(span.start, span.end, span.label_) for span in old}
    new = [p for p in found if (p.start, p.end, p.label) not in known]
    spans = [Span(doc, p.start, p.end, label=p.label) for p in new]
    attrs = dict(group.attrs) if group is not None else {}
    attrs["scores"] = np.concatenate([scores, np.asarray([p.score for p in new], dtype=np.float32)])
    exact = [list(p.characters) if p.characters else None for p in new]
    if any(exact) or "characters" in attrs:
        attrs["characters"] = [*attrs.get("characters", [None] * len(old)), *exact]
    doc.spans[key] = SpanGroup(doc, name=key, spans=[*old, *spans], attrs=attrs)


def annotate_ents(doc: Doc, found: Iterable[Prediction]) -> None:
    """Add a flat choice to ``doc.ents``: the best score first, then the longer; entities already there are kept."""
    ents = list(doc.ents)
    taken = np.zeros(len(doc), dtype=bool)
    for ent in ents:
        taken[ent.start : ent.end] = True
    for p in sorted(found, key=lambda p: (-p.score, p.start - p.end, p.start)):
        if not taken[p.start : p.end].any():
            taken[p.start : p.end] = True
            ents.append(Span(doc, p.start, p.end, label=p.label))
    doc.set_ents(ents)
