from __future__ import annotations

import json
from datetime import UTC, datetime

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc, Span, SpanGroup

from clinner_spacy.assertion.categories import ATTRIBUTES
from clinner_spacy.corpora.document import NAME_KEY
from clinner_spacy.corpora.extension import set_relations_extension
from clinner_spacy.tables.dt4h import Service, failed_response, nlp_response
from clinner_spacy.tables.records import relation_records, to_records


@pytest.fixture
def doc() -> Doc:
    """Two mentions with all that components say of them, the second negated, and a relation."""
    nlp = spacy.blank("es")
    doc = nlp("Toma aspirina (100). Niega fiebre.")
    doc.user_data[NAME_KEY] = "n1"
    said = {name: [0.0, 0.75 if name == "negated" else 0.0] for name in ATTRIBUTES}
    linked = {"codes": ["C1", ""], "candidates": [[{"code": "C1", "term": "ácido", "score": 0.5}], []]}
    attrs = {"scores": np.asarray([0.5, 0.25], dtype="f"), "tasks": ["drug", "symptom"], **said, **linked}
    spans = [Span(doc, 1, 2, "DRUG"), Span(doc, 7, 9, "SYMPTOM")]
    doc.spans["sc"] = SpanGroup(doc, name="sc", spans=spans, attrs=attrs)
    set_relations_extension()
    doc._.relations = [{"head": 0, "tail": 1, "label": "AGAINST", "score": 0.5}]
    return doc


def test_a_record_a_mention(doc: Doc) -> None:
    first, second = to_records([doc])
    assert first == {
        **{"note_id": "n1", "start": 5, "end": 13, "text": "aspirina", "label": "DRUG", "task": "drug", "score": 0.5},
        **dict.fromkeys(ATTRIBUTES, False),
        **{"negated_score": 0.0, "uncertain_score": 0.0, "code": "C1", "term": "ácido", "code_score": 0.5},
    }
    assert (second["text"], second["negated"], second["negated_score"]) == ("fiebre", True, 0.75)
    assert (second["code"], second["term"], second["code_score"]) == ("", "", None)


def test_what_no_component_says_is_no_column(doc: Doc) -> None:
    doc.spans["sc"], doc._.relations = [doc[1:2]], None
    del doc.user_data[NAME_KEY]
    records = list(to_records([doc, doc]))
    assert [record["note_id"] for record in records] == ["0", "1"]
    assert set(records[0]) == {"note_id", "start", "end", "text", "label", "task", "score"}


def test_a_record_a_relation(doc: Doc) -> None:
    (record,) = relation_records([doc])
    assert record["relation"] == "AGAINST" and record["score"] == 0.5
    assert doc.text[record["tail_start"] : record["tail_end"]] == record["tail_text"] == "fiebre"


def test_dt4h(doc: Doc) -> None:
    date = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    service = Service("embedded", "es")
    response = nlp_response(doc.text, to_records([doc]), service, {"patient_id": "p", "text": "not this"}, date)
    metadata = response["nlp_output"]["record_metadata"]
    assert (metadata["patient_id"], metadata["text"]) == ("p", doc.text)
    assert metadata["nlp_processing_date"] == "2026-01-02T03:04:05+00:00"
    first, second = response["nlp_output"]["annotations"]
    assert first == {
        **{"concept_class": "medication", "start_offset": 5, "end_offset": 13, "mention_string": "aspirina"},
        **{"extraction_confidence": 0.5, "concept_str": "ácido", "concept_code": "C1", "concept_confidence": 0.5},
        **{"negation": "no", "negation_confidence": 1.0, "uncertainty": "no", "uncertainty_confidence": 1.0},
    }
    assert (second["negation"], second["negation_confidence"]) == ("yes", 0.75)
    assert second["concept_code"] is second["concept_str"] is second["concept_confidence"] is None
    assert response["nlp_service_info"]["service_model"] == "embedded"
    assert json.loads(json.dumps(response)) == response


def test_dt4h_without_components_and_of_a_failure(doc: Doc) -> None:
    doc.spans["sc"], doc._.relations = [doc[1:2]], None
    service = Service("embedded", "es")
    (found,) = nlp_response(doc.text, to_records([doc]), service)["nlp_output"]["annotations"]
    assert found["negation"] is found["uncertainty_confidence"] is found["concept_code"] is None
    assert not failed_response(doc.text, service)["nlp_output"]["processing_success"]
