from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from clinner_spacy.cli import app

HEADER = "filename\tlabel\tstart_span\tend_span\ttext\n"


@pytest.fixture
def tables(tmp_path: Path) -> list[str]:
    gold, predicted = tmp_path / "gold.tsv", tmp_path / "pred.tsv"
    gold.write_text(HEADER + "a\tDISEASE\t0\t8\tt\na\tDISEASE\t20\t26\tt\nb\tDRUG\t0\t4\tt\n")
    predicted.write_text(HEADER + "a\tDISEASE\t0\t8\tt\na\tDISEASE\t0\t8\tt\na\tDISEASE\t20\t24\tt\na\tDRUG\t1\t2\tt\n")
    return [str(gold), str(predicted)]


def test_prints_json(tables: list[str]) -> None:
    result = CliRunner().invoke(app, ["evaluate", *tables, "--entity", "DISEASE"])
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {
        "entity": "DISEASE",
        "strict": {"precision": 0.5, "recall": 0.5, "f1": 0.5, "tp": 1, "fp": 1, "fn": 1},
        "char_f1": {"precision": 0.9, "recall": 0.9, "f1": 0.9, "n_gold": 2, "n_pred": 2},
    }


def test_per_document(tables: list[str]) -> None:
    scores = json.loads(CliRunner().invoke(app, ["evaluate", *tables, "--per-document"]).stdout)
    assert scores["strict"] == {"precision": 0.3333, "recall": 0.3333, "f1": 0.3333, "tp": 1, "fp": 2, "fn": 2}
    assert scores["documents"]["b"]["char_f1"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "n_gold": 1, "n_pred": 0}


def test_errors_are_one_sentence(tables: list[str]) -> None:
    Path(tables[1]).write_text(HEADER + "a\tDISEASE\t8\t8\tt\n")
    result = CliRunner().invoke(app, ["evaluate", *tables])
    assert result.exit_code == 1
    assert "pred.tsv, line 2: the end_span is not behind the start_span" in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    "row", ["Juan\t0\t8\tfiebre\n", "a\t0\t998877\tJuan\tfiebre\n", "a\tJuan\t998877\t5\tX\n", "a\tJuan\t0\t5\tX\n"]
)
def test_shifted_columns_show_no_text(tables: list[str], row: str) -> None:
    Path(tables[1]).write_text(HEADER + row)
    result = CliRunner().invoke(app, ["evaluate", tables[1], tables[1], "--entity", "SYMPTOM"])
    assert result.exit_code == 1 and result.output.count("\n") == 1
    assert not any(word in result.output for word in ("Juan", "998877", "fiebre"))


@pytest.mark.parametrize("name", ["found.parquet", "found.jsonl"])
def test_tables_of_other_kinds_are_called_so(tables: list[str], tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"PAR1\xff")
    result = CliRunner().invoke(app, ["evaluate", str(tmp_path / name), tables[1]])
    assert result.exit_code == 1 and f"{name} is no .tsv, which is all that evaluate reads" in result.output
