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

from clinner_spacy.models.scatter import add_up

Ints = NDArray[np.int64]


class RangeMax:
    """Maxima over rows of ``X``, float (n_rows, width), and their gradient; no stretch has more than ``longest``.

    is_train: keep where maxima come from, for :meth:`backprop`.
    """

    def __init__(self, ops: Ops, X: Floats2d, longest: int, is_train: bool) -> None:
        self.ops, self.shape, self.is_train = ops, X.shape, is_train
        xp = ops.xp
        rows: Any = xp.broadcast_to(xp.arange(X.shape[0], dtype="int32")[:, None], X.shape) if is_train else None
        self.levels: list[tuple[Any, Any]] = [(X, rows)]
        step = 1
        while 2 * step <= longest:
            value, row = self.levels[-1]
            self.levels.append(self._larger(value, row, slice(None, -step), slice(step, None)))
            step *= 2

    def __call__(self, start: Ints, end: Ints) -> tuple[Floats2d, Any]:
        """The maxima over rows ``start`` to ``end`` (int (n,) each, end exclusive), float (n, width), zeros where a
        stretch is empty, and for :meth:`backprop` the row of each, int (n, width), -1 where it is empty, or None."""
        xp = self.ops.xp
        Y: Any = self.ops.alloc2f(len(start), self.shape[1])
        rows: Any = xp.full(Y.shape, -1, dtype="int32") if self.is_train else None
        length = end - start
        level = np.where(length > 0, np.frexp(np.maximum(length, 1))[1] - 1, -1)
        for n in range(int(level.max(initial=-1)) + 1):
            which = np.flatnonzero(level == n)
            if len(which):
                value, row = self.levels[n]
                low, high = start[which], end[which] - 2**n
                Y[which], found = self._larger(value, row, low, high)
                if self.is_train:
                    rows[which] = found
        return Y, rows

    def backprop(self, dY: Any, rows: Any) -> Floats2d:
        """The gradient by ``X``: each maximum's goes to the row that it came from."""
        width = self.shape[1]
        flat = rows * width + self.ops.xp.arange(width, dtype="int32")
        there = (rows >= 0).ravel()
        # Rows are added up: here each has one column.
        dX = add_up(self.ops, dY.reshape(-1, 1)[there], flat.ravel()[there], self.shape[0] * width)
        return self.ops.reshape2f(dX, self.shape[0], width)

    def _larger(self, value: Any, row: Any, first: Any, second: Any) -> tuple[Any, Any]:
        """Of the rows ``first`` and ``second`` of a level the larger values, and where they come from."""
        xp = self.ops.xp
        if not self.is_train:
            return xp.maximum(value[first], value[second]), None
        take = value[second] > value[first]
        return xp.where(take, value[second], value[first]), xp.where(take, row[second], row[first])
