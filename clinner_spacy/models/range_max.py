"""The element-wise maximum over any stretches of rows, each for the price of two rows: a sparse table.

M. A. Bender, M. Farach-Colton: The LCA problem revisited (2000): maxima over all stretches whose length is a power of
two are computed once; any stretch is the union of two of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from thinc.api import Ops
from thinc.types import Floats2d

Ints = NDArray[np.int64]


class RangeMax:
    """Maxima over rows of ``X``, float (n_rows, width), and their gradient; no stretch has more than ``longest``."""

    def __init__(self, ops: Ops, X: Floats2d, longest: int) -> None:
        self.ops, self.shape = ops, X.shape
        xp = ops.xp
        rows: Any = xp.broadcast_to(xp.arange(X.shape[0], dtype="int32")[:, None], X.shape)
        self.levels: list[tuple[Any, Any]] = [(X, rows)]
        step = 1
        while 2 * step <= longest:
            value, row = self.levels[-1]
            self.levels.append(_larger(xp, value[:-step], row[:-step], value[step:], row[step:]))
            step *= 2

    def __call__(self, start: Ints, end: Ints) -> tuple[Floats2d, Any]:
        """The maxima over rows ``start`` to ``end`` (int (n,) each, end exclusive), float (n, width), zeros where a
        stretch is empty, and for :meth:`backprop` the row of each, int (n, width), -1 where it is empty."""
        xp = self.ops.xp
        Y: Any = self.ops.alloc2f(len(start), self.shape[1])
        rows: Any = xp.full(Y.shape, -1, dtype="int32")
        length = end - start
        level = np.where(length > 0, np.frexp(np.maximum(length, 1))[1] - 1, -1)
        for n in range(int(level.max(initial=-1)) + 1):
            which = np.flatnonzero(level == n)
            if len(which):
                value, row = self.levels[n]
                low, high = start[which], end[which] - 2**n
                Y[which], rows[which] = _larger(xp, value[low], row[low], value[high], row[high])
        return Y, rows

    def backprop(self, dY: Any, rows: Any) -> Floats2d:
        """The gradient by ``X``: each maximum's goes to the row that it came from."""
        width = self.shape[1]
        flat = rows * width + self.ops.xp.arange(width, dtype="int32")
        there = (rows >= 0).ravel()
        dX = self.ops.alloc2f(self.shape[0] * width, 1)
        # scatter_add is made for rows: here each has one column.
        self.ops.scatter_add(dX, flat.ravel()[there], dY.reshape(-1, 1)[there])
        return self.ops.reshape2f(dX, self.shape[0], width)


def _larger(xp: Any, a: Any, row_a: Any, b: Any, row_b: Any) -> tuple[Any, Any]:
    take = b > a
    return xp.where(take, b, a), xp.where(take, row_b, row_a)
