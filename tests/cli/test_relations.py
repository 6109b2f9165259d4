from __future__ import annotations

from pathlib import Path

import pytest
import spacy
from typer.testing import CliRunner

from clinner_spacy.cli import app
from clinner_spacy.cli.relations import render_relations
from clinner_spacy.corpora.brat import read_brat
from clinner_spacy.tables.found import AnnotatedText, Found
from tests.pipeline.conftest import tagger, train
from tests.pipeline.test_clinical_relations import SPAN_PAIRS, gold

TEXT = "Toma ibuprofeno 600 mg y paracetamol 500 mg al día."
SPANS = [("ibuprofeno", "DRUG"), ("600 mg", "DOSE"), ("paracetamol", "DRUG"), ("500 mg", "DOSE")]


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """A pipeline that has learned mentions and their relations from one note."""
    nlp = spacy.blank("es")
    nlp.add_pipe("multiclin_ner", config={"checkpoint": None, "model": tagger()})
    nlp.add_pipe("clinical_relations", config={"model": SPAN_PAIRS})
    example = gold(nlp, TEXT, SPANS, [(0, 1, "Has_Dose"), (2, 3, "Has_Dose")])
    example.reference.spans["drug"] = [s for s in example.reference.spans["sc"] if s.label_ == "DRUG"]
    example.reference.spans["dose"] = [s for s in example.reference.spans["sc"] if s.label_ == "DOSE"]
    train(nlp, [example], steps=60)
    path = tmp_path_factory.mktemp("model") / "saved"
    nlp.to_disk(path)
    return path


@pytest.fixture
def notes(tmp_path) -> Path:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text(TEXT, encoding="utf8")
    (tmp_path / "notes" / "b.txt").write_text("Nada.", encoding="utf8")
    return tmp_path / "notes"


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_predict_writes_a_table_of_relations(model, notes, tmp_path):
    run("predict", notes, tmp_path / "found.tsv", "--model", model, "--relations", tmp_path / "found.rel.tsv")
    header, *rows = [line.split("\t") for line in (tmp_path / "found.rel.tsv").read_text().splitlines()]
    assert header[:4] == ["filename", "relation", "head_label", "head_start"]
    assert [row[:-1] for row in rows] == [
        ["a", "Has_Dose", "DRUG", "5", "15", "ibuprofeno", "DOSE", "16", "22", "600 mg"],
        ["a", "Has_Dose", "DRUG", "25", "36", "paracetamol", "DOSE", "37", "43", "500 mg"],
    ]
    assert all(0.5 <= float(row[-1]) <= 1 for row in rows)


def test_brat_has_lines_of_relations(model, notes, tmp_path):
    run("predict", notes, tmp_path / "brat", "--model", model, "--format", "brat")
    lines = (tmp_path / "brat" / "a.ann").read_text().splitlines()
    assert [line for line in lines if line.startswith("R")] == [
        "R1\tHas_Dose Arg1:T1 Arg2:T2\t",
        "R2\tHas_Dose Arg1:T3 Arg2:T4\t",
    ]
    assert [len(document.relations) for document in read_brat(tmp_path / "brat")] == [2, 0]


def test_a_task_takes_its_relations_along(model, notes, tmp_path):
    arguments = ["--model", model, "--task", "drug", "--relations", tmp_path / "found.rel.tsv"]
    run("predict", notes, tmp_path / "found.tsv", *arguments)
    assert len((tmp_path / "found.rel.tsv").read_text().splitlines()) == 1


def test_render_lists_relations(model, notes, tmp_path):
    run("render", notes, tmp_path / "page.html", "--model", model)
    page = (tmp_path / "page.html").read_text(encoding="utf8")
    assert page.count("— Has_Dose →") == 2 and page.count('<ul class="relations">') == 1


def test_what_is_drawn_is_escaped():
    relation = {"head": 0, "tail": 1, "label": "<R>", "score": 0.5}
    text = AnnotatedText("x", "<b>\x00 &", [Found(0, 4, "<L>", 1), Found(5, 6, "B", 1)], [relation])
    html = "".join(render_relations(text))
    assert "<b>" not in html and "<L>" not in html and "<R>" not in html and "\x00" not in html
    assert "&lt;b&gt;" in html and 'title="0.50"' in html


def test_a_model_without_relations_says_so(notes, tmp_path):
    nlp = spacy.blank("es")
    nlp.add_pipe("multiclin_ner", config={"checkpoint": None, "model": tagger()})
    train(nlp, [gold_note(nlp)], steps=1)
    nlp.to_disk(tmp_path / "saved")
    arguments = [
        "predict",
        notes,
        tmp_path / "x.tsv",
        "--model",
        tmp_path / "saved",
        "--relations",
        tmp_path / "x.rel.tsv",
    ]
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 1 and "no 'clinical_relations'" in result.output
    assert not (tmp_path / "x.rel.tsv").exists()


def gold_note(nlp):
    from tests.pipeline.conftest import gold as gold_mentions

    return gold_mentions(nlp, "Toma tila.", {"drug": ["tila"]})
