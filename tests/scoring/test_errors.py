from __future__ import annotations

import time
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinner_spacy.scoring.analysis import analyse
from clinner_spacy.scoring.errors import KINDS, SpanError, find_errors
from clinner_spacy.scoring.spans import SpanRow, strict_scores

rows = st.lists(
    st.builds(
        lambda document, label, start, length: SpanRow(document, label, start, start + length),
        st.sampled_from("ab"),
        st.sampled_from(["X", "Y"]),
        st.integers(0, 6),
        st.integers(1, 4),
    ),
    max_size=12,
)


def row(start: int, end: int, label: str = "X", document: str = "a") -> SpanRow:
    return SpanRow(document, label, start, end)


@pytest.mark.parametrize(
    ("gold", "predicted", "errors"),
    [
        ([row(0, 5)], [row(0, 5)], []),
        ([row(0, 5)], [], [SpanError("missed", row(0, 5), None)]),
        ([], [row(0, 5)], [SpanError("spurious", None, row(0, 5))]),
        ([row(0, 5)], [row(0, 5, "Y")], [SpanError("label", row(0, 5), row(0, 5, "Y"))]),
        ([row(0, 5)], [row(2, 9)], [SpanError("boundary", row(0, 5), row(2, 9))]),
        # Of two that overlap it, the one that overlaps more is its counterpart.
        (
            [row(0, 5)],
            [row(4, 9), row(0, 6)],
            [SpanError("boundary", row(0, 5), row(0, 6)), SpanError("spurious", None, row(4, 9))],
        ),
        # A right span is nobody's counterpart; other label and other characters are two errors.
        ([row(0, 5), row(0, 6)], [row(0, 5)], [SpanError("missed", row(0, 6), None)]),
        (
            [row(0, 5)],
            [row(0, 6, "Y")],
            [SpanError("missed", row(0, 5), None), SpanError("spurious", None, row(0, 6, "Y"))],
        ),
        ([row(0, 5)], [row(0, 5, document="b")], [
            SpanError("missed", row(0, 5), None), SpanError("spurious", None, row(0, 5, document="b"))
        ]),
        ([row(0, 5)], [row(5, 9)], [SpanError("missed", row(0, 5), None), SpanError("spurious", None, row(5, 9))]),
        ([row(0, 5), row(0, 5)], [row(0, 5), row(0, 5)], [SpanError("missed", row(0, 5), None)]),
    ],
)
def test_kinds(gold: list[SpanRow], predicted: list[SpanRow], errors: list[SpanError]) -> None:
    assert find_errors(gold, predicted) == errors


@given(rows, rows)
def test_kinds_add_up_to_what_strict_scoring_counts(gold: list[SpanRow], predicted: list[SpanRow]) -> None:
    errors = find_errors(gold, predicted)
    kinds = Counter(error.kind for error in errors)
    strict = strict_scores(gold, predicted)
    assert kinds["spurious"] + kinds["boundary"] + kinds["label"] == strict["fp"]
    assert kinds["missed"] + kinds["boundary"] + kinds["label"] == strict["fn"]
    # Each wrong span stands in one error: the predicted ones are those that the gold lacks.
    found = [error.predicted for error in errors if error.predicted]
    assert len(found) == len(set(found)) and set(found) == set(predicted) - set(gold)
    assert Counter(error.gold for error in errors if error.gold) == Counter(gold) - Counter(set(predicted))


@given(rows, rows)
def test_what_is_one_error_belongs_together(gold: list[SpanRow], predicted: list[SpanRow]) -> None:
    for kind, g, p in find_errors(gold, predicted):
        assert kind in KINDS and (g is None, p is None) == (kind == "spurious", kind == "missed")
        if g and p:
            assert g.document == p.document and max(g.start, p.start) < min(g.end, p.end)
            assert (g.label == p.label) == (kind == "boundary")
            assert (g[2:] == p[2:]) == (kind == "label")


@given(rows, rows)
def test_labels_add_up_to_all(gold: list[SpanRow], predicted: list[SpanRow]) -> None:
    every, *labels = analyse(gold, predicted).labels
    strict = strict_scores(gold, predicted)
    assert [every.precision.value, every.recall.value, every.f1.value] == pytest.approx(
        [strict[name] for name in ("precision", "recall", "f1")]
    )
    for scores in (every, *labels):
        assert scores.kinds["missed"] + scores.kinds["boundary"] + scores.kinds["label"] == scores.fn
        assert scores.kinds["spurious"] + scores.kinds["boundary"] + scores.taken == scores.fp
        for value, low, high in (scores.precision, scores.recall, scores.f1):
            assert 0 <= low <= high <= 1 and 0 <= value <= 1
    assert [sum(s[n] for s in labels) for n in (4, 5, 6)] == [strict["tp"], strict["fp"], strict["fn"]]


def test_one_long_document_is_not_compared_all_with_all() -> None:
    n = 40_000
    gold = [row(10 * i, 10 * i + 5) for i in range(n)]
    predicted = [row(10 * i + 1, 10 * i + 6) for i in range(n)]
    begin = time.perf_counter()
    assert len(find_errors(gold, predicted)) == n
    assert time.perf_counter() - begin < 20  # it takes a third of a second; all pairs would take minutes
