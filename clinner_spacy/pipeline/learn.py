"""Gold documents -> tags and the loss, task by task, skipping what was not annotated."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from spacy.attrs import IDX
from spacy.training import Example

from clinner_spacy.bio.chain import chain_loss
from clinner_spacy.bio.encode import UNKNOWN, encode
from clinner_spacy.bio.tagset import TagSet
from clinner_spacy.errors import ClinnerError
from clinner_spacy.words.visible import visible_words


def gold_tags(example: Example, tagset: TagSet) -> NDArray[np.int64]:
    """int (n_words, n_tasks) over the predicted Doc's words; UNKNOWN where a task's group is absent from the reference.

    Spans are carried over by their characters and widened to whole words where the two Docs differ in their words.
    """
    doc, reference = example.predicted, example.reference
    same = np.array_equal(doc.to_array([IDX]), reference.to_array([IDX]))
    visible = visible_words(doc)
    tags = np.full((len(doc), len(tagset.tasks)), UNKNOWN)
    for n, (task, labels) in enumerate(tagset.tasks.items()):
        if task not in reference.spans:
            continue
        spans: list[Any] = [
            span if same else doc.char_span(span.start_char, span.end_char, span.label, alignment_mode="expand")
            for span in reference.spans[task]
        ]
        unknown = {span.label_ for span in reference.spans[task]}.difference(labels)
        if unknown:
            raise ClinnerError(f"Task {task!r} has the labels {labels}, but its gold also {sorted(unknown)}; add them.")
        if any(span is None for span in spans):
            raise ClinnerError(f"Gold of task {task!r} lies beyond the text it is to be learned on; the texts differ.")
        tags[:, n] = encode([(s.start, s.end, s.label_) for s in spans], labels, visible)
    return tags


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
