"""The one lock of the package: weights are read, and made ready to read with, by one thread at a time."""

from __future__ import annotations

import os
import threading

_LOCKS: dict[int, threading.RLock] = {}


def first_use() -> threading.RLock:
    """The lock of this process. A forked child has one of its own: a thread of its parent may hold the other."""
    return _LOCKS.setdefault(os.getpid(), threading.RLock())
