from __future__ import annotations

import numpy as np
import pytest

from clinner_spacy.scoring.bootstrap import intervals, precision_recall_f1


def test_measures() -> None:
    assert precision_recall_f1(np.array([[3, 1, 2], [0, 0, 0], [0, 4, 0]])) == pytest.approx(
        np.array([[0.75, 0.6, 2 / 3], [0, 0, 0], [0, 0, 0]])
    )


def test_the_same_seed_gives_the_same() -> None:
    counts = np.random.default_rng(1).integers(0, 5, (30, 2, 3))
    assert (intervals(counts, seed=3) == intervals(counts, seed=3)).all()
    assert (intervals(counts, seed=3) != intervals(counts, seed=4)).any()


def test_documents_that_are_all_alike_leave_no_doubt() -> None:
    low, high = intervals(np.tile([3, 1, 2], (10, 1)))
    assert low == pytest.approx([0.75, 0.6, 2 / 3]) and high == pytest.approx(low)
    assert intervals(np.zeros((0, 3), dtype=int)).tolist() == [[0, 0, 0]] * 2


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """Documents of 10 predictions each, right with probability 0.7: 95 % of the intervals of precision hold 0.7."""
    draw, held = np.random.default_rng(0), 0
    for _ in range(200):
        tp = draw.binomial(10, 0.7, size=60)
        (low, *_), (high, *_) = intervals(np.stack([tp, 10 - tp, 0 * tp], axis=1), rounds=300)
        held += low <= 0.7 <= high
    assert 0.90 <= held / 200 <= 0.99
