"""Adding rows up by where they belong."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from thinc.types import Floats2d


def add_up(ops: Any, values: Floats2d, rows: NDArray[np.int64], n_rows: int) -> Any:
    """The sum of the values of each row: float (n, width), int (n,) -> float (n_rows, width)."""
    total = ops.alloc2f(n_rows, values.shape[1])
    ops.scatter_add(total, ops.asarray1i(rows), ops.as_contig(values))
    return total
