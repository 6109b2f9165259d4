"""Accuracy over gold spans and F1 of span and code, by hand."""

from __future__ import annotations

import pytest
import spacy
from spacy.tokens import Doc, SpanGroup
from spacy.training import Example

from clinner_spacy.linking.linker import Candidate, Mention
from clinner_spacy.scoring.linking import score_links

NLP = spacy.blank("es")


def doc(*spans: tuple[int, int, str, str], key: str = "disease", coded: bool = True) -> Doc:
    made = NLP.make_doc("asma tos gripe fiebre otitis")
    attrs = {"codes": [code for *_, code in spans]} if coded else {}
    found = [made[start:end] for start, end, *_ in spans]
    for span, (_, _, label, _) in zip(found, spans, strict=True):
        span.label_ = label
    made.spans[key] = SpanGroup(made, name=key, spans=found, attrs=attrs)
    return made


def candidates(mentions):
    known = {"asma": ["A", "B"], "tos": ["B", "A"], "gripe": []}
    return {m: [Candidate(code, "", 0.9) for code in known[m.text]] for m in mentions}


GOLD = doc((0, 1, "D", "A"), (1, 2, "D", "A"), (2, 3, "D", "A"), (3, 4, "D", ""))


def test_by_hand() -> None:
    found = doc((0, 1, "D", "A"), (1, 2, "D", "B"), (3, 4, "D", "A"), (4, 5, "D", ""), (2, 3, "X", "A"), key="sc")
    scores = score_links([Example(found, GOLD)], candidates=candidates)
    assert scores["codes_accuracy"] == pytest.approx(1 / 3)
    assert scores["codes_accuracy_5"] == pytest.approx(2 / 3)
    assert scores["codes_mrr"] == pytest.approx((1 + 1 / 2) / 3)
    # Found with a code and a label of the gold: asma (right), tos (another code), fiebre (no concept in the gold).
    assert scores["codes_p"] == pytest.approx(1 / 3)
    assert scores["codes_r"] == pytest.approx(1 / 3)


def test_what_was_not_annotated_does_not_count() -> None:
    reference = doc((0, 1, "D", "A"), coded=False)
    scores = score_links([Example(doc((0, 1, "D", "A"), key="sc"), reference)], candidates=candidates)
    assert set(scores.values()) == {None}


def test_a_label_that_another_document_has_counts() -> None:
    """The second is wrong of a label that its own gold lacks; what nobody annotated, X, does not count."""
    pairs = [
        (doc((1, 2, "S", "B"), key="sc"), doc((1, 2, "S", "B"))),
        (doc((0, 1, "D", "A"), (1, 2, "S", "B"), (2, 3, "X", "C"), key="sc"), doc((0, 1, "D", "A"))),
    ]
    assert score_links([Example(*pair) for pair in pairs])["codes_p"] == pytest.approx(2 / 3)


def test_without_candidates_only_the_end_to_end_measures() -> None:
    scores = score_links([Example(doc(key="sc"), GOLD)])
    assert scores["codes_accuracy"] is None and scores["codes_f"] == 0


def test_the_component_scores_itself(tmp_path) -> None:
    path = tmp_path / "terms.tsv"
    path.write_text("code\tterm\nA\tasma\nB\ttos\nA\tgripe\n")
    nlp = spacy.blank("es")
    nlp.add_pipe("concept_linker", config={"terms": str(path)})
    found = doc((0, 1, "D", ""), (1, 2, "D", ""), key="sc")
    scores = nlp.evaluate([Example(found, GOLD)])
    assert scores["codes_accuracy"] == pytest.approx(2 / 3)
    assert scores["codes_mrr"] == pytest.approx(2 / 3)
    assert Mention("asma", "D") in nlp.get_pipe("concept_linker")._cache
