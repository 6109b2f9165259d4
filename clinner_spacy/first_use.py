"""The one lock of the package: weights are read, and made ready to read with, by one thread at a time."""

from __future__ import annotations

import os
import threading

FIRST_USE = threading.RLock()

# A fork waits for whoever holds it: a child has no other threads, so that it would stay held there for ever.
if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(before=FIRST_USE.acquire, after_in_parent=FIRST_USE.release, after_in_child=FIRST_USE.release)
