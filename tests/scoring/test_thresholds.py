from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinner_spacy.scoring.calibration import DocumentKey, JudgedSpan
from clinner_spacy.scoring.spans import SpanRow, strict_scores
from clinner_spacy.scoring.thresholds import GRID, tune_threshold

Dev = tuple[list[JudgedSpan], dict[DocumentKey, int]]


def dev(n_documents: int, chance: float, power: float) -> Dev:
    """Ten mentions a document, right with a chance of ``chance * score ** power``; one more gold mention is missed."""
    rng = np.random.default_rng(0)
    judged, gold = [], {}
    for n in range(n_documents):
        scores = rng.random(10)
        right = rng.random(10) < chance * scores**power
        pairs = zip(scores.tolist(), right.tolist(), strict=True)
        judged += [JudgedSpan(("dev", n), "t", "X", score, hit) for score, hit in pairs]
        gold["dev", n] = int(right.sum()) + 1
    return judged, gold


def test_a_threshold_that_helps_everywhere_holds() -> None:
    tuned = tune_threshold(*dev(100, 1.0, 4))
    assert tuned.holds and 0.3 < tuned.threshold < 0.9
    assert 0 < tuned.low < tuned.gain < tuned.high and tuned.f1 > tuned.f1_at_0 + 0.05


def test_scores_that_say_nothing_have_no_threshold_that_holds() -> None:
    for n_documents in (3, 30, 300):
        assert not tune_threshold(*dev(n_documents, 0.6, 0)).holds


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 100), st.booleans()), max_size=30),
    st.lists(st.integers(0, 3), min_size=4, max_size=4),
)
def test_f1_is_that_of_the_strict_scores(found: list[tuple[int, int, bool]], missed: list[int]) -> None:
    judged = [JudgedSpan(("dev", d), "t", "X", hundredths / 100, right) for d, hundredths, right in found]
    rows = [SpanRow(span.document, "X", n, n + 1) for n, span in enumerate(judged)]
    gold = [row for row, span in zip(rows, judged, strict=True) if span.right]
    gold += [SpanRow(("dev", d), "X", 100 + n, 101 + n) for d, count in enumerate(missed) for n in range(count)]
    counts = {("dev", d): sum(row.document == ("dev", d) for row in gold) for d in range(4)}
    tuned = tune_threshold(judged, counts)

    def f1(threshold: np.float32) -> float:
        kept = [row for row, span in zip(rows, judged, strict=True) if np.float32(span.score) >= threshold]
        return strict_scores(gold, kept)["f1"]

    every = [f1(threshold) for threshold in GRID]
    assert tuned.f1_at_0 == pytest.approx(every[0])
    assert tuned.f1 == pytest.approx(max(every)) == pytest.approx(f1(np.float32(tuned.threshold)))
