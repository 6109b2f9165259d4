"""clinner.Ensemble.v1: several taggers of the same tasks as one, the mean of their probabilities."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from spacy.tokens import Doc
from thinc.api import Model
from thinc.types import Floats2d

from clinner_spacy.errors import ClinnerError

Docs = list[Doc]
Scores = list[Floats2d]

#: No probability is taken as smaller before its logarithm.
TINY = 1e-30


def build_ensemble(*members: Model[Docs, Scores]) -> Model[Docs, Scores]:
    """Score every tag for every unit by the mean probability that the members give it, as log-probabilities.

    members: taggers with the same columns that tag the same units. What a member has not read (a row of NaN) does not
    count; where none has, the row is NaN.
    """
    sizes = {member.attrs["n_columns"] for member in members}
    if len(sizes) != 1:
        raise ClinnerError(f"An ensemble's members score the same tags, not {sorted(sizes)} of them; name others.")
    if any(member.attrs.get("transitions") for member in members):
        raise ClinnerError("A member of an ensemble learned transitions of tags, which have no mean; name another.")
    attrs = {"n_columns": sizes.pop(), "widths": [], "columns": None, "published": True}
    return Model("ensemble", forward, attrs=attrs, layers=list(members))


def forward(model: Model[Docs, Scores], docs: Docs, is_train: bool) -> tuple[Scores, Callable[[Scores], Docs]]:
    if is_train:
        raise ClinnerError("An ensemble cannot be trained; train its members one by one.")
    ops, widths = model.ops, model.attrs["widths"]
    lengths = ops.asarray1i([len(doc) for doc in docs])
    total: Any = 0.0
    read: Any = 0
    for member in model.layers:
        p = probabilities(ops.to_numpy(ops.flatten(member.predict(docs))), widths)
        known = ~np.isnan(p)
        total, read = total + np.where(known, p, 0.0), read + known
    with np.errstate(invalid="ignore"):  # 0 / 0 where nobody has read: NaN
        mean = np.log(np.maximum(np.divide(total, read), TINY))
    return ops.unflatten(ops.asarray2f(mean.astype(np.float32)), lengths), lambda d_scores: docs


def probabilities(logits: NDArray[Any], widths: list[int]) -> NDArray[Any]:
    """The softmax of each task's columns, float (n_units, n_columns); log-probabilities stay what they are."""
    parts = []
    for part in np.split(logits.astype(np.float64), np.cumsum(widths)[:-1], axis=1):
        p = np.exp(part - part.max(axis=1, keepdims=True))
        parts.append(p / p.sum(axis=1, keepdims=True))
    return np.concatenate(parts, axis=1)
