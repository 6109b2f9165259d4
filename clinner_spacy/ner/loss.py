"""The loss of tag scores, task by task, and its gradients."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from clinner_spacy.ner.chain import chain_loss
from clinner_spacy.ner.gold import UNKNOWN
from clinner_spacy.ner.tagset import TagSet


def tagging_loss(
    logits: NDArray[np.floating],
    tags: NDArray[np.int64],
    lengths: NDArray[np.int64],
    tagset: TagSet,
    transitions: NDArray[np.floating] | None = None,
) -> tuple[float, NDArray[np.floating], NDArray[np.floating] | None]:
    """Negative log likelihood of the gold tags, summed over words and tasks, and its gradients.

    logits: float (n_words, n_columns). tags: int (n_words, n_tasks); UNKNOWN adds no loss and no gradient. lengths:
    words of each document. transitions: float (n_columns, n_columns), or None to take each word by itself.
    Returns the loss and its gradients by the logits and by the transitions.
    """
    gradient = np.zeros_like(logits)
    d_transitions = None if transitions is None else np.zeros_like(transitions)
    document = np.repeat(np.arange(len(lengths)), lengths)
    loss = 0.0
    for n, columns in enumerate(tagset.columns.values()):
        words = np.flatnonzero(tags[:, n] != UNKNOWN)
        if not len(words):
            continue
        x, gold = logits[words, columns], tags[words, n]
        if transitions is None or d_transitions is None:
            loss_of_task, gradient[words, columns] = softmax_loss(x, gold)
        else:
            lengths_of_task = np.unique(document[words], return_counts=True)[1]
            loss_of_task, gradient[words, columns], d_transitions[columns, columns] = chain_loss(
                x, gold, lengths_of_task, transitions[columns, columns]
            )
        loss += loss_of_task
    return loss, gradient, d_transitions


def softmax_loss(x: NDArray[np.floating], gold: NDArray[np.int64]) -> tuple[float, NDArray[np.floating]]:
    """Cross entropy of (n_words, n_tags) logits against int (n_words,) tags, summed, and its gradient."""
    p = np.exp(x - x.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    at = (np.arange(len(gold)), gold)
    loss = -float(np.log(p[at] + 1e-12).sum())
    p[at] -= 1.0
    return loss, p
