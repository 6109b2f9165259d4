"""Gold and predicted spans out of a MultiClinAI table, and the whole evaluation of one table against another."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

from clinner_spacy.corpora.tsv import read_tsv
from clinner_spacy.errors import ClinnerError, nearest
from clinner_spacy.scoring.spans import Measures, SpanRow, char_overlaps, mean_char_scores, strict_scores


def read_spans(path: Path | str) -> list[SpanRow]:
    """The spans of a table, in its order. Raises ClinnerError as :func:`clinner_spacy.corpora.tsv.read_tsv` does."""
    shared: dict[str, str] = {}  # one object a name: a million rows repeat few names and labels
    return [
        SpanRow(
            shared.setdefault(row.document, row.document), shared.setdefault(row.label, row.label), row.start, row.end
        )
        for row in read_tsv(Path(path))
    ]


def evaluate(
    gold: list[SpanRow], predicted: list[SpanRow], *, entity: str | None = None, per_document: bool = False
) -> dict[str, Any]:
    """Strict and character-overlap measures, rounded to 4 places, shaped like the official evaluation's.

    Gives ``{"entity": …, "strict": {precision, recall, f1, tp, fp, fn}, "char_f1": {precision, recall, f1, n_gold,
    n_pred}}``; with ``per_document`` also ``"documents"``, the last two for each by name. ``entity`` keeps one label.
    Raises ClinnerError for a label that stands on neither side.
    """
    if entity is not None:
        labels = {row.label for rows in (gold, predicted) for row in rows}
        if labels and entity not in labels:
            raise ClinnerError(f"No span is labelled {entity}: {nearest(entity, labels)}.")
        gold = [row for row in gold if row.label == entity]
        predicted = [row for row in predicted if row.label == entity]
    # By document in order of appearance, which is the order the official evaluation adds in.
    gold_of, predicted_of = _by_document(gold), _by_document(list(dict.fromkeys(predicted)))
    names = list(dict.fromkeys([*gold_of, *predicted_of]))
    gold = [row for name in names for row in gold_of.get(name, ())]
    predicted = [row for name in names for row in predicted_of.get(name, ())]
    of_gold, of_predicted = char_overlaps(gold, predicted)
    result: dict[str, Any] = {"entity": entity, **_measures(gold, predicted, of_gold, of_predicted)}
    if per_document:
        result["documents"] = {}
        g = p = 0
        for name in names:
            a, b = gold_of.get(name, []), predicted_of.get(name, [])
            scores = _measures(a, b, of_gold[g : g + len(a)], of_predicted[p : p + len(b)])
            result["documents"][name] = scores
            g, p = g + len(a), p + len(b)
    return result


def _by_document(rows: list[SpanRow]) -> dict[str, list[SpanRow]]:
    documents: dict[str, list[SpanRow]] = defaultdict(list)
    for row in rows:
        documents[str(row.document)].append(row)
    return dict(documents)


def _measures(
    gold: list[SpanRow], predicted: list[SpanRow], of_gold: list[float], of_predicted: list[float]
) -> dict[str, Measures]:
    return {
        "strict": _rounded(strict_scores(gold, predicted)),
        "char_f1": _rounded(mean_char_scores(of_gold, of_predicted)),
    }


def _rounded(measures: Measures) -> Measures:
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in measures.items()}
