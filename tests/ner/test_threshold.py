from __future__ import annotations

import numpy as np
import pytest

from clinner_spacy.errors import ClinnerError
from clinner_spacy.ner.threshold import check_labels, checked_threshold, least_scores


@pytest.mark.parametrize("value", ["0.5", 7, -0.1, True, None, float("nan"), [0.5], {"A": "0.5"}, {"A": 2}])
def test_what_is_no_number_from_0_to_1_is_refused(value: object) -> None:
    with pytest.raises(ClinnerError, match=r"ner.* give a number from 0 to 1"):
        checked_threshold(value, "ner")


@pytest.mark.parametrize("label", ["A:B", "A=B", "#A", "[A]", " A", "A ", ""])
def test_labels_that_no_config_can_name_are_refused(label: str) -> None:
    with pytest.raises(ClinnerError, match="cannot name"):
        checked_threshold({label: 0.5}, "ner")


def test_numbers() -> None:
    assert checked_threshold(1, "ner") == 1.0
    assert checked_threshold(np.float32(0.5), "ner") == 0.5
    assert checked_threshold({"A": 0, "B": 1}, "ner") == {"A": 0.0, "B": 1.0}


def test_unknown_labels_are_refused_once_labels_are_known() -> None:
    check_labels({"A": 0.5}, [], "ner")
    check_labels({"A": 0.5}, ["A", "B"], "ner")
    with pytest.raises(ClinnerError, match="'ner' names the label 'C'; it has A, B"):
        check_labels({"C": 0.5}, ["A", "B"], "ner")


def test_one_threshold_a_label() -> None:
    assert least_scores(0.25, ["A", "B"]).tolist() == [0.25, 0.25]
    assert least_scores({"B": 0.75}, ["A", "B"]).tolist() == [0.0, 0.75]
