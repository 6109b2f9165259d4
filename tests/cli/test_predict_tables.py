"""From tables of notes to tables of findings, and folders of parts that a killed run is continued in."""

from __future__ import annotations

import csv
import io
import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import spacy
from spacy.tokens import DocBin

from clinner_spacy.tables.parts import MANIFEST
from tests.cli.conftest import TEXT, Run
from tests.cli.processes import Command, until
from tests.cli.test_predict import FOUND, nothing_else, rows, write
from tests.tables.files import KINDS, write_notes

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")

NOTES = [{"note_id": f"n{n}", "text": TEXT if n % 2 else "Nada.", "patient_id": f"p{n}", "age": n} for n in range(6)]
NAMES = ["n1", "n3", "n5"]
PLACES = [(name, *found) for name in NAMES for found in FOUND]


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    return write_notes(tmp_path / "notes.parquet", NOTES)


def places(records: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(r["note_id"], r["label"], int(r["start"]), int(r["end"]), r["text"]) for r in records]


def read(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pylist()
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_bytes().splitlines()]
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode(), newline="")))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("output", ["parquet", "jsonl", "csv"])
def test_tables_to_tables(run: Run, tmp_path: Path, kind: str, output: str) -> None:
    renamed = [{"id": note["note_id"], "body": note["text"], "age": note["age"]} for note in NOTES]
    path, found = write_notes(tmp_path / f"notes.{kind}", renamed), tmp_path / f"found.{output}"
    result = run("predict", path, found, "--text-column", "body", "--id-column", "id", "--keep", "age")
    assert result.exit_code == 0 and result.output == "", result.output
    records = read(found)
    assert places(records) == PLACES
    assert [str(r["age"]) for r in records] == ["1", "1", "3", "3", "5", "5"]
    assert all(0 <= float(r["score"]) <= 1 and r["task"] == r["label"].lower() for r in records)


def test_a_directory_of_parquet_files(run: Run, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for n in range(3):
        write_notes(tmp_path / "in" / f"part-{n}.parquet", NOTES[2 * n : 2 * n + 2])
    (tmp_path / "in" / "_SUCCESS").touch()
    assert run("predict", tmp_path / "in", tmp_path / "out.tsv", "--n-process", "2").exit_code == 0
    assert rows(tmp_path / "out.tsv") == PLACES
    (tmp_path / "in" / "a.txt").write_text(TEXT)  # then the texts are what is read
    assert run("predict", tmp_path / "in", tmp_path / "a.tsv").exit_code == 0
    assert {row[0] for row in rows(tmp_path / "a.tsv")} == {"a"}
    assert run("predict", tmp_path / "in", tmp_path / "b.tsv", "--input-format", "parquet").exit_code == 0
    assert rows(tmp_path / "b.tsv") == PLACES


@pytest.mark.parametrize("format", ["tsv", "csv", "jsonl", "dt4h"])
def test_standard_input_and_output(run: Run, notes: Path, format: str) -> None:
    lines = "".join(json.dumps(note) + "\n" for note in NOTES).encode()
    result = run("predict", "-", "-", "--input-format", "jsonl", "--format", format, input=lines)
    assert result.exit_code == 0 and result.stderr == ""
    if format == "dt4h":
        assert [len(json.loads(line)["nlp_output"]["annotations"]) for line in result.stdout.splitlines()] == [0, 2] * 3
    elif format == "tsv":
        names = [line.split("\t")[0] for line in result.stdout.splitlines()]
        assert names == ["filename", *(place[0] for place in PLACES)]
    else:
        path = notes.with_name(f"out.{format}")
        path.write_bytes(result.stdout_bytes)
        assert places(read(path)) == PLACES


def test_dt4h_has_the_other_columns_of_the_notes(run: Run, notes: Path, tmp_path: Path) -> None:
    assert run("predict", notes, tmp_path / "out.jsonl", "--format", "dt4h").exit_code == 0
    first, second, *_ = (json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines())
    metadata = second["nlp_output"]["record_metadata"]
    assert (metadata["note_id"], metadata["patient_id"], metadata["age"]) == ("n1", "p1", 1)
    assert metadata["text"] == TEXT and first["nlp_output"]["annotations"] == []
    assert second["nlp_service_info"] == {
        **{"service_app_name": "clinner-spacy", "service_language": "es", "service_version": "0.1.0"},
        "service_model": "by_heart",
    }
    assert run("predict", notes, tmp_path / "age.jsonl", "--format", "dt4h", "--keep", "age").exit_code == 0
    metadata = json.loads((tmp_path / "age.jsonl").read_text().splitlines()[1])["nlp_output"]["record_metadata"]
    assert metadata["age"] == 1 and "patient_id" not in metadata


@pytest.mark.parametrize("name", ["text", "nlp_processing_date"])
def test_dt4h_loses_no_column_of_the_notes(run: Run, tmp_path: Path, name: str) -> None:
    path = write_notes(tmp_path / "notes.parquet", [{"note_id": "a", "body": TEXT, name: "short", "age": 1}])
    asked = ("predict", path, tmp_path / "out.jsonl", "--format", "dt4h", "--text-column", "body")
    for more in ((), ("--keep", name), ("--id-column", name, "--keep", "age")):
        result = run(*asked, *more)
        assert result.exit_code == 1 and f"column {name} would be lost" in result.output, result.output
        assert not (tmp_path / "out.jsonl").exists()
    assert run(*asked, "--keep", "age").exit_code == 0
    (line,) = (tmp_path / "out.jsonl").read_text().splitlines()
    assert json.loads(line)["nlp_output"]["record_metadata"]["age"] == 1


def test_label_studio(run: Run, notes: Path, tmp_path: Path) -> None:
    options = ("--format", "label-studio", "--keep", "patient_id")
    assert run("predict", notes, tmp_path / "tasks.json", *options).exit_code == 0
    tasks = json.loads((tmp_path / "tasks.json").read_text())
    assert tasks[1]["data"] == {"note_id": "n1", "patient_id": "p1", "text": TEXT}
    results = [mention["value"] for mention in tasks[1]["predictions"][0]["result"]]
    assert [(r["labels"][0], r["start"], r["end"], r["text"]) for r in results] == FOUND


def test_docbin(run: Run, notes: Path, tmp_path: Path) -> None:
    assert run("predict", notes, tmp_path / "found.spacy").exit_code == 0
    docs = list(DocBin().from_disk(tmp_path / "found.spacy").get_docs(spacy.blank("es").vocab))
    assert [doc.text for doc in docs] == [note["text"] for note in NOTES]
    assert [(s.label_, s.start_char, s.end_char, s.text) for s in docs[1].spans["sc"]] == FOUND
    assert len(docs[1].spans["sc"].attrs["scores"]) == 2 and docs[0].spans["sc"].attrs == {"characters": []}


def test_scores_in_a_tsv(run: Run, notes: Path, tmp_path: Path) -> None:
    assert run("predict", notes, tmp_path / "out.tsv", "--scores").exit_code == 0
    header, first, *_ = ((tmp_path / "out.tsv").read_text().splitlines())
    assert header.split("\t")[5:] == ["task", "score"] and 0 < float(first.split("\t")[6]) <= 1
    assert rows(tmp_path / "out.tsv") == PLACES


def test_texts_that_are_null_are_told_and_the_rest_written(run: Run, tmp_path: Path) -> None:
    path = write_notes(tmp_path / "notes.parquet", [*NOTES, {**NOTES[0], "note_id": "n6", "text": None}])
    result = run("predict", path, tmp_path / "out.parquet")
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        f"{path}, row 7 cannot be read: its text is null.",
        "Error: 1 of 7 could not be read, the others are in the output.",
    ]
    assert places(read(tmp_path / "out.parquet")) == PLACES


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("notes.parquet", "out.xlsx"), "does not say what to write: name it .tsv, .csv"),
        (("notes.parquet", "out"), "a folder's name ends in /"),
        (("notes.parquet", "out.json"), "choose by --format"),
        (("notes.parquet", "out.csv", "--format", "jsonl"), "named as csv, and --format asks for jsonl"),
        (("notes.parquet", "-", "--format", "parquet"), "Standard output can hold tsv, csv, jsonl, dt4h, not parquet"),
        (("notes.parquet", "out/", "--format", "csv"), "can hold brat, parquet, not csv; name a file"),
        (("notes.parquet", "-", "--overwrite"), "--overwrite is for files"),
        (("notes.parquet", "out/", "--overwrite"), "never folders"),
        (("notes.parquet", "out.tsv", "--text-column", "body"), "no column body but note_id, text, patient_id, age"),
        (("notes.parquet", "out.tsv", "--keep", "day,age"), "no column day but"),
        (("notes.parquet", "out.tsv", "--keep", "age,,age"), "name each once"),
        (("notes.parquet", "out.tsv", "--keep", "note_id"), "name each once"),
        (("renamed.jsonl", "out.tsv", "--text-column", "body", "--keep", "text"), "--keep text is also the name"),
        (("notes.parquet", "out.spacy", "--keep", "age"), "--keep is for tsv, csv, jsonl, parquet, dt4h, label-studio"),
        (("notes.parquet", "out.csv", "--scores"), "csv has them always"),
        (("notes.parquet", "brat/", "--format", "brat", "--scores"), "brat has no place for scores"),
        (("notes.parquet", "brat/", "--format", "brat", "--allow-duplicates"), "not for brat"),
        (("notes.parquet", "out.csv", "--part-notes", "5"), "--part-notes is for a folder of parts"),
        (("notes.parquet", "out.csv", "--encoding", "cp1252"), "Parquet files are UTF-8 always"),
        (("notes.parquet", "out/", "--relations", "r.csv"), "--relations goes with one table"),
        (("notes.parquet", "out.csv", "--relations", "r.xlsx"), "does not say what table to write"),
        (("-", "out/"), "standard input ends; name a file"),
        (("-", "out.tsv", "--input-format", "parquet"), "not parquet; name the file"),
        (("notes.parquet", "out.tsv", "--input-format", "csv"), "notes.parquet is not utf-8"),
        (("a.txt", "out.tsv", "--text-column", "text"), "--text-column is for tables"),
        (("a.txt", "out.tsv", "--id-column", "id"), "--id-column is for tables"),
        (("a.txt", "out.tsv", "--keep", "id"), "--keep is for tables"),
        (("a.txt", "out.tsv", "--allow-duplicates"), "--allow-duplicates is for tables"),
        ((".", "out.tsv", "--input-format", "csv"), "holds no csv file"),
        (("notes.json", "out.tsv"), "--input-format jsonl or txt"),
        (("nowhere.parquet", "out.tsv"), "is neither a file nor a directory"),
        (("twice.jsonl", "out.tsv"), "twice.jsonl, row 1 and twice.jsonl, row 2 have the same note_id"),
        (("mixed.jsonl", "out.parquet", "--keep", "k"), "--keep k: its values are of several types"),
        (("notes.parquet", "./notes.parquet", "--overwrite"), "also read from"),
    ],
)
def test_refused_in_one_sentence(
    run: Run, notes: Path, monkeypatch: pytest.MonkeyPatch, args: tuple[str, ...], told: str
) -> None:
    monkeypatch.chdir(notes.parent)
    write(notes.parent, {"a.txt": TEXT})
    write_notes(Path("twice.jsonl"), [NOTES[0], NOTES[0]])
    write_notes(Path("mixed.jsonl"), [{"note_id": 1, "text": "", "k": 1}, {"note_id": 2, "text": "", "k": "x"}])
    write_notes(Path("renamed.jsonl"), [{"note_id": 1, "body": "", "text": 1}])
    before = {path: path.read_bytes() for path in Path().iterdir()}
    result = run("predict", *args)
    assert result.exit_code == 1 and result.output.count("\n") == 1, result.output
    assert told in result.output
    assert {path: path.read_bytes() for path in Path().iterdir()} == before


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """More notes than are read in a moment; every seventh has no text."""
    rows = [{**NOTES[n % 6], "note_id": n, "text": NOTES[n % 6]["text"] if n % 7 else None} for n in range(1500)]
    return write_notes(tmp_path / "many.parquet", rows, row_group_size=100)


@pytest.mark.parametrize("processes", [1, 2])
def test_a_killed_run_goes_on(run: Run, saved: Path, many: Path, tmp_path: Path, processes: int) -> None:
    options = ["--part-notes", 40, "--keep", "age", "--n-process", processes]
    folder, whole = tmp_path / "found", tmp_path / "whole"
    assert run("predict", many, f"{whole}/", *options).exit_code == 1  # some have no text
    wanted = pq.read_table(whole)
    assert len(wanted["note_id"].unique()) == 643 and len(list(whole.glob("*.parquet"))) == 33
    killed = 0
    for parts in (2, 5, 9):
        command = Command(["predict", many, f"{folder}/", "--model", saved, *options], tmp_path / "log")
        try:
            assert until(lambda parts=parts: len(_parts(folder)) >= parts, 60)
            os.kill(command.pid, signal.SIGKILL)
            assert command.wait() == -signal.SIGKILL
        finally:
            command.end()
        until(lambda command=command: not command.processes(), 5)
        done = _parts(folder)
        assert parts <= len(done) < 33 and len(done) > killed
        killed = len(done)
    result = run("predict", many, f"{folder}/", *options)
    assert result.exit_code == 1 and "215 of 1500 could not be read" in result.stderr, result.output
    assert pq.read_table(folder).equals(wanted)
    assert json.loads((folder / MANIFEST).read_text()) == json.loads((whole / MANIFEST).read_text())
    assert not list(folder.glob(".*"))


def _parts(folder: Path) -> list[dict[str, Any]]:
    try:
        return json.loads((folder / MANIFEST).read_text())["parts"]
    except FileNotFoundError:
        return []


def test_another_pipeline_or_input_does_not_add_to_the_parts(run: Run, notes: Path, tmp_path: Path) -> None:
    folder = f"{tmp_path}/found/"
    assert run("predict", notes, folder, "--part-notes", 2).exit_code == 0
    before = {path: path.read_bytes() for path in Path(folder).iterdir()}
    write_notes(tmp_path / "more.parquet", NOTES[:4])
    for args, told in (
        ((notes, folder, "--threshold", "0.9"), "another pipeline or options of it"),
        ((notes, folder, "--task", "disease"), "another pipeline or options of it"),
        ((notes, folder, "--words", "whitespace"), "another pipeline or options of it"),
        ((tmp_path / "more.parquet", folder), "another input"),
        ((notes, folder, "--keep", "age"), "another input"),
    ):
        result = run("predict", *args)
        assert result.exit_code == 1 and told in result.output and result.output.count("\n") == 1, result.output
    result = run("predict", notes, folder)  # the same again: nothing is left to do
    assert result.exit_code == 0 and result.output == ""
    assert {path: path.read_bytes() for path in Path(folder).iterdir()} == before


def test_texts_to_parts(run: Run, tmp_path: Path) -> None:
    write(tmp_path / "in", {f"{n:02}.txt": TEXT if n % 2 else "Nada." for n in range(11)})
    assert run("predict", tmp_path / "in", f"{tmp_path}/found/", "--part-notes", 4).exit_code == 0
    names = pq.read_table(tmp_path / "found")["note_id"].to_pylist()
    assert names == [f"{n:02}" for n in range(1, 11, 2) for _ in FOUND]
    (tmp_path / "in" / "00.txt").write_text("Ayer.")  # as many characters as before
    result = run("predict", tmp_path / "in", f"{tmp_path}/found/", "--part-notes", 4)
    assert result.exit_code == 1 and "another input" in result.output


def _full() -> None:
    """As on a full disk: files end after a thousand bytes."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))


@pytest.mark.parametrize("output", ["out.csv", "out.parquet", "out.jsonl", "out.json", "out/"])
def test_a_full_disk(saved: Path, many: Path, tmp_path: Path, output: str) -> None:
    format = ["--format", "label-studio"] if output == "out.json" else []
    log = tmp_path / "log"
    command = Command(["predict", many, f"{tmp_path}/{output}", "--model", saved, *format], log, before=_full)
    assert command.wait(60) == 1
    assert "cannot be written: File too large; choose another place." in log.read_text()
    assert nothing_else(tmp_path, "many.parquet", "log")


def test_standard_output_on_a_full_disk(saved: Path, notes: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, "-m", "clinner_spacy", "predict", "--model", str(saved), str(notes), "-"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert done.stderr == "Error: Standard output cannot be written: No space left on device.\n"


def test_a_reader_that_leaves_early(saved: Path, many: Path) -> None:
    multiclin = [sys.executable, "-m", "clinner_spacy", "predict", "--model", str(saved), str(many), "-"]
    with subprocess.Popen(multiclin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline().startswith("filename\t")
        process.stdout.close()
        assert process.stderr.read() == "Error: Standard output cannot be written: Broken pipe.\n"
    assert process.returncode == 1
