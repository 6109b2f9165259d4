"""Torch in the processes that ``nlp.pipe(n_process=2)`` forks.

The threads of OpenMP do not survive a fork: once torch has run on several threads in the parent, a child that asks for
them waits for ever. A child therefore runs on one thread, which is what a process a core wants anyway.
"""

from __future__ import annotations

import os

import torch

from clinner_spacy.errors import ClinnerError

_parent_used_cuda = False


def _in_child() -> None:
    global _parent_used_cuda
    _parent_used_cuda = torch.cuda.is_initialized()
    torch.set_num_threads(1)


def check_fork(device: torch.device) -> None:
    """Raise ClinnerError where a forked child would use the GPU that its parent has opened, which CUDA cannot."""
    if _parent_used_cuda and device.type == "cuda":
        raise ClinnerError(f"n_process: a forked process cannot use {device}; leave n_process at 1 on a GPU.")


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_in_child)
