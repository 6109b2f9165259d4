"""Gold documents -> one tag a word and task; what was not annotated is unknown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from spacy.attrs import IDX
from spacy.training import Example

from clinner_spacy.encoders.visible import visible_words
from clinner_spacy.errors import ClinnerError
from clinner_spacy.ner.tagset import TagSet

#: The tag of a word that says nothing: no loss is taken there.
UNKNOWN = -1


def gold_tags(example: Example, tagset: TagSet, bounds: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
    """int (n_words, n_tasks) over the predicted Doc's words; UNKNOWN where a task's group is absent from the reference.

    bounds: int (n_units, 2), the characters of what is tagged where that is not the Doc's words. Spans are carried over
    by their characters and widened to whole words where the two Docs differ in their words.
    """
    doc, reference = example.predicted, example.reference
    same = bounds is None and np.array_equal(doc.to_array([IDX]), reference.to_array([IDX]))
    visible = visible_words(doc) if bounds is None else np.ones(len(bounds), dtype=bool)
    tags = np.full((len(visible), len(tagset.tasks)), UNKNOWN)
    for n, (task, labels) in enumerate(tagset.tasks.items()):
        if task not in reference.spans:
            continue
        unknown = {span.label_ for span in reference.spans[task]}.difference(labels)
        if unknown:
            raise ClinnerError(f"Task {task!r} has the labels {labels}, but its gold also {sorted(unknown)}; add them.")
        if bounds is not None:
            tags[:, n] = encode(_on_units(reference.spans[task], bounds), labels, visible)
            continue
        spans: list[Any] = [
            span if same else doc.char_span(span.start_char, span.end_char, span.label, alignment_mode="expand")
            for span in reference.spans[task]
        ]
        if any(span is None for span in spans):
            raise ClinnerError(f"Gold of task {task!r} lies beyond the text it is to be learned on; the texts differ.")
        tags[:, n] = encode([(s.start, s.end, s.label_) for s in spans], labels, visible)
    return tags


def _on_units(spans: Iterable[Any], bounds: NDArray[np.int64]) -> Iterator[tuple[int, int, str]]:
    """Spans -> the first unit that holds some of each, the one behind the last, and its label."""
    for span in spans:
        start = np.searchsorted(bounds[:, 1], span.start_char, "right")
        yield int(start), int(np.searchsorted(bounds[:, 0], span.end_char, "left")), span.label_


def encode(
    spans: Iterable[tuple[int, int, str]], labels: Sequence[str], visible: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Encode one task of one document.

    spans: (start, end, label), word offsets, end exclusive. visible: bool (n_words,), False for words that are
    transparent (see :mod:`clinner_spacy.encoders.visible`). Returns int (n_words,): a column of the task,
    :data:`UNKNOWN` for transparent words. Flat BIO holds one mention a word: of overlapping mentions the longer is
    kept, then the earlier.
    """
    tags = np.where(visible, 0, UNKNOWN)
    number = {label: n for n, label in enumerate(labels)}
    for start, end, label in sorted(spans, key=lambda span: (span[0] - span[1], span[0])):
        words = start + np.flatnonzero(visible[start:end])
        if len(words) and not tags[words].any():
            tags[words] = 2 + 2 * number[label]
            tags[words[0]] -= 1
    return tags
