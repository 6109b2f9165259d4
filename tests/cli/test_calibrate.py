"""``multiclin calibrate`` and ``multiclin tune``: what they print, write and leave alone."""

from __future__ import annotations

import filecmp
from pathlib import Path
from typing import Any

import pytest
import spacy
import srsly
from spacy.tokens import SpanGroup
from spacy.training import Example
from typer.testing import CliRunner

from clinner_spacy.cli import app
from clinner_spacy.corpora.docbin import read_docs, save_docs
from clinner_spacy.corpora.document import from_doc, to_doc
from clinner_spacy.corpora.multiclin import read_multiclin
from clinner_spacy.corpora.tsv import write_multiclin_tsv
from clinner_spacy.files import EMBEDDED
from clinner_spacy.scoring.calibration import as_arrays, calibration_error, judge_spans
from tests.cli.conftest import TEXT
from tests.pipeline.conftest import NOTES, gold

N_DOCUMENTS = 60
DISEASE, SYMPTOM = "diabetes mellitus tipo 2", "fiebre"


def calibrate(*args: object) -> Any:
    return CliRunner().invoke(app, ["calibrate", *map(str, args)])


def tune(*args: object) -> Any:
    return CliRunner().invoke(app, ["tune", *map(str, args)])


@pytest.fixture(scope="session")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A note learned by heart, 60 times: its disease is right in one of three, its symptom unknown in every second."""
    nlp = spacy.blank("es")
    docs = []
    for n in range(N_DOCUMENTS):
        doc = gold(nlp, *NOTES[0]).reference
        doc.user_data["clinner_name"] = f"note{n:02}"
        if n % 3:
            doc.spans["disease"] = SpanGroup(doc, name="disease")
        if n % 2:
            del doc.spans["symptom"]
        docs.append(doc)
    save_docs(path := tmp_path_factory.mktemp("dev") / "dev.spacy", docs)
    return path


def scores(folder: Path) -> dict[str, float]:
    doc = spacy.load(folder)(TEXT)
    group = doc.spans["sc"]
    return {span.text: float(score) for span, score in zip(group, group.attrs["scores"], strict=True)}


def test_scores_become_what_they_say(saved: Path, dev: Path, tmp_path: Path) -> None:
    result = calibrate(saved, dev, "--output", tmp_path / "new")
    assert result.exit_code == 0, result.output
    before, after = scores(saved), scores(tmp_path / "new")
    assert before.keys() == after.keys() and before[DISEASE] > 0.8
    assert after[DISEASE] == pytest.approx(1 / 3, abs=0.05)
    assert after[SYMPTOM] == before[SYMPTOM]  # 30 mentions are too few
    assert "symptom is left as it is: 30 mentions" in result.output
    lines = [line.split() for line in result.output.splitlines()]
    error, held_out = next((float(line[2]), float(line[3])) for line in lines if line[:1] == ["disease"])
    assert error == pytest.approx(before[DISEASE] - 1 / 3, abs=1e-3) and held_out < 0.2
    assert ["0.9", "-", "1.0", "60", f"{before[DISEASE]:.3f}", "0.333"] in lines


def test_nothing_else_is_changed(saved: Path, dev: Path, tmp_path: Path) -> None:
    calibrate(saved, dev, "--output", tmp_path / "calibrated")
    tune(tmp_path / "calibrated", dev, "--output", tmp_path / "tuned")
    steps = [saved, tmp_path / "calibrated", tmp_path / "tuned"]
    tuned = ["config.cfg", "multiclin_ner/cfg"]
    for before, after, changed in zip(steps, steps[1:], (tuned[1:], tuned), strict=False):
        files = {str(file.relative_to(before)) for file in before.rglob("*") if file.is_file()}
        assert {str(file.relative_to(after)) for file in after.rglob("*") if file.is_file()} == files
        assert filecmp.cmpfiles(before, after, sorted(files), shallow=False)[1:] == (changed, [])


def test_a_threshold_is_stored_where_it_helps(saved: Path, dev: Path, tmp_path: Path) -> None:
    calibrate(saved, dev, "--output", tmp_path / "model")
    result = tune(tmp_path / "model", dev, "--output", tmp_path / "model")
    assert result.exit_code == 0, result.output
    assert spacy.load(tmp_path / "model").get_pipe("multiclin_ner").threshold == dict.fromkeys(  # type: ignore[attr-defined]
        ("DISEASE", "PROCEDURE", "SYMPTOM"), 0.0
    )
    nobody = dev_without_disease(dev, tmp_path / "none.spacy")
    assert tune(tmp_path / "model", nobody, "--single", "--output", tmp_path / "single").exit_code == 0
    threshold = spacy.load(tmp_path / "single").get_pipe("multiclin_ner").threshold  # type: ignore[attr-defined]
    assert scores(tmp_path / "model")[DISEASE] < threshold <= scores(tmp_path / "model")[SYMPTOM]
    assert list(scores(tmp_path / "single")) == [SYMPTOM]


def dev_without_disease(dev: Path, path: Path) -> Path:
    docs = list(read_docs(dev, spacy.blank("es").vocab))
    for doc in docs:
        doc.spans["disease"] = SpanGroup(doc, name="disease")
    save_docs(path, docs)
    return path


def test_a_corpus_is_read_as_convert_reads_it(saved: Path, dev: Path, tmp_path: Path) -> None:
    task = tmp_path / "c-dev" / "c-dev-disease"
    (task / "txt").mkdir(parents=True)
    (task / "tsv").mkdir()
    docs = list(read_docs(dev, spacy.blank("es").vocab))
    for doc in docs:
        (task / "txt" / f"{doc.user_data['clinner_name']}.txt").write_text(doc.text)
    write_multiclin_tsv(task / "tsv" / "t.tsv", [from_doc(doc, ["disease"]) for doc in docs])
    assert len(list(read_multiclin(tmp_path / "c-dev"))) == N_DOCUMENTS
    of_folder = calibrate(saved, tmp_path / "c-dev", "--lang", "es").output.splitlines()
    of_file = calibrate(saved, dev).output.splitlines()
    row = next(line for line in of_file if line.split()[:1] == ["disease"])
    assert row in of_folder


def test_every_source_has_its_line(saved: Path, dev: Path, tmp_path: Path) -> None:
    other = dev_without_disease(dev, tmp_path / "none.spacy")
    lines = [line.split() for line in calibrate(saved, dev, other).output.splitlines()]
    assert [line[1] for line in lines if line and line[0] in ("dev.spacy", "none.spacy")] == ["90", "90"]


@pytest.mark.parametrize("command", [calibrate, tune])
def test_errors_are_one_sentence(command: Any, saved: Path, dev: Path, tmp_path: Path) -> None:
    def told(*args: object) -> str:
        result = command(*args)
        assert result.exit_code == 1 and isinstance(result.exception, SystemExit), result.output
        return " ".join(result.output.splitlines()[-1:])

    assert "mtl.pt is no saved pipeline; make one of a checkpoint with multiclin export." in told("mtl.pt", dev)
    assert "does not exist" in told(saved, tmp_path / "gone")
    assert "is there already" in told(saved, dev, "--output", tmp_path)
    other = spacy.blank("es")("fiebre")
    other.spans["drug"] = [other.char_span(0, 6, "DRUG")]
    save_docs(tmp_path / "drugs.spacy", [other])
    assert "no document is annotated for a task of the model" in told(saved, tmp_path / "drugs.spacy")


def test_a_task_with_too_few_mentions_keeps_its_map(saved: Path, dev: Path, tmp_path: Path) -> None:
    twice = tmp_path / "twice.spacy"
    save_docs(twice, list(read_docs(dev, spacy.blank("es").vocab)) * 2)
    calibrate(saved, twice, "--output", tmp_path / "new")
    before = scores(tmp_path / "new")
    assert before[SYMPTOM] != scores(saved)[SYMPTOM]
    calibrate(tmp_path / "new", dev_without_disease(dev, tmp_path / "none.spacy"), "--output", tmp_path / "new")
    after = scores(tmp_path / "new")
    assert after[SYMPTOM] == before[SYMPTOM] and after[DISEASE] < before[DISEASE]


def test_too_few_mentions_calibrate_nothing(saved: Path, dev: Path, tmp_path: Path) -> None:
    docs = list(read_docs(dev, spacy.blank("es").vocab))[:3]
    save_docs(tmp_path / "few.spacy", docs)
    result = calibrate(saved, tmp_path / "few.spacy", "--output", tmp_path / "new")
    assert result.exit_code == 1 and "Nothing could be calibrated" in result.output
    assert not (tmp_path / "new").exists()


@pytest.mark.corpus
@pytest.mark.slow
def test_the_embedded_model_is_calibrated(corpora: Path) -> None:
    """What ships: expected calibration error of mentions at most .03 on the dev parts of its languages."""
    nlp = spacy.blank("xx")
    component = nlp.add_pipe("multiclin_ner")
    judged = []
    languages = srsly.read_json(EMBEDDED / "meta.json")["languages"]
    for part in (f"MultiClinNER-{lang}{kind}" for lang in languages for kind in ("", "-cardio")):
        folder = corpora / part / f"{part}-dev"
        if not folder.is_dir():
            continue
        tokenizing = spacy.blank(part.split("-")[1])
        references = [to_doc(document, tokenizing) for document in read_multiclin(folder)]
        examples = [Example(nlp(reference.text), reference) for reference in references]
        judged += judge_spans(examples, component.tasks, source=part)  # type: ignore[attr-defined]
    error = calibration_error(*as_arrays(judged))
    assert len(judged) > 1000 and error is not None and error <= 0.03
    assert component.calibration  # type: ignore[attr-defined]


def test_the_embedded_model_can_be_calibrated_where_it_lies(tmp_path: Path, dev: Path) -> None:
    """The directory as it ships has no tokenizer and no vocabulary."""
    result = calibrate(EMBEDDED, dev, "--output", tmp_path / "new")
    assert result.exit_code == 0, result.output
    again = calibrate(tmp_path / "new", dev, "--output", tmp_path / "new")
    assert again.output == result.output  # the first calibration is not calibrated once more
