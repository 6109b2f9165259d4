"""What several windows say of a word -> one set of tag probabilities, on the device where the heads are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def merge_readings(
    word: NDArray[np.int64], logits: Tensor, widths: Sequence[int], columns: Sequence[int] | None
) -> tuple[NDArray[np.int64], Tensor]:
    """The words that were read, int (n,), and the log-probabilities of their tags, float (n, n_columns).

    word: int (n_readings,), the word that each row of ``logits`` is about, ascending. widths: columns a task. columns:
    see :func:`fold`, or None where the rows of the heads are the columns.
    """
    if columns is not None:
        logits = fold(logits, columns, sum(widths))
    log_probs = log_probabilities(logits, widths)
    words, owner = np.unique(word, return_inverse=True)
    if len(words) < len(word):
        log_probs = vote(log_probs, torch.from_numpy(owner).to(logits.device), len(words), widths)
    return words, log_probs


def fold(logits: Tensor, columns: Sequence[int], n_columns: int) -> Tensor:
    """A published head's tags (n, n_tags) -> the canonical columns (n, n_columns): each takes the best of its tags.

    columns: the canonical column of each tag. A column without a tag can never win.
    """
    index = torch.as_tensor(columns, device=logits.device).expand(len(logits), -1)
    out = logits.new_full((len(logits), n_columns), float("-inf"))
    return out.scatter_reduce(1, index, logits, "amax")


def log_probabilities(logits: Tensor, widths: Sequence[int]) -> Tensor:
    """The log-softmax of each task's columns."""
    return torch.cat([part.log_softmax(dim=1) for part in logits.split(list(widths), dim=1)], dim=1)


def vote(log_probs: Tensor, owner: Tensor, n_words: int, widths: Sequence[int]) -> Tensor:
    """One vote a reading for its best tag; a word's score is the mean over the readings that voted for the winner.

    log_probs: float (n_readings, n_columns). owner: int (n_readings,), the word that is read, 0 to ``n_words`` - 1,
    ascending. Returns float (n_words, n_columns). On a tie a tag other than O wins; among those the one that was
    voted for first. That is the reference inference of the DT4H models.
    """
    return torch.cat([_vote(part, owner, n_words) for part in log_probs.split(list(widths), dim=1)], dim=1)


def _vote(log_probs: Tensor, owner: Tensor, n_words: int) -> Tensor:
    n, width = log_probs.shape
    choice = log_probs.argmax(dim=1)
    readings = torch.bincount(owner, minlength=n_words)
    rank = torch.arange(n, device=owner.device) - (readings.cumsum(0) - readings)[owner]
    # A whole point a vote; fractions only order what is tied: half a point for not being O, less for having come later.
    cell = owner * width + choice
    points = log_probs.new_zeros(n_words * width).index_add_(0, cell, torch.ones_like(log_probs[:, 0]))
    late = torch.full_like(points, 1.0).scatter_reduce(0, cell, rank / (n + 1), "amin")
    points = (points - 0.4 * late).view(n_words, width)
    points[:, 1:] += 0.5
    winner = points.masked_fill(points < 0.5, 0).argmax(dim=1)
    agrees = (choice == winner[owner]).to(log_probs.dtype)
    total = log_probs.new_zeros(n_words, width).index_add_(0, owner, log_probs.exp() * agrees[:, None])
    return (total / total.sum(dim=1, keepdim=True)).log()
