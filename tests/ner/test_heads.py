"""What was never trained is never predicted, wherever it comes from, until it was."""

from __future__ import annotations

import numpy as np
import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc, Span

from clinner_spacy.ner.heads import mark_trained, resize_heads
from clinner_spacy.ner.tagset import TagSet
from tests.pipeline.conftest import NOTES, gold, tagger, train
from tests.tiny import TEXT

CANCER = ("Se confirma un melanoma.", {"disease": ["melanoma"]})


def found(nlp: Language, text: str) -> list[tuple[str, str]]:
    doc = nlp(text)
    return [(span.label_, span.text) for span in doc.spans["sc"]]


def labels(nlp: Language, texts: tuple[str, ...] | list[str]) -> set[str]:
    return {label for text in texts for label, _ in found(nlp, text)}


def relabelled(nlp: Language, label: str) -> list:
    example = gold(nlp, *CANCER)
    doc = example.reference
    doc.spans["disease"] = [Span(doc, span.start, span.end, label) for span in doc.spans["disease"]]
    return [example, *(gold(nlp, *note) for note in NOTES)]


def trained(transitions: bool) -> Language:
    nlp = spacy.blank("es")
    nlp.add_pipe("multiclin_ner", config={"checkpoint": None, "model": tagger(transitions=transitions)})
    return train(nlp, [gold(nlp, *note) for note in NOTES])


@pytest.mark.parametrize("transitions", [False, True])
def test_a_label_added_is_never_predicted_until_it_was_trained(transitions, tmp_path):
    nlp = trained(transitions)
    ner = nlp.get_pipe("multiclin_ner")
    ner.add_label("CANCER", task="disease")
    ner.add_task("drug", ["DRUG"])
    ner.model.set_param("b", np.where(ner.model.get_param("b") == 0, 0, -9).astype("f"))  # those known: unlikely
    assert labels(nlp, TEXT) <= {"DISEASE", "PROCEDURE", "SYMPTOM"}
    nlp.to_disk(tmp_path / "grown")
    grown = spacy.load(tmp_path / "grown")
    assert labels(grown, TEXT) <= {"DISEASE", "PROCEDURE", "SYMPTOM"}
    examples = relabelled(grown, "CANCER")
    optimizer = grown.resume_training()
    for _ in range(80):
        grown.update(examples, sgd=optimizer)
    assert ("CANCER", "melanoma") in found(grown, CANCER[0])
    grown.to_disk(tmp_path / "learned")
    again = spacy.load(tmp_path / "learned")
    assert ("CANCER", "melanoma") in found(again, CANCER[0])
    assert "DRUG" not in labels(again, [*TEXT, *(text for text, _ in NOTES)])


def test_a_label_of_the_embedded_model():
    nlp = spacy.blank("es")
    ner = nlp.add_pipe("multiclin_ner")
    before = [found(nlp, text) for text in TEXT]
    ner.add_label("CANCER", task="disease")
    assert [found(nlp, text) for text in TEXT] == before


def test_a_label_that_the_training_data_lacks():
    nlp = spacy.blank("es")
    tasks = {"disease": ["DISEASE", "CANCER"], "drug": ["DRUG"]}
    nlp.add_pipe("multiclin_ner", config={"checkpoint": None, "model": tagger(), "tasks": tasks})
    examples = [gold(nlp, *note) for note in NOTES]
    optimizer = nlp.initialize(lambda: examples)
    assert labels(nlp, TEXT) == set()
    for _ in range(60):
        nlp.update(examples, sgd=optimizer)
    assert labels(nlp, [*TEXT, *(text for text, _ in NOTES)]) == {"DISEASE"}


def test_a_new_label_of_a_checkpoint_that_is_trained_on(tmp_path):
    trained(True).to_disk(tmp_path / "saved")
    nlp = spacy.blank("es")
    nlp.add_pipe("multiclin_ner", config={"checkpoint": str(tmp_path / "saved")})
    examples = relabelled(nlp, "CANCER")
    nlp.initialize(lambda: examples)
    assert nlp.get_pipe("multiclin_ner").tasks["disease"] == ["DISEASE", "CANCER"]
    assert "CANCER" not in labels(nlp, [*TEXT, CANCER[0]])


def test_columns_keep_their_mark_when_heads_change():
    nlp = trained(False)
    model = nlp.get_pipe("multiclin_ner").model
    old = nlp.get_pipe("multiclin_ner").tagset  # disease, procedure, symptom
    new = TagSet({"drug": ["DRUG"], "disease": ["DISEASE", "CANCER"]})
    resize_heads(model, old, new)
    assert model.attrs["untrained"] == [1, 2, 6, 7]
    mark_trained(model, new, np.asarray([[0, -1], [0, 3], [0, 4]]))
    assert model.attrs["untrained"] == [1, 2]
    resize_heads(model, new, TagSet({"disease": ["DISEASE"], "drug": ["DRUG"]}))
    assert model.attrs["untrained"] == [4, 5]
    mark_trained(model, TagSet({"disease": ["DISEASE"], "drug": ["DRUG"]}), np.asarray([[0, 1]]))
    assert model.attrs["untrained"] == []


def test_an_empty_document():
    nlp = trained(False)
    nlp.get_pipe("multiclin_ner").add_label("DRUG")
    doc = nlp.get_pipe("multiclin_ner")(Doc(nlp.vocab))
    assert not doc.spans["sc"]
