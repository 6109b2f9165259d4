"""No command writes over what it reads, nor over anything else unless asked to."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from clinner_spacy.cli import app
from tests.cli.conftest import TEXT, Run
from tests.cli.test_predict import write


@pytest.mark.parametrize("command", ["predict", "render"])
@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("a.txt", "a.txt"), "ends in .txt"),
        (("a.txt", "b.txt"), "ends in .txt"),
        (("a.txt", "b.txt", "c.txt"), "3 names are given"),
        (("a.txt", "b.txt", "out.tsv"), "3 names are given"),
        (("note", "note"), "also read from"),
        (("note", "note", "--overwrite"), "also read from"),
        (("note", "linked", "--overwrite"), "also read from"),
        (("a.txt", "old.tsv"), "--overwrite"),
    ],
)
def test_refused(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, args: tuple[str, ...], told: str
) -> None:
    write(tmp_path, {"a.txt": TEXT, "b.txt": TEXT, "c.txt": TEXT, "note": TEXT, "old.tsv": "old"})
    (tmp_path / "linked").symlink_to("note")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    monkeypatch.chdir(tmp_path)
    result = run(command, *args)
    assert result.exit_code == 1 and told in result.output and result.output.count("\n") == 1, result.output
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_overwritten_when_asked(run: Run, tmp_path: Path) -> None:
    write(tmp_path, {"a.txt": TEXT, "out.tsv": "old", "out.html": "old"})
    for command, name in (("predict", "out.tsv"), ("render", "out.html")):
        assert run(command, tmp_path / "a.txt", tmp_path / name, "--overwrite").exit_code == 0
        assert "fiebre" in (tmp_path / name).read_text()


def test_relations_are_written_beside(run: Run, tmp_path: Path) -> None:
    write(tmp_path, {"a.txt": TEXT, "old": "old"})
    for name, told in (("a.txt", "ends in .txt"), ("old", "--overwrite"), ("out.tsv", "is OUTPUT")):
        result = run("predict", tmp_path / "a.txt", tmp_path / "out.tsv", "--relations", tmp_path / name)
        assert result.exit_code == 1 and told in result.output
    assert not (tmp_path / "out.tsv").exists() and (tmp_path / "a.txt").read_text() == TEXT


def test_brat_folders_are_never_replaced_nor_read_again(run: Run, tmp_path: Path) -> None:
    write(tmp_path, {"in/a.txt": TEXT, "there/x": ""})
    for output, option, told in (
        ("there", "--overwrite", "never folders"),
        ("in/brat", "--task=disease", "its copies would be notes"),
        ("there", "--task=disease", "exists already"),
    ):
        result = run("predict", tmp_path / "in", tmp_path / output, "--format", "brat", option)
        assert result.exit_code == 1 and told in result.output
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.txt", "in", "there", "x"]


def test_converted_corpora(tmp_path: Path) -> None:
    write(tmp_path, {"in/a.txt": "tos", "in/a.ann": "T1\tS 0 3\ttos\n", "old.spacy": "old", "t.spacy": "tos B-S\n"})

    def convert(*args: str) -> str:
        result = CliRunner().invoke(app, ["convert", *(str(tmp_path / arg) for arg in args), "--lang", "es"])
        assert result.exit_code == 1
        return result.output

    assert "--overwrite" in convert("in", "old.spacy")
    assert "also read from" in convert("t.spacy", "t.spacy")
    assert "3 names are given" in convert("in/a.txt", "in/a.ann", "new.spacy")
    assert (tmp_path / "old.spacy").read_text() == "old" and (tmp_path / "t.spacy").read_text() == "tos B-S\n"
