"""What the heads of published models say -> log-probabilities of our tags, the publisher's choice the most probable."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from clinner_spacy.ner.chain import Chain, Floats, Ints, best_path, marginals

#: No probability is taken as smaller before its logarithm.
TINY = 1e-30


def crf_log_probabilities(logits: Floats, lengths: Ints, chain: Chain) -> Floats:
    """Marginals of a CRF over whole windows, float (n, n_tags), in which the best path's tags are the most probable.

    logits: float (n, n_tags), windows one after another. lengths: int (n_windows,). Where another tag than that of the
    best path (Viterbi) is more probable by itself, it is lowered to just below it, and all are scaled to sum to 1.
    """
    if not len(logits):
        return logits
    tags = best_path(logits, lengths, chain)
    p = marginals(logits, lengths, chain)
    rows = np.arange(len(p))
    others = np.minimum(p, 0.999 * p[rows, tags][:, None])
    others[rows, tags] = p[rows, tags]
    p = np.where((p.argmax(axis=1) == tags)[:, None], p, others)
    return np.log(np.maximum(p / p.sum(axis=1, keepdims=True), TINY))


def sigmoid_log_probabilities(logits: Tensor, columns: Sequence[int], widths: Sequence[int]) -> Tensor:
    """Labels that are each true or not -> log-probabilities of tags, float (n, sum of widths).

    logits: float (n, n_labels). columns: the column of each label, never that of an O. widths: columns a task, O first.
    In each task the label that is most probable is taken if it is at least 1/2 probable, else O, which has what that
    label lacks; the chosen tag keeps its probability and the others share the rest.
    """
    p = logits.new_zeros(len(logits), sum(widths))
    p[:, list(columns)] = logits.sigmoid()
    parts = []
    for part in p.split(list(widths), dim=1):
        outside = 1 - part[:, 1:].amax(dim=1, keepdim=True)
        part = torch.cat([outside, part[:, 1:]], dim=1)
        best, chosen = part.max(dim=1, keepdim=True)
        others = part.scatter(1, chosen, 0.0)
        others = others * (1 - best) / others.sum(dim=1, keepdim=True).clamp_min(TINY)
        parts.append(others.scatter(1, chosen, best))
    return torch.cat(parts, dim=1).clamp_min(TINY).log()
