from __future__ import annotations

import spacy
from spacy.tokens import Doc, SpanGroup
from spacy.training import Example
from spacy.util import registry

from clinner_spacy.scoring.scorer import score_tasks

NLP = spacy.blank("en")
TASKS = {"disease": ["DISEASE"], "drug": ["DRUG", "DOSE"]}
TEXT = "severe lung cancer treated with aspirin 100 mg"

Spans = list[tuple[int, int, str]]


def doc(groups: dict[str, Spans], words: list[str] | None = None) -> Doc:
    made = Doc(NLP.vocab, words=words, spaces=[False] * len(words)) if words else NLP(TEXT)
    for key, spans in groups.items():
        found = [made.char_span(start, end, label) for start, end, label in spans]
        made.spans[key] = SpanGroup(made, name=key, spans=found)
    return made


def scores(*pairs: tuple[dict[str, Spans], dict[str, Spans]]) -> dict:
    examples = [Example(doc(predicted), doc(gold)) for predicted, gold in pairs]
    return registry.scorers.get("clinner.span_scorer.v1")()(examples, tasks=TASKS, threshold=0.5)


def test_overlapping_spans_all_count() -> None:
    nested = [(0, 18, "DISEASE"), (7, 18, "DISEASE"), (12, 18, "DISEASE")]
    result = scores(({"sc": nested}, {"disease": nested}))
    assert result["disease_f"] == result["disease_char_f"] == result["spans_sc_f"] == 1.0
    assert result["spans_sc_per_type"] == {"DISEASE": {"p": 1.0, "r": 1.0, "f": 1.0}}


def test_a_task_not_annotated_is_left_out() -> None:
    predicted: dict[str, Spans] = {"sc": [(0, 18, "DISEASE"), (32, 39, "DRUG")]}
    result = scores((predicted, {"disease": [(7, 18, "DISEASE")]}))
    assert result["drug_f"] is None and result["drug_char_f"] is None
    assert (result["disease_p"], result["spans_sc_p"]) == (0.0, 0.0)
    assert result["spans_sc_char_f"] == result["disease_char_f"] > 0.7
    assert "DRUG" not in result["spans_sc_per_type"]


def test_an_empty_group_means_none_there() -> None:
    result = scores(({"sc": [(32, 39, "DRUG")]}, {"drug": []}), ({"sc": []}, {"drug": [(32, 39, "DRUG")]}))
    assert (result["drug_p"], result["drug_r"], result["disease_f"]) == (0.0, 0.0, None)


def test_nothing_annotated_and_nothing_predicted() -> None:
    result = scores(({}, {}))
    assert all(value is None for value in result.values())
    assert scores(({}, {"drug": []}))["drug_f"] == 0.0


def test_offsets_count_not_tokens() -> None:
    words = ["severe lung ", "cancer", " treated with aspirin 100 mg"]
    example = Example(doc({"sc": [(12, 18, "DISEASE")]}), doc({"disease": [(12, 18, "DISEASE")]}, words))
    assert score_tasks([example], TASKS)["disease_f"] == 1.0


def test_one_label_in_two_tasks_counts_in_each() -> None:
    tasks = {"disease": ["X"], "finding": ["X"]}
    example = Example(doc({"sc": [(12, 18, "X")]}), doc({"disease": [(12, 18, "X")], "finding": []}))
    result = score_tasks([example], tasks)
    assert (result["disease_f"], result["finding_f"], result["spans_sc_p"]) == (1.0, 0.0, 0.5)


def test_a_label_that_two_tasks_share_counts_for_the_task_it_was_found_for() -> None:
    tasks = {"disease": ["X"], "finding": ["X"]}
    gold = {"disease": [(12, 18, "X")], "finding": [(0, 18, "X"), (32, 39, "X")]}
    perfect = doc({"sc": [*gold["disease"], *gold["finding"]]})
    perfect.spans["sc"].attrs["tasks"] = ["disease", "finding", "finding"]
    result = score_tasks([Example(perfect, doc(gold))], tasks)
    assert result["disease_f"] == result["finding_f"] == result["spans_sc_f"] == 1.0
    assert result["spans_sc_per_type"]["X"]["f"] == 1.0


def test_entities_are_the_prediction_where_there_is_no_group() -> None:
    predicted = doc({})
    predicted.ents = [predicted.char_span(12, 18, "DISEASE")]
    result = score_tasks([Example(predicted, doc({"disease": [(12, 18, "DISEASE")]}))], TASKS)
    assert result["disease_f"] == 1.0
