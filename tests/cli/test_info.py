from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from clinner_spacy.cli import app
from tests.tiny import save_dt4h


def info(*args: object) -> dict[str, str]:
    result = CliRunner().invoke(app, ["info", *map(str, args)])
    assert result.exit_code == 0, result.output
    lines = [line.partition("  ") for line in result.output.splitlines()]
    return {key.strip(): value.strip() for key, _, value in lines}


def test_a_saved_pipeline(saved: Path) -> None:
    about = info(saved)
    assert about["name"] == "by_heart"
    assert about["license"] == "CC BY 4.0"
    assert about["languages"] == "es"
    assert about["task disease"] == "DISEASE"
    assert int(about["parameters"].replace(",", "")) > 1000
    assert about["size"].endswith("MB on disk")


def test_a_published_checkpoint(tmp_path: Path) -> None:
    path = save_dt4h(tmp_path)
    about = info(path, "--base-model", tmp_path / "base")
    assert about["format"] == "DT4H multi-task file"
    assert {"task disease", "task symptom"} <= set(about)
    assert int(about["parameters"].replace(",", "")) > 1000


def test_what_is_no_model(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["info", str(tmp_path / "absent")])
    assert result.exit_code == 1 and result.output.count("\n") == 1
