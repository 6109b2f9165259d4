"""Tables of notes as other programs write them."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

KINDS = ("parquet", "jsonl", "csv", "tsv")


def write_notes(path: Path, rows: Sequence[dict[str, Any]], **options: Any) -> Path:
    """Rows as a table of the kind that its extension names; options are those of pyarrow's writer."""
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(list(rows)), path, **options)
    elif path.suffix == ".jsonl":
        lines = (json.dumps(row, ensure_ascii="\\ud" in json.dumps(row)) for row in rows)  # lone surrogates as escapes
        path.write_text("".join(line + "\n" for line in lines), encoding="utf-8", newline="")
    else:
        with path.open("w", encoding="utf-8", newline="") as file:
            table = csv.DictWriter(file, list(rows[0]), delimiter="\t" if path.suffix == ".tsv" else ",")
            table.writeheader()
            table.writerows(rows)
    return path


def same_findings(found: pa.Table, expected: pa.Table) -> bool:
    """Whether two tables are equal, scores but for rounding: a batch of another size is summed in another order."""
    scores = [table["score"].to_numpy() for table in (found, expected)]
    return found.drop(["score"]).equals(expected.drop(["score"])) and np.allclose(*scores, atol=1e-5)
