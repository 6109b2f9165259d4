from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import spacy
from spacy.util import registry
from thinc.api import Model

from clinner_spacy.errors import ClinnerError
from tests.pipeline.conftest import HASH_EMBED_CNN
from tests.tiny import TEXT, save_encoder

NLP = spacy.blank("es")
N_COLUMNS = 3


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return str(save_encoder(tmp_path_factory.mktemp("encoder"), "bert"))


def tagger(tok2vec: dict[str, Any], **settings: Any) -> Model:
    block = {"@architectures": "clinner.MultiTaskTagger.v1", "tok2vec": tok2vec, "nO": N_COLUMNS, **settings}
    return registry.resolve({"model": block})["model"]


def reader(name: str, **settings: Any) -> dict[str, Any]:
    windows = {"window": 24, "overlap": 12, "precision": "fp32"}
    return {"@architectures": "clinner.Transformer.v1", "name": name, **windows, **settings}


def filled(model: Model) -> Model:
    """Initialized, with heads that say something."""
    model.initialize()
    random = np.random.default_rng(0)
    model.set_param("W", random.normal(size=model.get_param("W").shape).astype("f"))
    model.set_param("b", random.normal(size=N_COLUMNS).astype("f"))
    return model


@pytest.mark.parametrize("merge", ["center", "vote"])
@pytest.mark.parametrize("batch_tokens", [30, 10_000])
def test_training_scores_and_gradients_are_those_of_prediction(encoder, merge, batch_tokens):
    """The gradient of some sum of what is predicted, compared with differences."""
    model = filled(tagger(reader(encoder, batch_tokens=batch_tokens), merge=merge))
    docs = [NLP(" ".join(TEXT)), NLP(TEXT[0])]
    predicted = np.concatenate(model.predict(docs))
    scores, backprop = model.begin_update(docs)
    assert np.allclose(np.concatenate(scores), predicted, atol=1e-4)
    weight = np.random.default_rng(1).normal(size=predicted.shape).astype("f")
    backprop([weight[: len(docs[0])], weight[len(docs[0]) :]])
    for name in ("W", "b"):
        change, difference = smooth_difference(model, name, docs, weight)
        assert difference == pytest.approx(float((model.get_grad(name) * change).sum()), rel=0.05, abs=1e-3)
    body = model.get_ref("tok2vec").shims[0].encoder.module
    assert any(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in body.parameters())


def smooth_difference(model: Model, name: str, docs: list, weight: np.ndarray) -> tuple[np.ndarray, float]:
    """A small change of a parameter that turns no vote over, and by how much it changes the weighted sum of scores."""
    value, before = model.get_param(name), np.concatenate(model.predict(docs))
    for seed in range(50):
        change = np.random.default_rng(seed).normal(size=value.shape).astype("f") * 1e-3
        after = []
        for sign in (1, -1):
            model.set_param(name, value + sign * change)
            after.append(np.concatenate(model.predict(docs)))
        model.set_param(name, value)
        if all(np.abs(scores - before).max() < 0.1 for scores in after):
            return change, float(((after[0] - after[1]) * weight).sum(dtype=np.float64)) / 2
    raise AssertionError("every change turns a vote over")


def test_votes_are_not_the_centre(encoder):
    docs = [NLP(" ".join(TEXT))]
    vote, center = (filled(tagger(reader(encoder), merge=merge)).predict(docs)[0] for merge in ("vote", "center"))
    assert not np.allclose(vote, center)


def test_a_frozen_encoder_still_trains_the_heads(encoder):
    model = filled(tagger(reader(encoder, freeze=True), merge="vote"))
    scores, backprop = model.begin_update([NLP(TEXT[0])])
    backprop([np.ones_like(scores[0]) * np.arange(N_COLUMNS)])
    assert model.get_grad("W").any()
    body = model.get_ref("tok2vec").shims[0].encoder.module
    assert all(parameter.grad is None for parameter in body.parameters())


def test_nothing_to_read(encoder):
    model = filled(tagger(reader(encoder), merge="vote"))
    docs = [NLP(""), NLP("\n \n")]
    assert [len(scores) for scores in model.predict(docs)] == [len(doc) for doc in docs]
    scores, backprop = model.begin_update(docs)
    assert np.isnan(np.concatenate(scores)).all() and backprop(scores) == docs


@pytest.mark.parametrize("setting", [{"merge": "vote"}, {"columns": [0, 1, 2]}, {"orphans": "open"}])
def test_settings_for_windows_are_refused_without_them(setting):
    with pytest.raises(ClinnerError, match=next(iter(setting))):
        tagger(HASH_EMBED_CNN, **setting)
