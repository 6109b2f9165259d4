from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def corpora() -> Path:
    """The folder of the open corpora; tests that need it skip where it is absent."""
    default = Path(__file__).parents[2].parent / "shared" / "corpora"
    folder = Path(os.environ.get("CLINNER_CORPORA", default))
    if not folder.is_dir():
        pytest.skip(f"no corpora in {folder}: set CLINNER_CORPORA to where they lie")
    return folder
