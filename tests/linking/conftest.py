from __future__ import annotations

from pathlib import Path

import pytest

from clinner_spacy.linking.index import Index, build_index
from clinner_spacy.linking.terminology import read_terminology


@pytest.fixture
def index(table: Path) -> Index:
    return build_index(read_terminology(table), lang="es")
