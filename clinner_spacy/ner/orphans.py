"""Tags that continue nothing, in heads whose publisher lets them open a mention."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def open_orphans(scores: NDArray[np.floating], lengths: Sequence[int], widths: Sequence[int]) -> None:
    """Where a word's best tag is an I with no B or I of its label before it, let B and I trade scores, in place.

    scores: float (n_words, n_columns) of a batch; rows of NaN were not read and are passed over. lengths: words a
    document. widths: columns a task, in the order O, B-X, I-X, B-Y, I-Y, … So read Hugging Face's
    token-classification pipelines.
    """
    read = np.flatnonzero(~np.isnan(scores).any(axis=1))
    if not len(read):
        return
    doc = np.repeat(np.arange(len(lengths)), lengths)[read]
    first = np.diff(doc, prepend=-1) > 0
    start = 0
    for width in widths:
        tags = scores[read, start : start + width].argmax(axis=1)
        before = np.where(first, 0, np.roll(tags, 1))
        inside = (tags > 0) & (tags % 2 == 0)
        # Halves: tags 2n + 1 (B) and 2n + 2 (I) are of label n.
        orphan = inside & ((before + 1) // 2 != (tags + 1) // 2)
        rows, inner = read[orphan], start + tags[orphan]
        scores[rows, inner], scores[rows, inner - 1] = scores[rows, inner - 1], scores[rows, inner]
        start += width
