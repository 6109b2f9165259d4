"""Torch in the processes that ``nlp.pipe(n_process=2)`` forks.

The threads of OpenMP do not survive a fork: once torch has run on several threads in the parent, a child that asks for
them waits for ever. So our own computations run on one thread in a forked child, which is what a process a core
wants anyway. Nothing else in that process is changed.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import torch

from clinner_spacy.errors import ClinnerError

#: The process that imported this module: in a forked child it is another one.
IMPORTED_IN = os.getpid()


@contextlib.contextmanager
def safe_in_forks(device: torch.device) -> Iterator[None]:
    """Compute with torch inside; in a forked child on one thread.

    Raises ClinnerError where a child would use the GPU that its parent has opened, which CUDA cannot.
    """
    if os.getpid() == IMPORTED_IN:
        yield
        return
    if device.type == "cuda" and not torch.cuda.is_initialized():
        raise ClinnerError(f"n_process: a forked process cannot use {device}; leave n_process at 1 on a GPU.")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
