from __future__ import annotations

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc, SpanGroup
from spacy.training import Example
from spacy.util import registry

from clinner_spacy.scoring.calibration import (
    JudgedSpan,
    as_arrays,
    calibration_error,
    cross_calibrated,
    folds,
    judge_spans,
    reliability,
)

NLP = spacy.blank("en")
TASKS = {"disease": ["DISEASE"], "drug": ["DRUG", "DOSE"]}
TEXT = "severe lung cancer treated with aspirin 100 mg"
CANCER, LUNG_CANCER, ASPIRIN = (12, 18, "DISEASE"), (7, 18, "DISEASE"), (32, 39, "DRUG")

Spans = dict[tuple[int, int, str], float]


def doc(groups: dict[str, Spans]) -> Doc:
    made = NLP(TEXT)
    for key, spans in groups.items():
        attrs = {"scores": np.asarray(list(spans.values()), dtype=np.float32)}
        made.spans[key] = SpanGroup(made, name=key, spans=[made.char_span(*s) for s in spans], attrs=attrs)
    return made


def example(predicted: Spans, **gold: list) -> Example:
    return Example(doc({"sc": predicted}), doc({task: dict.fromkeys(spans, 0.0) for task, spans in gold.items()}))


def test_a_mention_is_right_if_the_gold_has_it_overlapping_or_not() -> None:
    judged = judge_spans([example({CANCER: 0.5, LUNG_CANCER: 0.75}, disease=[LUNG_CANCER, CANCER])], TASKS)
    assert [(span.score, span.right) for span in judged] == [(0.5, True), (0.75, True)]
    judged = judge_spans([example({CANCER: 0.5}, disease=[LUNG_CANCER])], TASKS)
    assert [(span.score, span.right) for span in judged] == [(0.5, False)]


def test_a_task_not_annotated_is_left_out_and_an_empty_one_is_not() -> None:
    found = {CANCER: 0.5, ASPIRIN: 0.25}
    unknown, empty = example(found, disease=[CANCER]), example(found, disease=[], drug=[])
    assert judge_spans([unknown, empty], TASKS, source="dev") == [
        JudgedSpan(("dev", 0), "disease", "DISEASE", 0.5, True),
        JudgedSpan(("dev", 1), "disease", "DISEASE", 0.5, False),
        JudgedSpan(("dev", 1), "drug", "DRUG", 0.25, False),
    ]


def test_spans_without_scores_are_not_judged() -> None:
    one = example({CANCER: 0.5}, disease=[CANCER])
    del one.predicted.spans["sc"].attrs["scores"]
    assert judge_spans([one], TASKS) == []


def test_error_and_table_by_hand() -> None:
    scores = np.asarray([0.95, 1.0, 0.9, 0.1, 0.0, 0.55])
    right = np.asarray([True, True, False, False, False, True])
    table = reliability(scores, right)
    assert [(b.low, b.high, b.size, b.right) for b in table] == [
        (0.0, 0.1, 1, 0.0),
        (0.1, 0.2, 1, 0.0),
        (0.5, 0.6, 1, 1.0),
        (0.9, 1.0, 3, pytest.approx(2 / 3)),
    ]
    assert table[-1].score == pytest.approx(0.95)
    assert calibration_error(scores, right) == pytest.approx((0.0 + 0.1 + 0.45 + 3 * (0.95 - 2 / 3)) / 6)


def test_the_scorer_gives_the_error_a_task() -> None:
    score = registry.scorers.get("clinner.span_scorer.v1")()
    scores = score([example({CANCER: 0.75, ASPIRIN: 0.25}, disease=[CANCER])], tasks=TASKS)
    assert (scores["spans_sc_ece"], scores["disease_ece"], scores["drug_ece"]) == (0.25, 0.25, None)
    assert scores["disease_f"] == 1.0


def test_a_document_is_in_one_fold_and_folds_are_alike() -> None:
    documents = [("dev", n) for n in range(20) for _ in range(n)]
    fold = folds(documents)
    assert (fold == folds(documents)).all()
    assert all(len(set(fold[[d == name for d in documents]])) == 1 for name in documents)
    assert np.bincount(folds([("dev", n) for n in range(20)])).tolist() == [4, 4, 4, 4, 4]


def test_no_document_has_a_say_in_its_own_score() -> None:
    """Turning what is right in one document around changes scores in others, never its own."""
    rng = np.random.default_rng(0)
    judged = [
        JudgedSpan(("dev", n // 10), "disease", "DISEASE", score, bool(rng.random() < score**3))
        for n, score in enumerate(rng.random(400))
    ]
    turned = [span._replace(right=not span.right) if span.document == ("dev", 7) else span for span in judged]
    before, after = cross_calibrated(judged), cross_calibrated(turned)
    same = {a.document: a.score == b.score for a, b in zip(before, after, strict=True)}
    assert same["dev", 7] and not all(same.values())
    assert calibration_error(*as_arrays(before)) < calibration_error(*as_arrays(judged))
