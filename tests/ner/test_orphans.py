from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from clinner_spacy.ner.decode import decode
from clinner_spacy.ner.orphans import open_orphans

TAGS = ["O", "B-X", "I-X", "B-Y", "I-Y"]


def as_transformers_reads(tags: list[int]) -> list[tuple[int, int, int]]:
    """The grouping of transformers' token-classification pipeline: B opens, I continues its own label or opens."""
    spans: list[tuple[int, int, int]] = []
    open_label = -1
    for word, tag in enumerate(tags):
        label = (tag - 1) // 2 if tag else -1
        if tag and tag % 2 == 0 and label == open_label:
            spans[-1] = (spans[-1][0], word + 1, label)
        elif tag:
            spans.append((word, word + 1, label))
        open_label = label
    return spans


@given(st.lists(st.lists(st.integers(0, 4), max_size=12), min_size=1, max_size=3))
def test_orphans_open_as_in_transformers(docs):
    tags = [tag for doc in docs for tag in doc]
    scores = np.eye(5, dtype=np.float32)[tags].reshape(-1, 5)
    open_orphans(scores, [len(doc) for doc in docs], [5])
    first = np.asarray([n == 0 for doc in docs for n in range(len(doc))], dtype=bool)
    spans = decode(scores.argmax(axis=1), scores.max(axis=1, initial=0), first)
    starts = np.cumsum([0] + [len(doc) for doc in docs])
    expected = [
        (start + offset, end + offset, label)
        for doc, offset in zip(docs, starts.tolist(), strict=False)
        for start, end, label in as_transformers_reads(doc)
    ]
    assert list(zip(spans.start.tolist(), spans.end.tolist(), spans.label.tolist(), strict=True)) == expected


def test_unread_words_are_passed_over():
    scores = np.eye(5, dtype=np.float32)[[1, 0, 2]]
    scores[1] = np.nan
    open_orphans(scores, [3], [5])
    assert scores[2].argmax() == 2
