"""The registered scorer ``clinner.relation_scorer.v1``: micro and per-label P/R/F1 of labelled pairs of spans."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any

from spacy.tokens import Doc
from spacy.training import Example

from clinner_spacy.relations.gold import relations_of_doc
from clinner_spacy.scoring.spans import Measures, strict_scores

#: A span by its characters, end exclusive, and label; a relation by its document, label, head and tail.
SpanKey = tuple[int, int, str]
RelationKey = tuple[Hashable, str, SpanKey, SpanKey]

#: What the scores during training are made of when a config does not say.
SCORE_WEIGHTS = {
    **{"relations_gold_f": 1.0, "relations_gold_p": 0.0, "relations_gold_r": 0.0, "relations_gold_per_type": None},
    **{"relations_f": 0.0, "relations_p": 0.0, "relations_r": 0.0, "relations_per_type": None},
}


def make_relation_scorer() -> Callable[..., dict[str, Any]]:
    """A scorer to be called as :func:`score_relations`."""
    return score_relations


def score_relations(
    examples: Iterable[Example],
    *,
    spans_key: str = "sc",
    labels: Sequence[str] | None = None,
    with_gold_spans: Sequence[Sequence[Mapping[str, Any]]] | None = None,
    **kwargs: Any,
) -> dict[str, Any]:
    """Score relations over the union of gold and predicted pairs.

    A relation is found if its label and both spans, with their labels, are those of a gold one, by characters. A
    document whose reference lacks the span group was not annotated and does not count. labels: those that count, by
    default all.

    End to end, ``predicted._.relations`` over ``predicted.spans[spans_key]``: ``relations_p``, ``_r``, ``_f`` and
    ``relations_per_type``. with_gold_spans: for each example, relations predicted between the reference's spans, by
    their index there; gives the same under ``relations_gold_``. Numbers are from 0 to 1, or None where no document was
    annotated.
    """
    gold: list[RelationKey] = []
    found: list[RelationKey] = []
    between_gold: list[RelationKey] = []
    annotated = False
    for number, example in enumerate(examples):
        if spans_key not in example.reference.spans:
            continue
        annotated = True
        reference = _spans(example.reference, spans_key)
        gold += _keys(number, reference, relations_of_doc(example.reference, len(reference)))
        predicted = _spans(example.predicted, spans_key)
        found += _keys(number, predicted, relations_of_doc(example.predicted, len(predicted)))
        if with_gold_spans is not None:
            between_gold += _keys(number, reference, with_gold_spans[number])
    sides = {"relations": found} | ({} if with_gold_spans is None else {"relations_gold": between_gold})
    return {
        name: value
        for prefix, keys in sides.items()
        for name, value in _named(prefix, _only(gold, labels), _only(keys, labels), annotated).items()
    }


def relation_scores(gold: Sequence[RelationKey], predicted: Sequence[RelationKey]) -> Measures:
    """Precision, recall and F1 of equal keys, and their counts; a key that is repeated counts once."""
    return strict_scores(list(dict.fromkeys(gold)), predicted)


def _named(prefix: str, gold: list[RelationKey], found: list[RelationKey], annotated: bool) -> dict[str, Any]:
    if not annotated:
        return dict.fromkeys([f"{prefix}_{kind}" for kind in ("p", "r", "f", "per_type")])
    names = sorted({label for _, label, _, _ in (*gold, *found)})
    per_type = {name: _letters(relation_scores(_only(gold, [name]), _only(found, [name]))) for name in names}
    micro = _letters(relation_scores(gold, found))
    return {f"{prefix}_{letter}": value for letter, value in micro.items()} | {f"{prefix}_per_type": per_type}


def _letters(measures: Measures) -> dict[str, float]:
    return {name[0]: measures[name] for name in ("precision", "recall", "f1")}


def _only(keys: Iterable[RelationKey], labels: Iterable[str] | None) -> list[RelationKey]:
    if labels is None:
        return list(keys)
    wanted = set(labels)
    return [key for key in keys if key[1] in wanted]


def _spans(doc: Doc, key: str) -> list[SpanKey]:
    return [(span.start_char, span.end_char, span.label_) for span in doc.spans.get(key, ())]


def _keys(document: Hashable, spans: Sequence[SpanKey], relations: Iterable[Mapping[str, Any]]) -> list[RelationKey]:
    return [(document, r["label"], spans[r["head"]], spans[r["tail"]]) for r in relations]
