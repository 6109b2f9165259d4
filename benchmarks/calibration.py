"""Ways to calibrate the scores of mentions, compared on documents held out.

    python benchmarks/calibration.py clinner_spacy/embedded corpus/dev/*.spacy

Each way is fitted a task on four fifths of the documents and measured on the others, in several deals of the documents.
Expected calibration error with 10 bins of equal width (Naeini et al. 2015), the greatest of a task, the Brier score
(mean squared difference) and the negative log likelihood.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import typer
from numpy.typing import NDArray

from clinner_spacy.cli.development import measure, saved_pipeline
from clinner_spacy.ner.calibration import fit_beta_map
from clinner_spacy.scoring.calibration import as_arrays, calibration_error

Floats = NDArray[np.float64]
Map = Callable[[Floats], Floats]

#: Deals of the documents into folds.
DEALS, N_FOLDS = 5, 5


def main(model: str, dev: list[Path]) -> None:
    (component,) = measure(saved_pipeline(model), dev, None, None, calibrated=False)
    scores, right = as_arrays(component.judged)
    task = np.asarray([span.task for span in component.judged])
    names = {name: n for n, name in enumerate(dict.fromkeys(span.document for span in component.judged))}
    document = np.asarray([names[span.document] for span in component.judged])
    print(f"{len(scores)} mentions in {len(names)} documents, {right.mean():.3f} right")
    print(f"{'':24}    ECE  of worst task  Brier    NLL")
    for name, fit in WAYS.items():
        rows = []
        for deal in range(DEALS):
            fold = (np.random.default_rng(deal).permutation(len(names)) % N_FOLDS)[document]
            p = np.empty_like(scores)
            for n in range(N_FOLDS):
                for one in component.tasks:
                    held = (fold == n) & (task == one)
                    learned = (fold != n) & (task == one)
                    p[held] = fit(scores[learned], right[learned])(scores[held])
            rows.append(measures(p, right, task))
        ece, worst, brier, nll = np.mean(rows, axis=0)
        print(f"{name:24}  {ece:.4f}  {worst:13.4f}  {brier:.4f}  {nll:.4f}", flush=True)


def measures(p: Floats, right: NDArray[np.bool_], task: NDArray) -> tuple[float, float, float, float]:
    errors = [calibration_error(p[task == one], right[task == one]) or 0.0 for one in np.unique(task)]
    likelihood = np.where(right, p, 1 - p).clip(1e-9)
    brier, nll = float(np.square(p - right).mean()), float(-np.log(likelihood).mean())
    return calibration_error(p, right) or 0.0, max(errors), brier, nll


def no_map(scores: Floats, right: NDArray[np.bool_]) -> Map:
    return lambda s: s


def fit_temperature(scores: Floats, right: NDArray[np.bool_]) -> Map:
    """Guo et al. (2017), on the logit of the span's score: one temperature, found on a grid."""
    temperatures = np.exp(np.linspace(-1.5, 2.5, 400))
    sign = np.where(right, 1, -1)
    losses = [np.logaddexp(0, -sign * logit(scores) / t).mean() for t in temperatures]
    best = temperatures[int(np.argmin(losses))]
    return lambda s: sigmoid(logit(s) / best)


def fit_platt(scores: Floats, right: NDArray[np.bool_]) -> Map:
    """Platt (1999): a line through the logit, by Newton's method."""
    x = np.stack([logit(scores), np.ones_like(scores)], axis=1)
    w = np.zeros(2)
    for _ in range(50):
        p = sigmoid(x @ w)
        w = w - np.linalg.solve(x.T @ (x * (p * (1 - p))[:, None]) + 1e-6 * np.eye(2), x.T @ (p - right))
    return lambda s: sigmoid(w[0] * logit(s) + w[1])


def fit_isotonic(scores: Floats, right: NDArray[np.bool_]) -> Map:
    """Zadrozny and Elkan (2002): the best step function that never falls, by pooling adjacent violators."""
    order = np.argsort(scores, kind="stable")
    blocks: list[list[float]] = []  # sum of what is right, number, first and last score
    for s, y in zip(scores[order].tolist(), right[order].tolist(), strict=True):
        blocks.append([y, 1, s, s])
        while len(blocks) > 1 and blocks[-2][0] * blocks[-1][1] >= blocks[-1][0] * blocks[-2][1]:
            y_last, n_last, _, last = blocks.pop()
            blocks[-1] = [blocks[-1][0] + y_last, blocks[-1][1] + n_last, blocks[-1][2], last]
    x = [edge for block in blocks for edge in block[2:]]
    value = [block[0] / block[1] for block in blocks for _ in range(2)]
    return lambda s: np.interp(s, x, value)


def logit(scores: Floats) -> Floats:
    s = np.clip(scores, 1e-7, 1 - 1e-7)
    return np.log(s) - np.log1p(-s)


def sigmoid(x: Floats) -> Floats:
    return np.exp(-np.logaddexp(0, -x))


WAYS: dict[str, Callable[[Floats, NDArray[np.bool_]], Map]] = {
    "none": no_map,
    "temperature": fit_temperature,
    "Platt": fit_platt,
    "isotonic": fit_isotonic,
    "beta": fit_beta_map,
}

if __name__ == "__main__":
    typer.run(main)
