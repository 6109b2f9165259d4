"""The score of a mention -> the probability that it is right: beta calibration, one map a task.

Source: Kull, Silva Filho, Flach (2017), "Beta calibration: a well-founded and easily implemented improvement on
logistic calibration for binary classifiers", AISTATS.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Scores are taken as at least this far from 0 and 1, where the map has no value.
EDGE = 1e-7

#: Newton's method stops when no parameter moves by more, or after so many steps.
TOLERANCE, STEPS = 1e-9, 100


class BetaMap(NamedTuple):
    """P(right | score s) = 1 / (1 + exp(-(a ln(s) - b ln(1 - s) + c))), with a and b at least 0.

    It never turns the order of two scores around. ``BetaMap(1, 1, 0)`` changes nothing; ``BetaMap(1/T, 1/T, 0)`` is
    temperature scaling of the score's logit (Guo et al. 2017); a = b is Platt's map (1999) of it.
    """

    a: float
    b: float
    c: float

    def __call__(self, scores: NDArray[np.floating]) -> Floats:
        return _sigmoid(_features(scores) @ np.asarray(self, dtype=np.float64))


IDENTITY = BetaMap(1.0, 1.0, 0.0)


def fit_beta_map(scores: NDArray[np.floating], right: NDArray[np.bool_]) -> BetaMap:
    """The map under which ``right`` is most likely, given ``scores`` (both (n_mentions,)).

    Each parameter has a Gaussian prior of variance 1 around the identity: a few mentions change little, and mentions
    that are all right, or all wrong, still have a map. A negative a or b is fixed to 0 and the others are fitted again,
    as in the paper.
    """
    x, y = _features(scores), np.asarray(right, dtype=np.float64)
    free = np.ones(3, dtype=bool)
    while True:
        parameters = _most_likely(x, y, free)
        negative = free & (parameters < 0) & [True, True, False]
        if not negative.any():
            return BetaMap(*parameters.tolist())
        free &= ~negative


def checked_calibration(value: Any, tasks: dict[str, list[str]]) -> dict[str, BetaMap]:
    """Task -> its map, as it was saved. Raises ValueError or TypeError for anything else."""
    maps = {task: BetaMap(*map(float, parameters)) for task, parameters in dict(value).items()}
    for task, beta in maps.items():
        if task not in tasks or not np.isfinite(beta).all() or min(beta.a, beta.b) < 0:
            raise ValueError("a calibration that is none")
    return maps


def _features(scores: NDArray[np.floating]) -> Floats:
    """float (n, 3): what a, b and c are multiplied with."""
    s = np.clip(np.asarray(scores, dtype=np.float64), EDGE, 1 - EDGE)
    return np.stack([np.log(s), -np.log1p(-s), np.ones_like(s)], axis=-1)


def _most_likely(x: Floats, y: Floats, free: NDArray[np.bool_]) -> Floats:
    """The parameters (3,) with the least loss, those not ``free`` at 0: Newton's method, steps halved as needed."""
    w = np.where(free, IDENTITY, 0.0)
    loss = _loss(w, x, y)
    for _ in range(STEPS):
        p = _sigmoid(x @ w)
        gradient = (x.T @ (p - y) + w - IDENTITY)[free]
        hessian = (x.T @ (x * (p * (1 - p))[:, None]) + np.eye(3))[np.ix_(free, free)]
        step = np.zeros(3)
        step[free] = np.linalg.solve(hessian, gradient)
        while (ahead := _loss(w - step, x, y)) > loss and np.abs(step).max() > TOLERANCE:
            step /= 2
        if np.abs(step).max() <= TOLERANCE:
            break
        w, loss = w - step, ahead
    return w


def _loss(w: Floats, x: Floats, y: Floats) -> float:
    """Negative log likelihood and negative log prior."""
    return float(np.logaddexp(0.0, (1 - 2 * y) * (x @ w)).sum() + np.square(w - IDENTITY).sum() / 2)


def _sigmoid(x: Floats) -> Floats:
    return np.exp(-np.logaddexp(0.0, -x))
