"""``multiclin link``: build, info, query, and the component that a command adds."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import spacy
from spacy.tokens import Span, SpanGroup
from typer.testing import CliRunner

from clinner_spacy.cli import app
from clinner_spacy.cli.model import build_nlp
from clinner_spacy.corpora.brat import write_brat
from clinner_spacy.corpora.docbin import save_docs
from clinner_spacy.corpora.document import Document, Mention, to_doc
from clinner_spacy.errors import ClinnerError
from clinner_spacy.files import EMBEDDED
from tests.linking.test_learn import MENTIONS, TERMS
from tests.tiny import save_encoder


def link(*args: object) -> Any:
    return CliRunner().invoke(app, ["link", *map(str, args)])


@pytest.fixture
def built(table: Path, tmp_path: Path) -> Path:
    done = link("build", table, tmp_path / "index", "--lang", "es")
    assert done.exit_code == 0, done.output
    assert done.output == f"{tmp_path / 'index'}: 7 names of 7 codes\n"
    return tmp_path / "index"


def documents() -> list[Document]:
    made = []
    for m in MENTIONS:
        mention = Mention(m.label, ((0, len(m.text)),), "T1", note=m.code, code=m.code)
        made.append(Document(f"{m.document} {m.code.replace('/', '_')}", m.text, {"t": [mention]}, coded=True))
    return made


def test_query(built: Path) -> None:
    done = link("query", built, "Nódulos pulmonares", "-k", 1)
    assert done.output == "D2\t0.950\tNódulo pulmonar\n"
    assert link("query", built, "xyzw").stderr == "nothing alike\n"


def test_info(built: Path, table: Path) -> None:
    lines = dict(line.split(maxsplit=1) for line in link("info", built).output.splitlines())
    assert lines["source"] == "terms.tsv" and lines["terms"] == "8" and lines["ranking"] == "by likeness"
    assert lines["labels"] == "disorder, finding, procedure"


@pytest.mark.parametrize("kind", ["normalizations", "notes", "spacy"])
def test_mentions_join_and_teach(kind: str, tmp_path: Path) -> None:
    table = tmp_path / "terms.tsv"
    table.write_text("code\tterm\n" + "".join(f"{t.code}\t{t.term}\n" for t in TERMS), encoding="utf-8")
    corpus, options = tmp_path / "corpus", []
    if kind == "spacy":
        corpus = tmp_path / "corpus.spacy"
        nlp = spacy.blank("es")
        save_docs(corpus, [to_doc(document, nlp) for document in documents()])
    elif kind == "notes":
        options = ["--codes", "notes"]
        write_brat(corpus, [replace(d, mentions={"t": [replace(d.mentions["t"][0], code="")]}) for d in documents()])
    else:
        write_brat(corpus, documents())
    done = link("build", table, tmp_path / "index", "--lang", "es", "--mentions", corpus, *options)
    assert done.exit_code == 0, done.output
    assert "20 annotated mentions are among them; a ranking learned from them" in done.output
    found = link("query", tmp_path / "index", "metástasis del hígado", "-k", 1).output
    assert found.startswith("3/6\t")


def test_codes_of_mentions_that_no_term_has_are_told(table: Path, tmp_path: Path) -> None:
    nlp = spacy.blank("es")
    doc = nlp.make_doc("tos fiebre")
    spans = [Span(doc, 0, 1, "SYMPTOM"), Span(doc, 1, 2, "SYMPTOM")]
    for key in ("one", "two"):  # the same mentions twice, counted once
        doc.spans[key] = SpanGroup(doc, name=key, spans=spans, attrs={"codes": ["Z99", "D3"]})
    save_docs(tmp_path / "corpus.spacy", [doc])
    done = link("build", table, tmp_path / "index", "--lang", "es", "--mentions", tmp_path / "corpus.spacy")
    assert "2 annotated mentions are among them" in done.output
    assert f"1 of the 2 codes of the mentions are not in {table}\n" in done.output


def test_repeated_rows_are_told(table: Path, tmp_path: Path) -> None:
    table.write_text("code\tterm\nA\ttos\nA\ttos\n")
    assert "1 rows of" in link("build", table, tmp_path / "index", "--lang", "es").output


def test_refused(built: Path, table: Path, tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    write_brat(corpus, [Document("d", "uno", {"x": [Mention("X", ((0, 3),), "T1")]})])
    for arguments, message in (
        (("build", table, built, "--lang", "es"), "exists already: give the name of a new folder"),
        (("build", "no.tsv", tmp_path / "i", "--lang", "es"), "no.tsv cannot be read"),
        (("build", table, tmp_path / "i", "--lang", "es", "--mentions", corpus), "has no mention with a code"),
        (("info", tmp_path), "index.json cannot be read"),
        (("query", tmp_path, "tos"), "index.json cannot be read"),
    ):
        done = link(*arguments)
        assert done.exit_code == 1 and message in done.stderr
    assert not (tmp_path / "i").exists()


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "a.txt").write_text("Acude por fiebre.", encoding="utf-8")
    return folder


def run(*args: object) -> Any:
    done = CliRunner().invoke(app, [*map(str, args)])
    assert done.exit_code == 0, done.output
    return done


def test_predict_writes_codes(built: Path, notes: Path, tmp_path: Path) -> None:
    options = ("--lang", "es", "--link", built)
    run("predict", notes, tmp_path / "found.tsv", *options)
    header, row = (line.split("\t") for line in (tmp_path / "found.tsv").read_text().splitlines())
    assert header[5:] == ["code", "code_score"]
    assert row[4:6] == ["fiebre", "D3"] and float(row[6]) > 0.5
    run("predict", notes, tmp_path / "found.jsonl", *options)
    (record,) = map(json.loads, (tmp_path / "found.jsonl").read_text().splitlines())
    assert record["code"] == "D3" and record["term"] == "Fiebre"
    run("predict", notes, tmp_path / "brat", "--format", "brat", *options)
    assert "N1\tReference T1 code:D3\t" in (tmp_path / "brat" / "a.ann").read_text()
    run("predict", notes, tmp_path / "plain.tsv", "--lang", "es")
    assert (tmp_path / "plain.tsv").read_text().splitlines()[0].endswith("\ttext")


def test_the_threshold_of_a_command(built: Path, notes: Path, tmp_path: Path) -> None:
    (notes / "a.txt").write_text("Acude por fiebres altas.", encoding="utf-8")
    given = {}
    for threshold in ("0", "1"):
        table = tmp_path / f"{threshold}.jsonl"
        run("predict", notes, table, "--lang", "es", "--link", built, "--link-threshold", threshold)
        (record,) = map(json.loads, table.read_text().splitlines())
        given[threshold] = record["code"]
    assert given == {"0": "D3", "1": ""}
    with pytest.raises(ClinnerError, match="--link-threshold is for --link"):
        build_nlp(lang="es", link_threshold=0.5)


def test_render_shows_codes(built: Path, notes: Path, tmp_path: Path) -> None:
    run("render", notes, tmp_path / "a.html", "--lang", "es", "--link", built)
    assert "D3 Fiebre" in (tmp_path / "a.html").read_text()


def test_a_linker_beside_the_own_one_is_refused(built: Path, tmp_path: Path) -> None:
    nlp = spacy.blank("es")
    nlp.add_pipe("multiclin_ner", config={"checkpoint": str(EMBEDDED), "spans_key": "found"})
    nlp.add_pipe("concept_linker", config={"index": str(built), "spans_key": "found"})
    nlp.to_disk(tmp_path / "pipeline")
    with pytest.raises(ClinnerError, match="has a concept_linker already"):
        build_nlp(str(tmp_path / "pipeline"), link=built)
    with pytest.raises(ClinnerError, match=r"index.json"):
        build_nlp(lang="es", link=tmp_path)


def test_an_encoder(table: Path, tmp_path: Path) -> None:
    encoder = save_encoder(tmp_path / "encoder", "bert")
    options = ("--lang", "es", "--encoder", encoder)
    done = link("build", table, tmp_path / "index", *options)
    assert done.exit_code == 1 and "--encoder and --pooling go together" in done.stderr
    done = link("build", table, tmp_path / "index", *options, "--pooling", "cls")
    assert done.exit_code == 0, done.output
    shutil.rmtree(encoder)  # the index has its own copy
    assert "Nódulo pulmonar" in link("query", tmp_path / "index", "nódulo de pulmón").output
    lines = dict(line.split(maxsplit=1) for line in link("info", tmp_path / "index").output.splitlines())
    assert lines["encoder"] == "encoder, cls, 16 numbers a name"
    nlp = spacy.blank("es")
    nlp.add_pipe("concept_linker", config={"index": str(tmp_path / "index")})
    doc = nlp.make_doc("nódulo de pulmón")
    doc.spans["sc"] = [doc[:]]
    doc = nlp(doc)
    found = doc.spans["sc"].attrs["candidates"]
    for way in ("disk", "bytes"):
        if way == "disk":
            nlp.to_disk(tmp_path / "saved")
            back = spacy.load(tmp_path / "saved")
        else:
            back = spacy.util.load_model_from_config(nlp.config).from_bytes(nlp.to_bytes())
        doc = back.make_doc("nódulo de pulmón")
        doc.spans["sc"] = [doc[:]]
        again = back(doc).spans["sc"].attrs["candidates"]
        assert [c["code"] for c in again[0]] == [c["code"] for c in found[0]]
