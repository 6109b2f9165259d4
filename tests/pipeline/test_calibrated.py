"""Calibration and thresholds of the component: what they change, what they leave, how they are kept."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import numpy as np
import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc

from clinner_spacy.errors import ClinnerError
from clinner_spacy.ner.calibration import BetaMap
from clinner_spacy.ner.decode import predictions
from clinner_spacy.ner.tagset import TagSet
from clinner_spacy.ner.write import annotate_ents
from clinner_spacy.pipeline.tagger import MultiClinNER
from tests.pipeline.conftest import NOTES, gold

TEXT = " ".join(text for text, _ in NOTES)
MAPS = {"disease": BetaMap(0.5, 0.5, -2.0), "symptom": BetaMap(1.0, 0.2, -0.5)}


@pytest.fixture
def calibrated(nlp: Language) -> Language:
    """The pipeline that learned by heart, two of its three tasks calibrated."""
    other = spacy.util.load_model_from_config(nlp.config).from_bytes(nlp.to_bytes())
    ner(other).calibration = dict(MAPS)
    return other


def ner(nlp: Language) -> MultiClinNER:
    component = nlp.get_pipe("multiclin_ner")
    assert isinstance(component, MultiClinNER)
    return component


def found(doc: Doc) -> list[tuple[str, str, float]]:
    group = doc.spans["sc"]
    return [(span.text, span.label_, float(score)) for span, score in zip(group, group.attrs["scores"], strict=True)]


def test_the_same_spans_with_other_scores(nlp: Language, calibrated: Language) -> None:
    before, after = found(nlp(TEXT)), found(calibrated(TEXT))
    assert [span[:2] for span in before] == [span[:2] for span in after]
    for (_, label, raw), (_, _, score) in zip(before, after, strict=True):
        beta = MAPS.get(label.lower(), BetaMap(1.0, 1.0, 0.0))
        assert score == pytest.approx(beta(np.asarray([raw]))[0], abs=1e-6)
    assert {label for _, label, _ in before} > {"DISEASE", "SYMPTOM"}


def test_ents_are_chosen_by_calibrated_scores_across_tasks() -> None:
    """Where two tasks claim the same word, the one that is more probably right gets it."""
    tagset = TagSet({"disease": ["DISEASE"], "symptom": ["SYMPTOM"]})
    logits = np.asarray([[0.0, 4.0, -9.0, 0.0, 2.0, -9.0]])
    for calibration, chosen in ({}, "DISEASE"), ({"disease": BetaMap(1.0, 1.0, -3.0)}, "SYMPTOM"):
        doc = spacy.blank("es").make_doc("fiebre")
        (found_there,) = predictions([doc], [logits], tagset, 0.0, calibration=calibration)
        annotate_ents(doc, found_there)
        assert [ent.label_ for ent in doc.ents] == [chosen] and len(found_there) == 2


def test_saved_and_restored_in_every_way(calibrated: Language, tmp_path: Path) -> None:
    calibrated.to_disk(tmp_path / "saved")
    as_checkpoint, of_one_task = spacy.blank("es"), spacy.blank("es")
    as_checkpoint.add_pipe("multiclin_ner", config={"checkpoint": str(tmp_path / "saved")})
    of_one_task.add_pipe("multiclin_ner", config={"checkpoint": str(tmp_path / "saved"), "task": "symptom"})
    others = [
        spacy.load(tmp_path / "saved"),
        spacy.util.load_model_from_config(calibrated.config).from_bytes(calibrated.to_bytes()),
        pickle.loads(pickle.dumps(calibrated)),
        as_checkpoint,
    ]
    for other in others:
        assert found(other(TEXT)) == found(calibrated(TEXT))
        assert ner(other).calibration == MAPS
    assert found(of_one_task(TEXT)) == [span for span in found(calibrated(TEXT)) if span[1] == "SYMPTOM"]
    assert set(ner(of_one_task).calibration) == {"symptom"}


def test_other_weights_are_not_calibrated(calibrated: Language) -> None:
    examples = [gold(calibrated, *note) for note in NOTES]
    trained = copy.deepcopy(ner(calibrated).calibration)
    ner(calibrated).add_label("FINDING", task="symptom")
    assert set(ner(calibrated).calibration) == {"disease"}
    ner(calibrated).calibration = trained
    calibrated.evaluate(examples)
    assert ner(calibrated).calibration == trained
    calibrated.update(examples, sgd=calibrated.resume_training())
    assert ner(calibrated).calibration == {}
    ner(calibrated).calibration = trained
    calibrated.initialize(lambda: examples)
    assert ner(calibrated).calibration == {}


def test_one_threshold_a_label(calibrated: Language, tmp_path: Path) -> None:
    every = found(calibrated(TEXT))
    least = {"DISEASE": 1.0, "SYMPTOM": 0.0}
    kept = [span for span in every if span[1] != "DISEASE"]
    assert 0 < len(kept) < len(every)
    ner(calibrated).threshold = least
    assert found(calibrated(TEXT)) == kept
    calibrated.to_disk(tmp_path / "saved")
    other = spacy.load(tmp_path / "saved", config={"components.multiclin_ner.threshold": 1.0})
    assert found(other(TEXT)) == []


def test_thresholds_in_a_config_are_restored(tmp_path: Path) -> None:
    nlp = spacy.blank("es")
    nlp.add_pipe("multiclin_ner", config={"threshold": {"DISEASE": 0.25, "SYMPTOM": 1}})
    nlp.to_disk(tmp_path / "saved")
    assert ner(spacy.load(tmp_path / "saved")).threshold == {"DISEASE": 0.25, "SYMPTOM": 1.0}


@pytest.mark.parametrize("value", ["0.5", 7, {"DISEASE": "high"}])
def test_no_threshold_but_numbers_from_0_to_1(nlp: Language, value: object) -> None:
    with pytest.raises(ClinnerError, match="give a number from 0 to 1"):
        spacy.blank("es").add_pipe("multiclin_ner", config={"threshold": value})
    with pytest.raises(ClinnerError, match="give a number from 0 to 1"):
        ner(nlp).threshold = value  # type: ignore[assignment]


def test_a_label_that_is_not_there_is_refused_each_time(nlp: Language) -> None:
    other = spacy.blank("es")
    component = other.add_pipe("multiclin_ner", config={"threshold": {"DISEAS": 0.5}})
    for _ in range(2):
        with pytest.raises(ClinnerError, match="the label 'DISEAS'; it has DISEASE, SYMPTOM, PROCEDURE, DRUG"):
            other("fiebre")
    component.threshold = {"DISEASE": 0.5}  # type: ignore[attr-defined]
    assert other("fiebre").has_annotation("ENT_IOB")
    with pytest.raises(ClinnerError, match="the label 'DRUG'"):
        ner(nlp).threshold = {"DRUG": 0.5}
