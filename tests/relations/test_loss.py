from __future__ import annotations

import numpy as np
import pytest

from clinner_spacy.relations.candidates import Candidates, WordSpan
from clinner_spacy.relations.decode import best_relations
from clinner_spacy.relations.gold import gold_targets
from clinner_spacy.relations.loss import pair_loss, sample_pairs

HEADS, TAILS = np.asarray([0, 0, 1, 2]), np.asarray([1, 2, 0, 0])
PAIRS = Candidates(None, [WordSpan(0, 1, "A")] * 3, HEADS, TAILS, np.zeros(3, int))


def test_targets_share_a_pair_between_its_labels():
    relations = [
        {"head": 0, "tail": 1, "label": "X"},
        {"head": 0, "tail": 1, "label": "Y"},
        {"head": 2, "tail": 0, "label": "Y"},
    ]
    with_null = gold_targets(PAIRS, relations, ["", "X", "Y"], null=True)
    assert with_null.tolist() == [[0, 0.5, 0.5], [1, 0, 0], [1, 0, 0], [0, 0, 1]]
    assert gold_targets(PAIRS, relations, ["X", "Y"], null=False).tolist() == [[0.5, 0.5], [0, 0], [0, 0], [0, 1]]


def test_gradient_is_that_of_the_loss():
    rng = np.random.default_rng(0)
    logits, weights = rng.normal(size=(4, 3)), np.asarray([1.0, 2, 1, 0.5])
    targets = np.asarray([[0, 0.5, 0.5], [1, 0, 0], [0, 0, 0], [0, 0, 1]])
    _, gradient = pair_loss(logits, targets, weights)
    for at in np.ndindex(logits.shape):
        step = np.zeros_like(logits)
        step[at] = 1e-4
        slope = (pair_loss(logits + step, targets, weights)[0] - pair_loss(logits - step, targets, weights)[0]) / 2e-4
        assert gradient[at] == pytest.approx(slope, abs=1e-4)


def test_a_sample_keeps_every_relation_and_the_weight_of_the_rest():
    targets = np.zeros((100, 2), dtype=np.float32)
    targets[:90, 0] = targets[90:, 1] = 1
    kept, weights = sample_pairs(targets, 3.0, np.random.default_rng(0))
    assert len(kept) == 40 and set(range(90, 100)) <= set(kept.tolist())
    assert weights[kept < 90].sum() == pytest.approx(90)
    assert (weights[kept >= 90] == 1).all()
    assert len(sample_pairs(targets, None, np.random.default_rng(0))[0]) == 100
    assert len(sample_pairs(targets[:90], 0.0, np.random.default_rng(0))[0]) == 1


def test_the_best_label_but_the_null_one_where_it_is_probable_enough():
    logits = np.log(np.asarray([[0.1, 0.8, 0.1], [0.5, 0.45, 0.05], [0.9, 0.05, 0.05], [0.2, 0.2, 0.6]]))
    (found,) = best_relations([PAIRS], logits, ["", "X", "Y"], True, 0.4)
    assert [(r["head"], r["tail"], r["label"], round(r["score"], 2)) for r in found] == [
        (0, 1, "X", 0.8),
        (0, 2, "X", 0.45),
        (2, 0, "Y", 0.6),
    ]
