"""Computing with other weights for a while, such as an optimizer's averages."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from thinc.util import xp2torch
from torch import nn


@contextlib.contextmanager
def using(module: nn.Module | None, shim_id: int, params: dict[Any, Any]) -> Iterator[bool]:
    """Put those of ``params``, keyed by (shim id, name) as the optimizer keeps them, in the place of a module's own.

    Yields whether there were any.
    """
    own = dict(module.named_parameters()) if module is not None else {}
    swapped = {}
    try:
        for name in own:
            if (shim_id, name) in params:
                value = xp2torch(params[shim_id, name], device=own[name].device)
                swapped[name], own[name].data = own[name].data, value
        yield bool(swapped)
    finally:
        for name, value in swapped.items():
            own[name].data = value
