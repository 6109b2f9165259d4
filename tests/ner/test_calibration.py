from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinner_spacy.ner.calibration import EDGE, IDENTITY, BetaMap, checked_calibration, fit_beta_map

parameter = st.floats(0, 20)


def drawn(scores: np.ndarray, chance: np.ndarray) -> np.ndarray:
    return np.random.default_rng(0).random(len(scores)) < chance


def test_the_identity_changes_nothing() -> None:
    scores = np.asarray([0.01, 0.3, 0.5, 0.999])
    assert IDENTITY(scores) == pytest.approx(scores)


@given(parameter, parameter, st.floats(-20, 20), st.floats(0, 1), st.floats(0, 1))
def test_no_order_is_turned_around(a: float, b: float, c: float, low: float, high: float) -> None:
    low, high = sorted((low, high))
    first, second = BetaMap(a, b, c)(np.asarray([low, high]))
    assert 0 <= first <= second + 1e-12 and second <= 1


def test_a_temperature_is_found_again() -> None:
    """Guo et al. (2017): scores whose logits are three times too large."""
    chance = np.random.default_rng(1).random(50_000)
    logit = np.log(chance / (1 - chance)) * 3
    scores = 1 / (1 + np.exp(-logit))
    assert fit_beta_map(scores, drawn(scores, chance)) == pytest.approx((1 / 3, 1 / 3, 0), abs=0.03)


def test_nothing_near_is_more_likely() -> None:
    scores = np.random.default_rng(2).beta(5, 1, 300)
    right = drawn(scores, scores**3)
    best = fit_beta_map(scores, right)

    def loss(beta: tuple[float, ...]) -> float:
        p = BetaMap(*beta)(scores)
        prior = sum((value - start) ** 2 for value, start in zip(beta, IDENTITY, strict=True)) / 2
        return prior - np.where(right, np.log(p), np.log(1 - p)).sum()

    for step in 1e-3 * np.concatenate([np.eye(3), -np.eye(3)]):
        assert loss(tuple(best + step)) > loss(best)


@pytest.mark.parametrize("right", [True, False])
@pytest.mark.parametrize("score", [0.0, 0.5, 1.0])
def test_mentions_that_are_all_right_or_all_wrong_have_a_map(right: bool, score: float) -> None:
    beta = fit_beta_map(np.full(500, score), np.full(500, right))
    assert np.isfinite(beta).all() and min(beta.a, beta.b) >= 0
    probability = beta(np.asarray([score]))[0]
    assert (probability > 0.9) == right


def test_few_mentions_change_little() -> None:
    assert fit_beta_map(np.empty(0), np.empty(0, dtype=bool)) == IDENTITY
    one = fit_beta_map(np.asarray([0.9]), np.asarray([False]))
    assert 0.3 < one(np.asarray([0.9]))[0] < 0.9


def test_scores_that_mislead_have_no_say() -> None:
    scores = np.random.default_rng(3).random(2000)
    beta = fit_beta_map(scores, drawn(scores, 1 - scores))
    assert (beta.a, beta.b) == (0, 0)
    assert beta(scores) == pytest.approx(0.5, abs=0.05)


def test_certain_scores_keep_their_order() -> None:
    """float32 just below 1, as a softmax gives it, and 1 itself."""
    scores = np.nextafter(np.float32(1), np.float32(0), dtype=np.float32) - np.asarray([0, 1, 2, 4], np.float32) * 1e-7
    calibrated = BetaMap(0.5, 0.5, -1.0)(scores)
    assert (np.diff(calibrated) < 0).all() and EDGE < calibrated.min() < calibrated.max() < 1


TASKS = {"disease": ["DISEASE"]}


@pytest.mark.parametrize(
    "saved",
    [
        {"symptom": [1, 1, 0]},
        {"disease": [1, 1]},
        {"disease": [1, -1, 0]},
        {"disease": [1, float("nan"), 0]},
        {"disease": ["a", 1, 0]},
        {"disease": None},
        [1, 1, 0],
    ],
)
def test_a_damaged_calibration_is_refused(saved: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        checked_calibration(saved, TASKS)


def test_a_calibration_is_read_as_it_was_saved() -> None:
    assert checked_calibration({"disease": [0.5, 1, -2]}, TASKS) == {"disease": BetaMap(0.5, 1.0, -2.0)}
