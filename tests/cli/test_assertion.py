"""--assertion: columns, attributes of brat, and how a page shows them."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import spacy

from clinner_spacy.cli import app
from clinner_spacy.corpora.brat import read_brat
from clinner_spacy.scoring.tsv import evaluate, read_spans
from tests.cli.conftest import TEXT, Run

NOTE = f"{TEXT} Niega fiebre. Posible diabetes mellitus tipo 2."

#: Mentions that the saved pipeline finds by heart, and what each is: text -> names of columns that are 1.
COLUMNS = ["negated", "uncertain", "family", "historical", "hypothetical"]


@pytest.fixture
def note(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "note.txt"
    path.write_text(NOTE)
    return path


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as handle:
        return list(csv.DictReader(handle, delimiter="\t"))


def test_columns(run: Run, note: Path, tmp_path: Path) -> None:
    assert run("predict", note, tmp_path / "out.tsv", "--assertion").exit_code == 0
    rows = table(tmp_path / "out.tsv")
    assert list(rows[0])[5:] == COLUMNS
    said = {(int(row["start_span"]) > len(TEXT), row["text"]): [n for n in COLUMNS if row[n] == "1"] for row in rows}
    assert said[False, "fiebre"] == [] and said[True, "fiebre"] == ["negated"]
    assert all(row[name] in "01" for row in rows for name in COLUMNS)
    run("predict", note, tmp_path / "plain.tsv")
    assert list(table(tmp_path / "plain.tsv")[0]) == list(rows[0])[:5]


def test_brat(run: Run, note: Path, tmp_path: Path) -> None:
    assert run("predict", note, tmp_path / "brat", "--format", "brat", "--assertion").exit_code == 0
    (document,) = read_brat(tmp_path / "brat")
    mentions = [mention for group in document.mentions.values() for mention in group]
    negated = [m for m in mentions if NOTE[m.start : m.end] == "fiebre" and "negated" in m.attributes]
    assert negated and all(mention.start > len(TEXT) for mention in negated)
    assert document.attributes


def test_page(run: Run, note: Path, tmp_path: Path) -> None:
    assert run("render", note, tmp_path / "out.html", "--assertion").exit_code == 0
    page = (tmp_path / "out.html").read_text()
    assert "<s>negated</s>" in page and ' hollow negated" id=' in page and "<td>negated</td>" in page
    run("render", note, tmp_path / "plain.html")
    plain = (tmp_path / "plain.html").read_text()
    assert "<s>" not in plain and " hollow" not in plain.split("<article")[1]


def test_several_processes_say_the_same(run: Run, note: Path, tmp_path: Path) -> None:
    for n in (1, 2):
        done = run("predict", note.parent, tmp_path / f"{n}.tsv", "--assertion", "--n-process", n)
        assert done.exit_code == 0, done.output
    assert (tmp_path / "1.tsv").read_text() == (tmp_path / "2.tsv").read_text()


def test_a_pipeline_that_has_the_component_keeps_its_own(saved: Path, run: Run, note: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.json"
    own.write_text('{"context_rules": [{"literal": "Niega", "category": "FAMILY", "direction": "FORWARD"}]}')
    nlp = spacy.load(saved)
    nlp.add_pipe("clinical_assertion", config={"checkpoint": None, "rules": str(own)})
    nlp.to_disk(tmp_path / "with")
    own.unlink()
    assert run("predict", note, tmp_path / "out.tsv", "--assertion", model=tmp_path / "with").exit_code == 0
    rows = table(tmp_path / "out.tsv")
    assert {name for row in rows for name in COLUMNS if row[name] == "1"} == {"family"}


def test_it_must_know_the_language(run: Run, note: Path, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    result = CliRunner().invoke(app, ["predict", str(note), str(tmp_path / "out.tsv"), "--assertion"])
    assert result.exit_code == 1 and "as --lang es" in result.output
    assert not (tmp_path / "out.tsv").exists()
    result = run("predict", note, tmp_path / "out.tsv", "--assertion", "--lang", "fr")
    assert result.exit_code == 1 and "no rules for the language 'fr'" in result.output


def test_evaluate_reads_a_table_with_columns(run: Run, note: Path, tmp_path: Path) -> None:
    run("predict", note, tmp_path / "plain.tsv")
    run("predict", note, tmp_path / "out.tsv", "--assertion")
    strict = evaluate(read_spans(tmp_path / "plain.tsv"), read_spans(tmp_path / "out.tsv"))["strict"]
    assert strict["f1"] == 1.0 and strict["tp"] >= 2
