"""Word vectors from spellings: one a word, never stale when kept, n-grams as floret has them."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import spacy
from spacy.vectors import Vectors
from thinc.api import SGD

from clinner_spacy.errors import ClinnerError
from clinner_spacy.models.spelling import MAX_KEPT, build_spelling_embed, read_floret


@pytest.fixture
def docs():
    nlp = spacy.blank("es")
    return [nlp.make_doc(text) for text in ("Dolor torácico y dolor lumbar.", "", "Sin dolor\n.")]


@pytest.fixture
def floret(tmp_path):
    """A table of 7 rows and 4 columns, as `floret` writes it."""
    rng = np.random.default_rng(0)
    table = rng.normal(size=(7, 4)).astype(np.float32)
    rows = [f"{n} " + " ".join(f"{x:.8f}" for x in row) for n, row in enumerate(table)]
    path = tmp_path / "small.floret"
    path.write_text("\n".join(["7 4 3 5 2 2166136261 < >", *rows]) + "\n")
    return path


def initialized(**settings):
    model = build_spelling_embed(width=8, rows=50, **settings)
    model.initialize()
    return model


def test_a_vector_a_word(docs):
    vectors = initialized().predict(docs)
    assert [v.shape for v in vectors] == [(len(doc), 8) for doc in docs]
    assert (vectors[0][3] == vectors[2][1]).all()  # "dolor" twice
    assert not (vectors[0][0] == vectors[0][3]).all()  # "Dolor" has another shape


def test_predicting_equals_training_without_dropout(docs):
    model = initialized()
    trained, _ = model(docs, is_train=True)
    assert all((a == b).all() for a, b in zip(trained, model.predict(docs), strict=True))


def test_kept_vectors_follow_the_parameters(docs):
    model = initialized()
    before = model.predict(docs)[0]
    maxout = next(node for node in model.layers[1].walk() if node.name == "maxout")
    assert (model.predict(docs)[0] == before).all()
    with model.use_params({(maxout.id, "W"): maxout.get_param("W") * 2}):
        assert not (model.predict(docs)[0] == before).all()
    assert (model.predict(docs)[0] == before).all()


def test_kept_vectors_are_forgotten_in_training(docs):
    model = initialized()
    before = model.predict(docs)[0]
    vectors, backprop = model(docs, is_train=True)
    backprop([np.ones_like(v) for v in vectors])
    model.finish_update(SGD(0.1))
    assert not (model.predict(docs)[0] == before).all()


def test_kept_vectors_are_bounded(docs, monkeypatch):
    monkeypatch.setattr("clinner_spacy.models.spelling.MAX_KEPT", 3)
    model = initialized()
    for _ in range(3):
        model.predict(docs)
    assert len(model.attrs["kept"].now.row_of) <= 3 + sum(len(doc) for doc in docs) < MAX_KEPT


def test_gradient_sums_over_every_time_a_word_is_met(docs):
    model = initialized()
    maxout = next(node for node in model.layers[1].walk() if node.name == "maxout")
    weights = np.random.default_rng(0).normal(size=(sum(len(doc) for doc in docs), 8)).astype("f")

    def loss():
        return float((np.vstack(model(docs, is_train=True)[0]) * weights).sum())

    _, backprop = model(docs, is_train=True)
    backprop(model.ops.unflatten(weights, np.asarray([len(doc) for doc in docs])))
    gradient, step = maxout.get_grad("W"), 1e-2
    for index in [(0, 0, 0), (3, 1, 5), (7, 2, 31)]:
        W = maxout.get_param("W")
        W[index] += step
        above = loss()
        W[index] -= 2 * step
        below = loss()
        W[index] += step
        assert (above - below) / (2 * step) == pytest.approx(gradient[index], abs=0.02)


def test_ngrams_come_from_floret(docs, floret):
    table, settings = read_floret(floret)
    assert table.shape == (7, 4) and settings["hash_count"] == 2
    model = initialized(ngram_vectors=str(floret), ngram_shape=(7, 4))
    spacys = Vectors(mode="floret", data=table, **settings)
    spacys.strings.add("dolor")
    doc = docs[2][1:2].as_doc()
    model.predict([doc])
    kept = model.attrs["kept_ngrams"].now.table[0]
    assert np.allclose(kept, spacys["dolor"])


def test_a_missing_floret_file_is_named(tmp_path):
    with pytest.raises(ClinnerError, match=r"nowhere\.floret"):
        initialized(ngram_vectors=str(tmp_path / "nowhere.floret"), ngram_shape=(7, 4))


def test_threads_that_share_a_model_see_the_same_vectors():
    nlp = spacy.blank("es")
    texts = [" ".join(f"palabra{n * step}" for n in range(60)) for step in range(1, 60)]
    docs = [nlp.make_doc(text) for text in texts]
    model = initialized()
    expected = [model.predict([doc])[0] for doc in docs]
    model.attrs["kept"].forget()
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda doc: model.predict([doc])[0], docs * 3))
    finally:
        sys.setswitchinterval(interval)
    assert all((a == b).all() for a, b in zip(found, expected * 3, strict=True))
