"""Gold spans -> one tag a word."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

#: The tag of a word that says nothing: no loss is taken there.
UNKNOWN = -1


def encode(
    spans: Iterable[tuple[int, int, str]], labels: Sequence[str], visible: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Encode one task of one document.

    spans: (start, end, label), word offsets, end exclusive. visible: bool (n_words,), False for words that are
    transparent (see :mod:`clinner_spacy.words.visible`). Returns int (n_words,): a column of the task, :data:`UNKNOWN`
    for transparent words. Flat BIO holds one mention a word: of overlapping mentions the longer is kept, then the
    earlier.
    """
    tags = np.where(visible, 0, UNKNOWN)
    number = {label: n for n, label in enumerate(labels)}
    for start, end, label in sorted(spans, key=lambda span: (span[0] - span[1], span[0])):
        words = start + np.flatnonzero(visible[start:end])
        if len(words) and not tags[words].any():
            tags[words] = 2 + 2 * number[label]
            tags[words[0]] -= 1
    return tags
