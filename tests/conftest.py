"""Shared by all tests: one torch thread, no network, where the reference data lies."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

os.environ.setdefault("HF_HUB_OFFLINE", "1")
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def golden() -> Path:
    """The reference outputs for checkpoint parity."""
    path = Path(os.environ.get("CLINNER_GOLDEN", Path(__file__).parents[2] / "shared" / "golden"))
    if not path.is_dir():
        pytest.skip(f"no reference outputs at {path}; set CLINNER_GOLDEN")
    return path


@pytest.fixture(scope="session")
def corpora() -> Path:
    """The folder of the open corpora; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("CLINNER_CORPORA", Path(__file__).parents[2] / "shared" / "corpora"))
    if not folder.is_dir():
        pytest.skip(f"no corpora in {folder}: set CLINNER_CORPORA to where they lie")
    return folder
