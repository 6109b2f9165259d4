"""Shared by all tests: one torch thread, no network, where the reference data lies."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from tests.terms import write_table

os.environ.setdefault("HF_HUB_OFFLINE", "1")
torch.set_num_threads(1)


def shared(name: str, variable: str) -> Path:
    """A folder that lies beside the project, or where the variable says; tests that need it skip where it is absent."""
    folder = Path(os.environ.get(variable, Path(__file__).parents[2] / "shared" / name))
    if not folder.is_dir():
        pytest.skip(f"no {name} in {folder}: set {variable} to where it lies")
    return folder


@pytest.fixture(scope="session")
def golden() -> Path:
    """The reference outputs for checkpoint parity."""
    return shared("golden", "CLINNER_GOLDEN")


@pytest.fixture(scope="session")
def corpora() -> Path:
    """The open corpora."""
    return shared("corpora", "CLINNER_CORPORA")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A small terminology as a table."""
    return write_table(tmp_path / "terms.tsv")
