"""Gold documents -> tags and the loss, task by task, skipping what was not annotated."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from spacy.training import Example

from clinner_spacy.bio.encode import UNKNOWN, encode
from clinner_spacy.bio.tagset import TagSet
from clinner_spacy.words.visible import visible_words


def gold_tags(example: Example, tagset: TagSet) -> NDArray[np.int64]:
    """int (n_words, n_tasks) over the predicted Doc's words; UNKNOWN where a task's group is absent from the reference.

    Spans are carried over by their characters and widened to whole words where the two Docs differ in their words.
    """
    doc, reference = example.predicted, example.reference
    same = [token.idx for token in doc] == [token.idx for token in reference]
    visible = visible_words(doc)
    tags = np.full((len(doc), len(tagset.tasks)), UNKNOWN)
    for n, (task, labels) in enumerate(tagset.tasks.items()):
        if task not in reference.spans:
            continue
        spans = [
            span if same else doc.char_span(span.start_char, span.end_char, span.label, alignment_mode="expand")
            for span in reference.spans[task]
        ]
        tags[:, n] = encode([(s.start, s.end, s.label_) for s in spans if s.label_ in labels], labels, visible)
    return tags


def softmax_loss(
    logits: NDArray[np.floating], tags: NDArray[np.int64], tagset: TagSet
) -> tuple[float, NDArray[np.floating]]:
    """Cross entropy of each task's columns, summed over words and tasks, and its gradient.

    logits: float (n_words, n_columns). tags: int (n_words, n_tasks); UNKNOWN adds no loss and no gradient.
    """
    gradient = np.zeros_like(logits)
    loss = 0.0
    for n, columns in enumerate(tagset.columns.values()):
        words = np.flatnonzero(tags[:, n] != UNKNOWN)
        x = logits[words, columns]
        x = np.exp(x - x.max(axis=1, keepdims=True))
        x /= x.sum(axis=1, keepdims=True)
        gold = (np.arange(len(words)), tags[words, n])
        loss -= float(np.log(x[gold] + 1e-12).sum())
        x[gold] -= 1.0
        gradient[words, columns] = x
    return loss, gradient
