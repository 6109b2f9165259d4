"""Torch layers that clinner.SpanPairs.v1 is made of."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding_bag

#: Odd numbers with bits as mixed as those of random ones.
ODD = (0x1E3779B97F4A7C15, 0x3F58476D1CE4E5B9, 0x14D049BB133111EB, 0x2545F4914F6CDD1D)


class HashEmbedding(nn.Module):
    """A vector for any 64-bit hash, in columns of their own: int (n, n_columns) -> float (n, n_columns * width).

    Each is the sum of four rows of its column's table, so that two hashes hardly ever share all of theirs
    (J. Serrà, A. Karatzoglou: Getting deep recommenders fit (2017), https://arxiv.org/abs/1706.03993). Rows are found
    by multiply-shift hashing: four odd numbers, and the high bits of the products.
    """

    first: Tensor
    odd: Tensor

    def __init__(self, n_columns: int, rows: int, width: int) -> None:
        super().__init__()
        self.rows, self.n_outputs = rows, n_columns * width
        self.table = nn.Parameter(torch.empty(n_columns * rows, width).uniform_(-0.1, 0.1))
        self.register_buffer("first", torch.arange(n_columns).unsqueeze(1) * rows, persistent=False)
        self.register_buffer("odd", torch.tensor(ODD), persistent=False)

    def forward(self, hashes: Tensor) -> Tensor:
        high = (hashes.unsqueeze(-1) * self.odd) >> 32 & 0x7FFFFFFF
        rows = (high * self.rows >> 31) + self.first
        return embedding_bag(rows.flatten(0, 1), self.table, mode="sum").view(len(hashes), self.n_outputs)


class Maxout(nn.Module):
    """The largest of three linear layers: float (n, n_inputs) -> (n, width)."""

    def __init__(self, n_inputs: int, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(n_inputs, 3 * width)

    def forward(self, X: Tensor) -> Tensor:
        return self.linear(X).unflatten(1, (3, -1)).amax(1)


class RangeMaximum:
    """The element-wise maximum over any ranges of rows, each for the price of two rows: a sparse table.

    M. A. Bender, M. Farach-Colton: The LCA problem revisited (2000): maxima over all ranges whose length is a power of
    two are computed once; any range is the union of two of them.

    X: float (n_rows, width). longest: no range has more rows.
    """

    def __init__(self, X: Tensor, longest: int) -> None:
        levels = [X]
        while 2 ** len(levels) <= longest:
            step = 2 ** (len(levels) - 1)
            levels.append(torch.maximum(levels[-1][:-step], levels[-1][step:]))
        sizes = torch.tensor([0, *map(len, levels)], device=X.device)
        self.first = sizes.cumsum(0)  # of each level, and of the row of zeros
        self.table = torch.cat([*levels, X.new_zeros(1, X.shape[1])])

    def __call__(self, start: Tensor, end: Tensor) -> Tensor:
        """The maxima over the rows ``start`` to ``end``, int (n,) each, end exclusive; zeros where there are none."""
        length = end - start
        level = torch.frexp(length.float()).exponent.long() - 1
        low = torch.where(length > 0, self.first[level] + start, self.first[-1])
        high = torch.where(length > 0, self.first[level] + end - (1 << level.clamp(min=0)), self.first[-1])
        return torch.maximum(take(self.table, low), take(self.table, high))


def group_maximum(X: Tensor, group: Tensor, n_groups: int) -> Tensor:
    """The element-wise maximum over the rows of each group, float (n_groups, width); zeros for a group without any.

    group: int (n_rows,), the group of each row.
    """
    zeros = X.new_zeros(n_groups, X.shape[1])
    return zeros.scatter_reduce(0, group.unsqueeze(1).expand_as(X), X, "amax", include_self=False)


def take(X: Tensor, rows: Tensor) -> Tensor:
    """``X[rows]``, whose gradient torch computes faster in this way."""
    return X.index_select(0, rows)


def ragged_range(starts: Tensor, counts: Tensor) -> Tensor:
    """``[s, s + 1, …, s + c - 1]`` for each start and count, one after the other."""
    before = counts.cumsum(0) - counts
    total = (starts - before).repeat_interleave(counts)
    return total + torch.arange(len(total), device=starts.device)
