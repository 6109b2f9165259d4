"""The loss of pairs' logits and its gradient; which pairs of a document it is taken over."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clinner_spacy.relations.candidates import Candidates
from clinner_spacy.relations.decode import softmax

Floats = NDArray[np.float32]


class TrainingPairs(NamedTuple):
    """Pairs to be scored in training, their targets, float (n_pairs, n_labels), and weights, float (n_pairs,)."""

    candidates: Candidates
    targets: Floats
    weights: Floats


def pair_loss(logits: Floats, targets: Floats, weights: Floats) -> tuple[float, Floats]:
    """Cross entropy of (n_pairs, n_labels) logits against target probabilities, weighted by pair, and its gradient.

    A pair whose targets are all 0 is unknown: it adds no loss and no gradient.
    """
    p = softmax(logits)
    known = targets.sum(axis=1, keepdims=True)
    loss = -float((weights[:, None] * targets * np.log(p + 1e-12)).sum())
    return loss, (weights[:, None] * (p * known - targets)).astype(np.float32)


def training_pairs(
    candidates: Candidates,
    targets: Floats,
    null: bool,
    negatives: float | None,
    random: np.random.Generator,
    keep_all: bool,
) -> TrainingPairs:
    """A document's pairs to learn from: those in a relation and, with a null label, a sample of the others.

    targets: float (n_pairs, n_labels); see :func:`~clinner_spacy.relations.gold.gold_targets`. negatives, random: see
    :func:`sample_pairs`. keep_all: the model looks at all pairs of a document, so they are all given to it; those not
    in the sample are unknown.
    """
    if null:
        kept, weights = sample_pairs(targets, negatives, random)
    else:
        kept = np.flatnonzero(targets.any(axis=1))
        weights = np.ones(len(kept), dtype=np.float32)
    if keep_all:
        sampled, all_weights = np.zeros_like(targets), np.zeros(len(targets), dtype=np.float32)
        sampled[kept], all_weights[kept] = targets[kept], weights
        return TrainingPairs(candidates, sampled, all_weights)
    candidates = candidates._replace(heads=candidates.heads[kept], tails=candidates.tails[kept])
    return TrainingPairs(candidates, targets[kept], weights)


def sample_pairs(
    targets: Floats, negatives: float | None, random: np.random.Generator
) -> tuple[NDArray[np.int64], Floats]:
    """Which pairs to learn from, and their weights: all in a relation, and ``negatives`` times as many others.

    targets: float (n_pairs, n_labels), the null label first. The others weigh more in turn, so that the loss is the
    same in the mean; at least one for each document, and all where ``negatives`` is None.
    """
    null = np.flatnonzero(targets[:, 0] == 1)
    others = np.flatnonzero(targets[:, 0] != 1)
    wanted = len(null) if negatives is None else int(max(1.0, negatives * len(others)))
    weights = np.ones(len(targets), dtype=np.float32)
    if wanted < len(null):
        weights[null] = len(null) / wanted
        null = random.choice(null, wanted, replace=False)
    kept = np.sort(np.concatenate([null, others]))
    return kept, weights[kept]
