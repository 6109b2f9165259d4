from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc
from spacy.util import registry
from thinc.api import Model, fix_random_seed

from clinner_spacy.models import pairs
from clinner_spacy.models.weights import model_from_bytes, model_to_bytes
from clinner_spacy.relations.candidates import Candidates, Limits, Place, find_candidates
from tests.pipeline.conftest import HASH_EMBED_CNN

NLP = spacy.blank("es")


def model(n_labels: int = 3) -> Model[list[Candidates], Any]:
    block = {
        "@architectures": "clinner.SpanPairs.v1",
        "tok2vec": HASH_EMBED_CNN,
        "width": 16,
        "hidden": 24,
        "rows": 100,
    }
    return registry.resolve({"model": {**block, "nO": n_labels}})["model"]


def candidates(text: str, *places: Place) -> Candidates:
    return find_candidates(NLP.make_doc(text), places, Limits())


@pytest.fixture
def batch() -> list[Candidates]:
    return [
        candidates("Toma ibuprofeno 600 mg al día.", Place(1, 2, "DRUG"), Place(2, 4, "DOSE"), Place(4, 6, "FREQ")),
        candidates("Nada."),
        candidates("Sin dolor abdominal.", Place(0, 1, "NEG"), Place(1, 3, "DIS"), Place(2, 3, "ANAT")),
        find_candidates(Doc(NLP.vocab), [], Limits()),
    ]


@pytest.fixture
def trained(batch) -> Model[list[Candidates], Any]:
    fix_random_seed(0)
    built = model()
    built.initialize(X=batch[:1])
    return built


def test_a_row_for_each_pair_whatever_the_batch(trained, batch):
    together = trained.predict(batch)
    assert together.shape == (12, 3)
    apart = np.concatenate([trained.predict([c]) for c in batch if len(c.doc)])
    assert np.allclose(together, apart, atol=1e-5)


def test_pairs_in_chunks_are_the_same(trained, batch, monkeypatch):
    together = trained.predict(batch)
    monkeypatch.setattr(pairs, "CHUNK", 5)
    assert np.allclose(trained.predict(batch), together, atol=1e-5)


def test_the_gradient_is_that_of_the_scores(trained, batch):
    weights = np.random.default_rng(0).normal(size=(12, 3)).astype("f")
    _, backprop = trained.begin_update(batch)
    backprop(weights)
    for node in (trained.layers[4], trained.layers[6], trained.layers[2].layers[0].layers[0]):
        W, dW = node.get_param("W"), node.get_grad("W")
        at = np.unravel_index(np.abs(dW).argmax(), dW.shape)
        slopes = []
        for step in (1e-2, -1e-2):
            moved = W.copy()
            moved[at] += step
            node.set_param("W", moved)
            slopes.append(float((trained.predict(batch) * weights).sum()))
        node.set_param("W", W)
        assert dW[at] == pytest.approx((slopes[0] - slopes[1]) / 2e-2, rel=0.1)


@pytest.mark.parametrize("chosen", [[1], [3, 1]])
def test_a_batch_without_pairs_gives_a_shared_encoder_its_gradient(trained, batch, chosen):
    Y, backprop = trained.begin_update([batch[n] for n in chosen])
    assert Y.shape == (0, 3)
    backprop(Y)
    assert trained.get_ref("tok2vec").layers  # it was reached: no exception


def test_long_sentences_are_read_in_parts(monkeypatch):
    monkeypatch.setattr(pairs, "STRETCH", 4)
    assert pairs.stretches(
        [candidates("Uno dos tres cuatro cinco seis siete ocho nueve. Sin dolor."), candidates("")]
    ) == [
        *(4, 4, 2),
        3,
    ]


def test_saved_and_read_back(trained, batch):
    other = model_from_bytes(model(), model_to_bytes(trained), "test")
    assert np.array_equal(other.predict(batch), trained.predict(batch))
