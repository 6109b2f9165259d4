"""What is read, by which name, and what is said of the rest."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from clinner_spacy.cli.texts import Texts
from clinner_spacy.errors import ClinnerError
from tests.cli.conftest import TEXT, Run
from tests.cli.test_predict import FOUND, rows, write


def names(folder: Path) -> list[str]:
    return [text.name for text in Texts(str(folder))]


def test_names_are_paths_below_the_input(tmp_path: Path) -> None:
    write(tmp_path, {"p1/note.txt": "a", "p2/note.txt": "b", "c.TXT": "c", "p1/x.y.txt": "d"})
    assert names(tmp_path) == ["c", "p1/note", "p1/x.y", "p2/note"]
    assert names(tmp_path / "p1") == ["note", "x.y"]


def test_linked_folders_are_read_and_loops_end(tmp_path: Path) -> None:
    write(tmp_path, {"in/a.txt": "a", "other/b.txt": "b"})
    (tmp_path / "in" / "linked").symlink_to(tmp_path / "other")
    (tmp_path / "in" / "loop").symlink_to(tmp_path / "in")
    (tmp_path / "other" / "c.txt").symlink_to(tmp_path / "in" / "a.txt")
    assert names(tmp_path / "in") == ["a", "linked/b", "linked/c"]


def test_what_cannot_be_read_is_told_and_the_rest_written(run: Run, tmp_path: Path) -> None:
    write(tmp_path / "in", {"a.txt": TEXT, "b.txt": b"tos \xff", "deep/c.txt": TEXT})
    (tmp_path / "in" / "gone.txt").symlink_to(tmp_path / "nowhere")
    (tmp_path / "in" / "folder").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "in" / "pipe.txt")
    for command, output in (("predict", "out.tsv"), ("render", "out.html")):
        result = run(command, tmp_path / "in", tmp_path / output)
        assert result.exit_code == 1 and "Traceback" not in result.output
        *told, last = result.stderr.splitlines()
        assert [Path(line.split()[0]).name for line in told] == ["folder", "gone.txt", "pipe.txt", "b.txt"]
        assert last == "Error: 4 of 6 could not be read, the others are in the output."
    assert rows(tmp_path / "out.tsv") == [(name, *found) for name in ("a", "deep/c") for found in FOUND]


def test_encoding(run: Run, tmp_path: Path) -> None:
    text = "Señora. " + TEXT
    for encoding in ("cp1252", "utf-16"):
        write(tmp_path, {"a.txt": text.encode(encoding)})
        result = run("predict", tmp_path / "a.txt", tmp_path / f"{encoding}.tsv", "--encoding", encoding)
        assert result.exit_code == 0, result.output
        assert [text[start:end] for *_, start, end, _ in rows(tmp_path / f"{encoding}.tsv")] == [f[3] for f in FOUND]
    result = run("predict", tmp_path / "a.txt", tmp_path / "out.tsv", "--encoding", "utf-32")
    assert result.exit_code == 1 and "is not utf-32" in result.output


@pytest.mark.parametrize("format", ["tsv", "brat"])
def test_odd_names_of_files(run: Run, tmp_path: Path, format: str) -> None:
    not_utf8 = {os.fsdecode(name): TEXT for name in (b"e\xe9.txt", b"f\xff/g.txt")}
    write(tmp_path / "in", {"a\tb.txt": TEXT, "c\nd\r.txt": TEXT, **not_utf8, os.fsdecode(b"bad\xe9.txt"): b"\xff"})
    result = run("predict", tmp_path / "in", tmp_path / "out", "--format", format)
    assert result.exit_code == 1 and "1 of 5" in result.output and "Traceback" not in result.output
    wanted = ["a\\tb", "c\\nd\\r", "e\\xe9", "f\\xff/g"]
    if format == "tsv":
        assert list(dict.fromkeys(row[0] for row in rows(tmp_path / "out"))) == wanted
    else:
        made = (path.relative_to(tmp_path / "out") for path in (tmp_path / "out").rglob("*.ann"))
        assert sorted(str(path)[:-4] for path in made) == wanted


def test_a_closed_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)  # as Python has it under "<&-"
    with pytest.raises(ClinnerError, match="Standard input is closed"):
        list(Texts("-"))
