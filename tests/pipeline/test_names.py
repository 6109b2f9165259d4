"""Labels and tasks that no file can hold, or that have the name of the group of all spans, are refused at once."""

from __future__ import annotations

import pytest
import spacy

from clinner_spacy.errors import ClinnerError
from tests.pipeline.conftest import NOTES, gold, tagger

BAD = ["a\tb", "a\nb", "a\rb", " ", ""]


@pytest.mark.parametrize("bad", BAD)
def test_control_characters(nlp, bad):
    component = nlp.get_pipe("multiclin_ner")
    before = component.tasks
    for add in (lambda: component.add_label(bad), lambda: component.add_task("drug", [bad])):
        with pytest.raises(ClinnerError, match="control character"):
            add()
    with pytest.raises(ClinnerError, match="control character"):
        component.add_label("DRUG", task=bad or " ")
    assert component.tasks == before
    for tasks in ({bad: ["X"]}, {"x": [bad]}):
        with pytest.raises(ClinnerError, match="control character"):
            spacy.blank("es").add_pipe("multiclin_ner", config={"checkpoint": None, "model": tagger(), "tasks": tasks})


def test_the_group_of_all_spans(nlp):
    component = nlp.get_pipe("multiclin_ner")
    with pytest.raises(ClinnerError, match="Task 'sc' has the name of the span group"):
        component.add_label("SC")
    config = {"checkpoint": None, "model": tagger(), "tasks": {"sc": ["SC"]}}
    with pytest.raises(ClinnerError, match="set spans_key"):
        spacy.blank("es").add_pipe("multiclin_ner", config=config)
    other = spacy.blank("es")
    other.add_pipe("multiclin_ner", config=config | {"spans_key": "found", "tasks": {"symptom": ["SYMPTOM"]}})
    other.initialize(lambda: [gold(other, *NOTES[0])])
    assert other.get_pipe("multiclin_ner").add_label("SC") == 1


def test_the_group_of_all_spans_named_as_a_task_of_the_embedded_model():
    component = spacy.blank("es").add_pipe("multiclin_ner", config={"spans_key": "disease"})
    with pytest.raises(ClinnerError, match="Task 'disease' has the name of the span group"):
        component.load()
