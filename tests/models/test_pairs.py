from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc
from spacy.util import registry
from thinc.api import Adam, Model, fix_random_seed, set_dropout_rate

from clinner_spacy.errors import ClinnerError
from clinner_spacy.models import pair_scorer
from clinner_spacy.models.weights import model_from_bytes, model_to_bytes
from clinner_spacy.relations.candidates import Candidates, Limits, WordSpan, find_candidates
from tests.pipeline.conftest import HASH_EMBED_CNN

NLP = spacy.blank("es")
WEIGHTS = np.random.default_rng(0).normal(size=(12, 3)).astype("f")
DRUGS = [(1, 2, "DRUG"), (2, 4, "DOSE"), (4, 6, "FREQ")]


def model(n_labels: int = 3, width: int = 16) -> Model[list[Candidates], Any]:
    block = {
        "@architectures": "clinner.SpanPairs.v1",
        "tok2vec": HASH_EMBED_CNN,
        "width": width,
        "hidden": 24,
        "rows": 100,
    }
    return registry.resolve({"model": {**block, "nO": n_labels}})["model"]


def candidates(text: str, *places: WordSpan) -> Candidates:
    return find_candidates(NLP.make_doc(text), places, Limits())


@pytest.fixture
def batch() -> list[Candidates]:
    return [
        candidates("Toma ibuprofeno 600 mg al día.", *(WordSpan(*span) for span in DRUGS)),
        candidates("Nada."),
        candidates("Sin dolor abdominal.", WordSpan(0, 1, "NEG"), WordSpan(1, 3, "DIS"), WordSpan(2, 3, "ANAT")),
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
    monkeypatch.setattr(pair_scorer, "CHUNK", 5)
    assert np.allclose(trained.predict(batch), together, atol=1e-5)


def loss_of(scores: np.ndarray) -> float:
    return float((scores * WEIGHTS).sum())


def test_the_gradient_is_that_of_the_scores(trained, batch):
    """At the words' vectors, which torch gets from thinc and gives back to it."""
    mix = next(node for node in trained.get_ref("tok2vec").walk() if node.has_param("W"))
    _, backprop = trained.begin_update(batch)
    backprop(WEIGHTS)
    W, dW = mix.get_param("W"), mix.get_grad("W")
    at = np.unravel_index(np.abs(dW).argmax(), dW.shape)
    slopes = []
    for step in (3e-3, -3e-3):
        moved = W.copy()
        moved[at] += step
        mix.set_param("W", moved)
        slopes.append(loss_of(trained.predict(batch)))
    assert dW[at] == pytest.approx((slopes[0] - slopes[1]) / 6e-3, rel=0.1)


def test_training_is_the_same_for_the_same_seed(batch):
    def learn(seed: int) -> np.ndarray:
        fix_random_seed(seed)
        built = model()
        built.initialize(X=batch[:1])
        set_dropout_rate(built, 0.3)
        optimizer = Adam(0.01)
        for _ in range(3):
            _, backprop = built.begin_update(batch)
            backprop(WEIGHTS)
            built.finish_update(optimizer)
        return built.predict(batch)

    assert np.array_equal(learn(1), learn(1))
    assert not np.allclose(learn(1), learn(2))


def test_dropout_is_for_training_only(trained, batch):
    expected = trained.predict(batch)
    set_dropout_rate(trained, 0.5)
    assert not np.allclose(trained.begin_update(batch)[0], expected, atol=1e-3)
    assert np.array_equal(trained.predict(batch), expected)


def test_every_parameter_learns(trained, batch):
    _, backprop = trained.begin_update(batch)
    backprop(WEIGHTS)
    still = [name for name, p in trained.shims[0].module.named_parameters() if not p.grad.abs().sum()]
    assert still == []


@pytest.mark.parametrize("chosen", [[1], [3, 1]])
def test_a_batch_without_pairs_gives_a_shared_encoder_its_gradient(trained, batch, chosen):
    Y, backprop = trained.begin_update([batch[n] for n in chosen])
    assert Y.shape == (0, 3)
    backprop(Y)
    assert trained.get_ref("tok2vec").layers  # it was reached: no exception


def test_saved_and_read_back(trained, batch):
    other = model_from_bytes(model(), model_to_bytes(trained), "test")
    assert np.array_equal(other.predict(batch), trained.predict(batch))


def test_weights_of_another_shape_are_refused(trained):
    with pytest.raises(ClinnerError, match="saved from another architecture"):
        model_from_bytes(model(width=8), model_to_bytes(trained), "test")


@pytest.mark.gpu
def test_on_a_gpu_as_on_the_host(trained, batch):
    expected = trained.predict(batch)
    gradient = fresh_gradient(trained, batch)
    trained.shims[0].to_device("gpu", 0)
    assert np.allclose(trained.predict(batch), expected, atol=1e-3)
    assert np.allclose(fresh_gradient(trained, batch), gradient, atol=1e-3)
    _, backprop = trained.begin_update(batch)
    backprop(WEIGHTS)
    trained.finish_update(Adam(0.01))
    assert trained.shims[0].device.type == "cuda"
    assert not np.allclose(trained.predict(batch), expected, atol=1e-3)


def fresh_gradient(trained: Model[list[Candidates], Any], batch: list[Candidates]) -> np.ndarray:
    _, backprop = trained.begin_update(batch)
    backprop(WEIGHTS)
    module = trained.shims[0].module
    gradient = module.between.weight.grad.cpu().numpy().copy()
    module.zero_grad()
    return gradient
