"""What a batch of pairs teaches: cross entropy, over all pairs or over a fair sample of those in no relation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from clinner_spacy.relations.decode import softmax

Floats = NDArray[np.float32]


def pair_loss(logits: Floats, targets: Floats, weights: Floats) -> tuple[float, Floats]:
    """Cross entropy of (n_pairs, n_labels) logits against target probabilities, weighted by pair, and its gradient.

    A pair whose targets are all 0 is unknown: it adds no loss and no gradient.
    """
    p = softmax(logits)
    known = targets.sum(axis=1, keepdims=True)
    loss = -float((weights[:, None] * targets * np.log(p + 1e-12)).sum())
    return loss, (weights[:, None] * (p * known - targets)).astype(np.float32)


def keep_some(
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
