"""Gold relations of an Example -> its candidate pairs over the predicted Doc's words, and each pair's labels."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from spacy.tokens import Doc, SpanGroup
from spacy.training import Example

from clinner_spacy.errors import ClinnerError
from clinner_spacy.relations.candidates import Candidates, Limits, WordSpan, find_candidates

logger = logging.getLogger("spacy")


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


def gold_spans(example: Example, spans_key: str) -> list[WordSpan] | None:
    """The reference's spans over the predicted Doc's words, widened to whole words where the two Docs differ.

    None where the reference has no such group: nothing was annotated. Raises ClinnerError where a span lies beyond the
    predicted Doc's text.
    """
    doc, reference = example.predicted, example.reference
    if spans_key not in reference.spans:
        return None
    group: SpanGroup = reference.spans[spans_key]
    if [token.idx for token in doc] == [token.idx for token in reference]:
        return [WordSpan(span.start, span.end, span.label_) for span in group]
    carried: list[Any] = [doc.char_span(s.start_char, s.end_char, s.label, alignment_mode="expand") for s in group]
    if any(span is None for span in carried):
        raise ClinnerError(f"Gold in doc.spans[{spans_key!r}] lies beyond the text it is of; the two texts differ.")
    return [WordSpan(span.start, span.end, span.label_) for span in carried]


def gold_candidates(example: Example, spans_key: str, limits: Limits) -> Candidates | None:
    """The pairs of gold spans; None where none were annotated."""
    spans = gold_spans(example, spans_key)
    return None if spans is None else find_candidates(example.predicted, spans, limits)


def gold_pairs(
    example: Example, spans_key: str, limits: Limits, labels: Sequence[str], null: bool
) -> tuple[Candidates, NDArray[np.float32]]:
    """The pairs of gold spans and their targets, see :func:`gold_targets`; no pairs where no spans were annotated."""
    candidates = gold_candidates(example, spans_key, limits)
    if candidates is None:
        nothing = find_candidates(example.predicted, [], limits)
        return nothing, gold_targets(nothing, [], labels, null)
    relations = relations_of_doc(example.reference, len(candidates.spans))
    return candidates, gold_targets(candidates, relations, labels, null)


def count_types(examples: Iterable[Example], spans_key: str) -> Counter[tuple[str, str, str]]:
    """How often gold relations are of each (label, head's label, tail's label)."""
    counts: Counter[tuple[str, str, str]] = Counter()
    for example in examples:
        spans = gold_spans(example, spans_key) or []
        for r in relations_of_doc(example.reference, len(spans)):
            counts[r["label"], spans[r["head"]].label, spans[r["tail"]].label] += 1
    return counts


def log_unreachable(examples: Iterable[Example], spans_key: str, limits: Limits) -> None:
    """Say in the log how many gold relations stand between spans that are no candidate pair, if any do."""
    n_unreachable = n_relations = 0
    for example in examples:
        candidates = gold_candidates(example, spans_key, limits)
        if candidates is not None:
            pairs = set(zip(candidates.heads.tolist(), candidates.tails.tolist(), strict=True))
            relations = relations_of_doc(example.reference, len(candidates.spans))
            n_relations += len(relations)
            n_unreachable += sum((r["head"], r["tail"]) not in pairs for r in relations)
    if n_unreachable:
        logger.info(
            "%d of %d gold relations are not between candidates (max_distance, within_sentence, pairs) and cannot be "
            "found.",
            *(n_unreachable, n_relations),
        )

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
