from __future__ import annotations

from pathlib import Path

import pytest

from clinner_spacy.linking.index import Index, build_index
from clinner_spacy.linking.terminology import read_terminology
from tests.terms import write_table


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return write_table(tmp_path / "terms.tsv")


@pytest.fixture
def index(table: Path) -> Index:
    return build_index(read_terminology(table), lang="es")
