"""Scores of assertions: what counts, over gold spans and end to end."""

from __future__ import annotations

import pytest
import spacy
from spacy.tokens import Doc
from spacy.training import Example

from clinner_spacy.scoring.assertion import score_assertions

nlp = spacy.blank("es")
nlp.add_pipe("clinical_assertion", config={"checkpoint": None})

TEXT = "Sin fiebre ni tos . Tiene dolor"
FEVER, COUGH, PAIN = (1, 2), (3, 4), (6, 7)


def doc_with(places: list[tuple[int, int]], key: str, **attrs: list[float]) -> Doc:
    doc = nlp.make_doc(TEXT)
    doc.spans[key] = [spacy.tokens.Span(doc, start, end, "SYMPTOM") for start, end in places]
    doc.spans[key].attrs.update(attrs)
    return doc


def scores(found: list[tuple[int, int]], gold: Doc) -> dict[str, float | None]:
    return score_assertions([Example(nlp(doc_with(found, "sc")), gold)])


def test_all_right() -> None:
    got = scores([FEVER, COUGH, PAIN], doc_with([FEVER, COUGH, PAIN], "symptom", negated=[1.0, 1.0, 0.0]))
    assert [got[f"negated{side}_{letter}"] for side in ("", "_gold") for letter in "prf"] == [1.0] * 6


def test_a_span_not_found_counts_end_to_end_only() -> None:
    got = scores([FEVER, PAIN], doc_with([FEVER, COUGH, PAIN], "symptom", negated=[1.0, 1.0, 0.0]))
    assert got["negated_gold_f"] == 1.0
    assert got["negated_p"] == 1.0 and got["negated_r"] == 0.5


def test_wrong_both_ways() -> None:
    """Gold says that the cough is there and the pain is not."""
    got = scores([FEVER, COUGH, PAIN], doc_with([FEVER, COUGH, PAIN], "symptom", negated=[1.0, 0.0, 1.0]))
    assert got["negated_gold_p"] == got["negated_gold_r"] == got["negated_p"] == got["negated_r"] == 0.5


def test_what_was_not_annotated_has_no_score() -> None:
    got = scores([FEVER], doc_with([FEVER], "symptom", negated=[1.0]))
    assert got["uncertain_f"] is None and got["family_gold_f"] is None
    assert scores([FEVER], doc_with([FEVER], "symptom"))["negated_f"] is None


def test_a_label_that_another_document_has_counts() -> None:
    """The first is wrong of a label that its own gold lacks."""
    none, one = doc_with([], "symptom", negated=[]), doc_with([FEVER], "symptom", negated=[1.0])
    pairs = [(nlp(doc_with([FEVER], "sc")), gold) for gold in (none, one)]
    assert score_assertions([Example(*pair) for pair in pairs])["negated_p"] == 0.5


def test_evaluate_uses_it() -> None:
    gold = doc_with([FEVER, COUGH, PAIN], "symptom", negated=[1.0, 1.0, 1.0])
    got = nlp.evaluate([Example(doc_with([FEVER, COUGH, PAIN], "sc"), gold)])
    assert got["negated_gold_r"] == got["negated_r"] == pytest.approx(2 / 3)
