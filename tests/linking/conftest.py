from __future__ import annotations

from pathlib import Path

import pytest

from clinner_spacy.linking.index import Index, build_index
from clinner_spacy.linking.terminology import read_terminology

TABLE = """code\tterm\tlabel\tlang\tpreferred
D1\tDiabetes mellitus tipo 2\tdisorder\tes\t1
D1\tDM2\tdisorder\tes\t0
D2\tNódulo pulmonar\tfinding\tes\t
D3\tFiebre\tfinding\tes\t
D4\tFebbre\tfinding\tit\t
P1\tRadiografía de tórax\tprocedure\tes\t
A1\tCatarro\tdisorder\t\t0
A2\tCatarro\tdisorder\t\t1
"""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "terms.tsv"
    path.write_text(TABLE, encoding="utf-8")
    return path


@pytest.fixture
def index(table: Path) -> Index:
    return build_index(read_terminology(table), lang="es")
