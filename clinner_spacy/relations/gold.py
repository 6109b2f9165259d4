"""Gold relations of an Example -> candidate pairs over the predicted Doc's words, and what each pair's labels are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from spacy.tokens import Doc, SpanGroup
from spacy.training import Example

from clinner_spacy.errors import ClinnerError
from clinner_spacy.relations.candidates import Candidates, Place


def relations_of_doc(doc: Doc, n_spans: int | None = None) -> list[Mapping[str, Any]]:
    """``doc._.relations``, empty where there is none; ``n_spans`` checks that they point to that many spans.

    Raises ClinnerError for a relation that points outside the group.
    """
    found = list(doc._.relations or ()) if Doc.has_extension("relations") else []
    for relation in found:
        if n_spans is not None and not (0 <= relation["head"] < n_spans and 0 <= relation["tail"] < n_spans):
            raise ClinnerError(
                f"A relation {relation['label']!r} points to the spans {relation['head']} and {relation['tail']}, but "
                f"the group has {n_spans}; store the relations together with the group that they were made for."
            )
    return found


def gold_spans(example: Example, spans_key: str) -> list[Place] | None:
    """The reference's spans over the predicted Doc's words, widened to whole words where the two Docs differ.

    None where the reference has no such group: nothing was annotated. Raises ClinnerError where a span lies beyond the
    predicted Doc's text.
    """
    doc, reference = example.predicted, example.reference
    if spans_key not in reference.spans:
        return None
    group: SpanGroup = reference.spans[spans_key]
    if [token.idx for token in doc] == [token.idx for token in reference]:
        return [Place(span.start, span.end, span.label_) for span in group]
    carried: list[Any] = [doc.char_span(s.start_char, s.end_char, s.label, alignment_mode="expand") for s in group]
    if any(span is None for span in carried):
        raise ClinnerError(f"Gold in doc.spans[{spans_key!r}] lies beyond the text it is of; the two texts differ.")
    return [Place(span.start, span.end, span.label_) for span in carried]


def gold_targets(
    candidates: Candidates, relations: Iterable[Mapping[str, Any]], labels: Sequence[str], null: bool
) -> NDArray[np.float32]:
    """float (n_pairs, n_labels): 1 shared between a pair's labels; 1 for the first label, the null one, where none is.

    Without a null label a pair in no relation has zeros: it has nothing to teach.
    """
    pairs = zip(candidates.heads.tolist(), candidates.tails.tolist(), strict=True)
    row_of = {pair: n for n, pair in enumerate(pairs)}
    column_of = {label: n for n, label in enumerate(labels)}
    targets = np.zeros((len(row_of), len(labels)), dtype=np.float32)
    for relation in relations:
        row = row_of.get((relation["head"], relation["tail"]))
        if row is not None and relation["label"] in column_of:
            targets[row, column_of[relation["label"]]] = 1.0
    total = targets.sum(axis=1, keepdims=True)
    if null:
        targets[total[:, 0] == 0, 0] = 1.0
    return targets / np.maximum(total, 1.0)


def lost(candidates: Candidates, relations: Iterable[Mapping[str, Any]]) -> int:
    """How many relations stand between spans that are no candidate pair."""
    there = set(zip(candidates.heads.tolist(), candidates.tails.tolist(), strict=True))
    return sum((relation["head"], relation["tail"]) not in there for relation in relations)
