from __future__ import annotations

import pytest
import spacy
from spacy.tokens import Doc, Span, SpanGroup
from spacy.training import Example
from spacy.util import registry

from clinner_spacy.corpora.extension import set_relations_extension
from clinner_spacy.errors import ClinnerError

NLP = spacy.blank("es")
WORDS = ["Toma", "ibuprofeno", "600", "mg", "y", "tila", "."]
SPANS = [(1, 2, "DRUG"), (2, 4, "DOSE"), (5, 6, "DRUG")]
set_relations_extension()


def doc(spans: list | None, relations: list | None) -> Doc:
    made = Doc(NLP.vocab, words=WORDS)
    if spans is not None:
        made.spans["sc"] = SpanGroup(made, name="sc", spans=[Span(made, *span) for span in spans])
    if relations is not None:
        made._.relations = [{"head": h, "tail": t, "label": label} for h, t, label in relations]
    return made


def scores(*pairs: tuple[Doc, Doc], **settings) -> dict:
    score = registry.resolve({"scorer": {"@scorers": "clinner.relation_scorer.v1"}})["scorer"]
    return score([Example(predicted, reference) for predicted, reference in pairs], **settings)


def test_relations_are_matched_by_spans_and_label_not_by_index():
    gold = doc(SPANS, [(0, 1, "Dose"), (2, 1, "Dose")])
    found = doc(SPANS[::-1], [(2, 1, "Dose"), (1, 2, "Dose"), (0, 2, "With")])
    measured = scores((found, gold))
    assert measured["relations_p"] == pytest.approx(1 / 3)
    assert measured["relations_r"] == pytest.approx(1 / 2)
    assert measured["relations_f"] == pytest.approx(0.4)
    assert measured["relations_per_type"]["With"] == {"p": 0, "r": 0, "f": 0}
    assert measured["relations_per_type"]["Dose"]["r"] == 0.5
    assert "relations_gold_f" not in measured


def test_a_span_of_another_label_or_length_is_not_found_but_counts():
    gold = doc(SPANS, [(0, 1, "Dose")])
    for spans in ([(1, 2, "DIS"), SPANS[1]], [SPANS[0], (2, 3, "DOSE")]):
        measured = scores((doc(spans, [(0, 1, "Dose")]), gold))
        assert measured["relations_p"] == measured["relations_r"] == 0


def test_with_gold_spans_beside_end_to_end():
    gold = doc(SPANS, [(0, 1, "Dose")])
    given = [[{"head": 0, "tail": 1, "label": "Dose", "score": 0.9}]]
    measured = scores((doc(None, None), gold), with_gold_spans=given)
    assert measured["relations_f"] == 0 and measured["relations_gold_f"] == 1


def test_what_was_not_annotated_does_not_count():
    gold, unknown = doc(SPANS, [(0, 1, "Dose")]), doc(None, None)
    found = doc(SPANS, [(0, 1, "Dose")])
    assert scores((found, gold), (found, unknown))["relations_f"] == 1
    assert scores((found, unknown)) == dict.fromkeys(
        ["relations_p", "relations_r", "relations_f", "relations_per_type"]
    )
    assert scores((found, doc(SPANS, None)))["relations_p"] == 0


def test_only_some_labels_and_repeated_relations():
    gold = doc(SPANS, [(0, 1, "Dose"), (0, 1, "Dose"), (0, 2, "With")])
    found = doc(SPANS, [(0, 1, "Dose"), (0, 1, "Dose")])
    assert scores((found, gold), labels=["Dose"])["relations_f"] == 1
    assert scores((found, gold))["relations_r"] == 0.5


def test_relations_that_point_nowhere_are_refused():
    with pytest.raises(ClinnerError, match="'Dose' points to the spans 0 and 7"):
        scores((doc(SPANS, []), doc(SPANS, [(0, 7, "Dose")])))
