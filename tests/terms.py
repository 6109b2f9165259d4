"""A small terminology as a table."""

from __future__ import annotations

from pathlib import Path

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


def write_table(path: Path) -> Path:
    path.write_text(TABLE, encoding="utf-8")
    return path
