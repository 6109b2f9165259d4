"""Predicted spans -> ``doc.spans`` and ``doc.ents``, and what a group says of its spans."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from spacy.tokens import Doc, Span, SpanGroup

from clinner_spacy.ner.decode import Prediction

#: The score of a span that stood in the group without one, from a rule or an annotator.
CERTAIN = 1.0

#: The task of such a span: it belongs to every task that has its label.
ANY_TASK = ""


def annotate_spans(doc: Doc, found: Sequence[Prediction], key: str) -> None:
    """Add spans to ``doc.spans[key]``, and in the same order their scores, a float32 array, to its ``attrs["scores"]``
    and their tasks, a list of names, to its ``attrs["tasks"]``.

    What stands there already stays, with its score and task; a span that stands there with the same label, for the same
    task or for any, is not added twice. Where units other than the Doc's words were tagged,
    ``attrs["characters"]`` has the exact [start, end] of each span in the text, or None for one from elsewhere; two
    spans may then lie on the same words.
    """
    group = doc.spans.get(key, ())
    old, scores, tasks = list(group), span_scores(group), span_tasks(group)
    known = {(span.start, span.end, span.label_, task) for span, task in zip(old, tasks, strict=True)}
    new = [p for p in found if known.isdisjoint((p.start, p.end, p.label, task) for task in (p.task, ANY_TASK))]
    spans = [Span(doc, p.start, p.end, label=p.label) for p in new]
    attrs = dict(group.attrs) if isinstance(group, SpanGroup) else {}
    attrs["scores"] = np.concatenate([scores, np.asarray([p.score for p in new], dtype=np.float32)])
    attrs["tasks"] = [*tasks, *(p.task for p in new)]
    characters = [*span_characters(group), *(list(p.characters) if p.characters else None for p in new)]
    if any(characters):
        attrs["characters"] = characters
    doc.spans[key] = SpanGroup(doc, name=key, spans=[*old, *spans], attrs=attrs)


def span_scores(group: SpanGroup | Sequence[Span]) -> NDArray[np.float32]:
    """The score of each span of a group, float32 (n_spans,); :data:`CERTAIN` where none was given."""
    return np.asarray(span_values(group, "scores", CERTAIN), dtype=np.float32)


def span_tasks(group: SpanGroup | Sequence[Span]) -> list[str]:
    """The task of each span of a group; :data:`ANY_TASK` where none was given."""
    return [str(task) for task in span_values(group, "tasks", ANY_TASK)]


def span_characters(group: SpanGroup | Sequence[Span]) -> list[list[int] | None]:
    """The exact [start, end] of each span of a group in the text, None where its words say it."""
    return span_values(group, "characters", None)


def span_values(group: SpanGroup | Sequence[Span], name: str, default: float | str | None) -> list[Any]:
    """What ``attrs[name]`` says of each span. Spans that others added stand last; where spans were taken out, nothing
    is known of any."""
    given = list(group.attrs.get(name, ())) if isinstance(group, SpanGroup) else []
    if len(given) > len(group):
        given = []
    return given + [default] * (len(group) - len(given))


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
