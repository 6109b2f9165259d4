"""Scores against a plain comparison of all with all, written after the description of the official evaluation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinner_spacy.errors import ClinnerError
from clinner_spacy.scoring.overlap import best_overlaps
from clinner_spacy.scoring.spans import SpanRow, char_scores, strict_scores
from clinner_spacy.scoring.tsv import evaluate


def prf(precision: float, recall: float) -> dict[str, float]:
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return {"precision": round(precision, 4), "recall": round(recall, 4), "f1": round(f1, 4)}


def overlap_f1(a: SpanRow, b: SpanRow) -> float:
    shared = min(a.end, b.end) - max(a.start, b.start)
    if a[:2] != b[:2] or shared <= 0:
        return 0.0
    p, r = shared / (a.end - a.start), shared / (b.end - b.start)
    return 2 * p * r / (p + r)


def oracle(gold: list[SpanRow], predicted: list[SpanRow]) -> dict[str, dict[str, float]]:
    predicted = list(dict.fromkeys(predicted))
    free = list(predicted)
    tp = 0
    for span in gold:
        if span in free:
            free.remove(span)
            tp += 1
    names = list(dict.fromkeys(row.document for row in gold + predicted))
    ours, theirs = ([row for name in names for row in rows if row.document == name] for rows in (gold, predicted))
    of_gold = [max([overlap_f1(g, p) for p in predicted], default=0.0) for g in ours]
    of_predicted = [max([overlap_f1(g, p) for g in gold], default=0.0) for p in theirs]
    return {
        "strict": prf(tp / len(predicted) if predicted else 0.0, tp / len(gold) if gold else 0.0)
        | {"tp": tp, "fp": len(predicted) - tp, "fn": len(gold) - tp},
        "char_f1": prf(
            sum(of_predicted) / len(of_predicted) if of_predicted else 0.0,
            sum(of_gold) / len(of_gold) if of_gold else 0.0,
        )
        | {"n_gold": len(gold), "n_pred": len(predicted)},
    }


def rows(most: int) -> st.SearchStrategy[list[SpanRow]]:
    row = st.builds(
        lambda name, label, start, length: SpanRow(name, label, start, start + length),
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from(["X", "Y"]),
        st.integers(-3, most),
        st.integers(1, most),
    )
    return st.lists(row, max_size=40)


@settings(max_examples=300)
@given(rows(12), rows(12))
def test_equal_to_comparing_all_with_all(gold: list[SpanRow], predicted: list[SpanRow]) -> None:
    result = evaluate(gold, predicted, per_document=True)
    documents = result.pop("documents")
    assert result == {"entity": None, **oracle(gold, predicted)}
    for name, scores in documents.items():
        assert scores == oracle(*([row for row in side if row.document == name] for side in (gold, predicted)))


@given(rows(10**11), rows(10**11))
def test_far_offsets_and_documents_do_not_mix(gold: list[SpanRow], predicted: list[SpanRow]) -> None:
    assert evaluate(gold, predicted) == {"entity": None, **oracle(gold, predicted)}


@pytest.mark.parametrize("longest", [3, 30, 3000])
def test_the_best_of_many(longest: int, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(longest)
    starts, lengths = random.integers(0, 2000, (2, 1500)), random.integers(1, longest, (2, 1500))
    (a, s), (b, e) = starts, starts + lengths
    shared = np.maximum(0, np.minimum(b[:, None], e) - np.maximum(a[:, None], s))
    p, r = shared / (b - a)[:, None], shared / (e - s)
    monkeypatch.setattr("clinner_spacy.scoring.overlap.PAIRS", 1000)  # in parts
    expected = (2 * p * r / np.where(shared, p + r, 1)).max(axis=1)
    np.testing.assert_allclose(best_overlaps(a, b, s, e), expected, rtol=1e-15)


def test_a_repeated_prediction_counts_once_and_repeated_gold_is_missed_once() -> None:
    row = SpanRow("a", "X", 0, 4)
    assert strict_scores([row, row], [row, row]) == {
        "precision": 1.0, "recall": 0.5, "f1": 2 / 3, "tp": 1, "fp": 0, "fn": 1
    }  # fmt: skip
    assert char_scores([row, row], [row, row]) == {"precision": 1.0, "recall": 1.0, "f1": 1.0, "n_gold": 2, "n_pred": 1}


def test_nothing_scores_zero() -> None:
    assert strict_scores([], []) == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "tp": 0, "fp": 0, "fn": 0}
    assert char_scores([], [SpanRow("a", "X", 0, 1)])["precision"] == 0.0


def test_one_label_alone_and_an_unknown_one() -> None:
    gold = [SpanRow("a", "X", 0, 4), SpanRow("a", "Y", 5, 9)]
    result = evaluate(gold, gold[:1], entity="Y")
    assert (result["entity"], result["strict"]["fn"], result["strict"]["tp"]) == ("Y", 1, 0)
    with pytest.raises(ClinnerError, match="labelled Z: there are 2 others"):
        evaluate(gold, gold, entity="Z")
