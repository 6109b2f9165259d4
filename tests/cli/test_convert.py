from __future__ import annotations

import os
from pathlib import Path

import pytest
import spacy
from spacy.tokens import Doc, DocBin
from typer.testing import CliRunner, Result

from clinner_spacy.cli import app
from tests.cli.conftest import TEXT, Run
from tests.cli.test_predict import FOUND, write
from tests.tables.files import write_notes


@pytest.fixture
def brat(tmp_path: Path) -> Path:
    (tmp_path / "brat").mkdir()
    (tmp_path / "brat" / "a.txt").write_text("fiebre alta")
    (tmp_path / "brat" / "a.ann").write_text("T1\tSINTOMA 0 5\tfiebr\nT2\tX 7 11\talta\n")
    return tmp_path / "brat"


@pytest.fixture
def multiclin(tmp_path: Path) -> Path:
    task = tmp_path / "c-train" / "c-train-disease"
    for kind in ("txt", "tsv"):
        (task / kind).mkdir(parents=True)
    (task / "txt" / "a.txt").write_text("gripe")
    (task / "tsv" / "t.tsv").write_text("filename\tlabel\tstart_span\tend_span\ttext\na\tENFERMEDAD\t0\t5\tgripe\n")
    return tmp_path / "c-train"


def convert(*arguments: Path | str) -> Result:
    return CliRunner().invoke(app, ["convert", *map(str, arguments), "--lang", "es"])


def docs(path: Path) -> list[Doc]:
    return list(DocBin().from_disk(path).get_docs(spacy.blank("es").vocab))


def labels(path: Path) -> dict[str, list[str]]:
    (doc,) = docs(path)
    return {task: [span.label_ for span in group] for task, group in doc.spans.items()}


def test_brat_detected_renamed_and_chosen(brat: Path, tmp_path: Path) -> None:
    result = convert(brat, tmp_path / "o.spacy", "--labels", "SINTOMA=SYMPTOM", "--only", "SYMPTOM")
    assert result.exit_code == 0
    assert "1 mentions in 1 documents; 1 moved to whole words, 1 X left out as asked" in result.stdout
    assert labels(tmp_path / "o.spacy") == {"symptom": ["SYMPTOM"]}


def test_multiclin_detected(multiclin: Path, tmp_path: Path) -> None:
    result = convert(multiclin, tmp_path / "o.spacy", "--labels", "ENFERMEDAD=DISEASE", "--task", "disease")
    assert result.exit_code == 0
    assert labels(tmp_path / "o.spacy") == {"disease": ["DISEASE"]}


@pytest.mark.parametrize(("name", "content"), [("a.conll", "gripe B-X\n"), ("a.csv", "token,ner\ngripe,B-X\n")])
def test_token_files_detected(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    assert convert(tmp_path / name, tmp_path / "o.spacy", "--task", "t").exit_code == 0
    assert labels(tmp_path / "o.spacy") == {"t": ["X"]}


def test_bad_input_ends_in_one_sentence_and_writes_nothing(brat: Path, multiclin: Path, tmp_path: Path) -> None:
    out = tmp_path / "o.spacy"
    (tmp_path / "empty").mkdir()
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "a.txt").write_text("x")
    cases: list[tuple[tuple[Path | str, ...], str]] = [
        ((tmp_path / "none", out), "none does not exist"),
        ((tmp_path / "empty", out), "no annotation in a known layout"),
        ((tmp_path / "plain", out), "no annotation in a known layout"),
        ((tmp_path / "empty", out, "--format", "brat"), "holds no .txt file"),
        ((brat, out, "--labels", "SINTOMAS=SYMPTOM"), "labelled SINTOMAS: there are 2 others, the nearest is SINTOMA"),
        ((brat, out, "--labels", "SINTOMA"), "--labels SINTOMA is not of the form OLD=NEW"),
        ((brat, out, "--only", "DRUG"), "labelled DRUG"),
        ((brat, tmp_path / "o.txt"), "ends in .txt"),
        ((brat, tmp_path / "o.tsv"), "must end in .spacy"),
        ((brat, tmp_path / "no" / "o.spacy"), "cannot be written"),
        ((multiclin, out, "--task", "drug"), "has no task drug: it has disease"),
        ((multiclin.parent, out, "--format", "multiclin"), "give one of its splits: c-train"),
        ((brat, out, "--lang", "qq"), "--lang qq is no language"),
    ]
    before = sorted(tmp_path.rglob("*"))
    for arguments, message in cases:
        result = CliRunner().invoke(app, ["convert", "--lang", "es", *map(str, arguments)])
        assert result.exit_code == 1 and "Traceback" not in result.output
        assert message in " ".join(result.output.split()), arguments
    (brat / "a.txt").write_bytes(b"\xff")
    assert "a.txt is not UTF-8" in convert(brat, out).output
    assert sorted(tmp_path.rglob("*")) == before


def test_a_name_that_is_not_utf8(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    (folder / os.fsdecode(b"x\xff.txt")).write_text("gripe")
    (folder / os.fsdecode(b"x\xff.ann")).write_text("T1\tX 0 5\tgripe\n")
    result = convert(folder, folder / "o.spacy")
    assert result.exit_code == 0 and "caf\\udce9" in result.output
    assert [doc.user_data["clinner_name"] for doc in docs(folder / "o.spacy")] == ["x\\xff"]
    (folder / os.fsdecode(b"x\xff.ann")).write_text("998877 Juan")
    result = convert(folder, folder / "p.spacy")
    assert result.exit_code == 1 and "line 1: not a line" in result.output and "Juan" not in result.output


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("note.txt", "998877 Juan\nfiebre alta\n"),
        ("a.csv", "ner,token\nJuan,O\n998877,B-X\n"),
        ("a.conll", "O Juan\nO 998877\nfiebre B-X\n"),
        ("a.tsv", "0\tJuan\t998877\t1\n"),
    ],
)
def test_errors_show_no_text(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    result = convert(tmp_path / name, tmp_path / "o.spacy", "--only", "SYMPTOM")
    assert result.exit_code == 1 and result.output.count("\n") == 1
    assert not any(word in result.output for word in ("Juan", "998877", "fiebre", "alta"))


def test_a_text_is_not_taken_for_labels(tmp_path: Path) -> None:
    """Rows of one length, one of which ends in O: labels without prefixes are read only where the user says so."""
    (tmp_path / "folder").mkdir()
    for note in (tmp_path / "note.txt", tmp_path / "folder" / "note.conll"):
        note.write_text("Grupo sanguíneo O\nNiega fiebre alta\nTos seca leve\n")
        result = convert(note, tmp_path / "o.spacy")
        assert result.exit_code == 1 and "line 2: the last column has no prefix" in result.output
        assert not any(word in result.output for word in ("alta", "leve", "Niega"))
    assert "--format conll" in convert(tmp_path / "folder", tmp_path / "o.spacy").output
    (tmp_path / "a.conll").write_text("Toma NN O\naspirina NN DRUG\n")
    assert convert(tmp_path / "a.conll", tmp_path / "o.spacy").exit_code == 1
    assert convert(tmp_path / "a.conll", tmp_path / "o.spacy", "--format", "conll").exit_code == 0
    assert labels(tmp_path / "o.spacy") == {"drug": ["DRUG"]}


@pytest.mark.parametrize("kind", ["tsv", "csv", "jsonl", "parquet", "parts"])
def test_findings_are_read_back(run: Run, tmp_path: Path, kind: str) -> None:
    notes = write_notes(tmp_path / "notes.parquet", [{"id": n, "body": TEXT if n % 2 else "Nada."} for n in range(6)])
    columns = ("--text-column", "body", "--id-column", "id")
    found = f"{tmp_path}/found/" if kind == "parts" else f"{tmp_path}/found.{kind}"
    options = ("--part-notes", "2") if kind == "parts" else ("--scores",) if kind == "tsv" else ()
    assert run("predict", notes, found, *columns, *options).exit_code == 0
    result = convert(found, tmp_path / "o.spacy", "--texts", notes, *columns)
    assert result.exit_code == 0, result.output
    assert "6 mentions in 6 documents; all kept as they stand" in result.output
    for n, doc in enumerate(docs(tmp_path / "o.spacy")):
        spans = [(s.label_, s.start_char, s.end_char, s.text) for group in doc.spans.values() for s in group]
        assert sorted(spans) == (sorted(FOUND) if n % 2 else []) and doc.user_data["clinner_name"] == str(n)
        assert set(doc.spans) == {"symptom", "disease"}


def test_findings_in_files_of_texts(run: Run, tmp_path: Path) -> None:
    write(tmp_path / "notes", {"deep/a.txt": TEXT, "b.txt": "Nada."})
    assert run("predict", tmp_path / "notes", tmp_path / "found.tsv").exit_code == 0
    result = convert(tmp_path / "found.tsv", tmp_path / "o.spacy", "--texts", tmp_path / "notes", "--task", "all")
    assert result.exit_code == 0, result.output
    first, second = docs(tmp_path / "o.spacy")
    assert not first.spans["all"] and [span.text for span in second.spans["all"]] == [found[3] for found in FOUND]


def test_findings_want_their_notes_and_nothing_else_does(run: Run, brat: Path, tmp_path: Path) -> None:
    notes = write_notes(tmp_path / "notes.jsonl", [{"note_id": "a", "text": TEXT}, {"note_id": "b", "text": None}])
    run("predict", notes, tmp_path / "found.jsonl")
    for arguments, message in (
        ((tmp_path / "found.jsonl",), "name these with --texts"),
        ((tmp_path / "found.jsonl", "--texts", notes), "row 2 cannot be read: its text is null"),
        ((tmp_path / "found.jsonl", "--texts", tmp_path / "none.csv"), "is neither a file nor a directory"),
        ((brat, "--texts", notes), "--texts is for a table of findings"),
        ((brat, "--id-column", "id"), "--id-column is for a table of findings"),
        ((brat, "--relations", notes), "--relations is for a table of findings"),
    ):
        result = convert(arguments[0], tmp_path / "o.spacy", *arguments[1:])
        assert result.exit_code == 1 and message in result.output, result.output
    assert not (tmp_path / "o.spacy").exists()
