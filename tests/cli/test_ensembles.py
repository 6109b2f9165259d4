"""Several checkpoints as one, from the command line."""

from __future__ import annotations

from pathlib import Path

import torch
from typer.testing import CliRunner

from clinner_spacy.cli import app
from tests.checkpoints.test_families import multihead
from tests.tiny import TEXT


def run(*args: object) -> str:
    result = CliRunner().invoke(app, list(map(str, args)))
    assert result.exit_code == 0, result.output
    return result.output


def test_an_ensemble_is_read_shown_and_exported(tmp_path: Path) -> None:
    names = [tmp_path / "0", tmp_path / "1"]
    for seed, name in enumerate(names):
        torch.manual_seed(seed)
        multihead(name)
    note = tmp_path / "note.txt"
    note.write_text("\n".join(TEXT), encoding="utf-8")
    both = [word for name in names for word in ("--checkpoint", name)]
    about = run("info", names[0], "--checkpoint", names[1])
    assert "ensemble of 2" in about and "task symptom" in about
    run("export", names[0], tmp_path / "saved", "--checkpoint", names[1], "--precision", "fp32")
    tables = [tmp_path / f"{name}.tsv" for name in ("both", "saved", "one")]
    models = (both, ["--model", tmp_path / "saved"], ["--checkpoint", names[0]])
    for table, model in zip(tables, models, strict=True):
        run("predict", note, table, *model, "--precision", "fp32")
    together, saved, one = (table.read_text(encoding="utf-8") for table in tables)
    assert together.count("\n") > 1 and together == saved != one
    run("render", note, tmp_path / "page.html", *both)


def test_members_that_differ_are_named(tmp_path: Path) -> None:
    multihead(tmp_path / "0")
    multihead(tmp_path / "1", labels=["DISEASE"])
    result = CliRunner().invoke(app, ["info", str(tmp_path / "0"), "--checkpoint", str(tmp_path / "1")])
    assert result.exit_code == 1 and "has the tasks" in result.output and result.output.count("\n") == 1
