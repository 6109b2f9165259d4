"""Reading in blocks gives what spaCy's encoder gives, wherever a document begins, ends or is cut."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.ml.models.tok2vec import MaxoutWindowEncoder
from thinc.api import set_dropout_rate

from clinner_spacy.errors import ClinnerError
from clinner_spacy.models import window_encoder
from clinner_spacy.models.weights import model_from_bytes, model_to_bytes

WIDTH = 6


@pytest.fixture(scope="module", params=[(1, 2), (3, 1), (2, 2)], ids=lambda p: f"depth {p[0]}, window {p[1]}")
def encoders(request):
    """spaCy's encoder and ours with the same parameters."""
    depth, window_size = request.param
    spacys = MaxoutWindowEncoder(width=WIDTH, window_size=window_size, maxout_pieces=3, depth=depth).initialize()
    ours = window_encoder.build_window_encoder(WIDTH, depth, window_size).initialize()
    names = {"maxout", "layernorm"}
    pairs = zip(*([node for node in m.walk() if node.name in names] for m in (spacys, ours)), strict=True)
    for theirs, mine in pairs:
        for name in theirs.param_names:
            mine.set_param(name, theirs.get_param(name))
    return spacys, ours


@settings(deadline=None, max_examples=40)
@given(lengths=st.lists(st.integers(0, 40), min_size=1, max_size=6), block=st.integers(1, 30))
def test_same_as_spacys(encoders, lengths, block):
    spacys, ours = encoders
    rng = np.random.default_rng(sum(lengths))
    docs = [rng.normal(size=(n, WIDTH)).astype("f") for n in lengths]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(window_encoder, "BLOCK", block)
        found = ours.predict(docs)
    for mine, theirs in zip(found, spacys.predict(docs), strict=True):
        assert np.allclose(mine, theirs, atol=1e-4)  # torch rounds otherwise, and layer norm makes more of it


def test_learns_like_spacys(encoders):
    spacys, ours = encoders
    docs = [np.random.default_rng(1).normal(size=(9, WIDTH)).astype("f")]
    gradients = []
    for model in (spacys, ours):
        Y, backprop = model(docs, is_train=True)
        gradients.append(backprop(Y)[0])
    assert np.allclose(*gradients, atol=1e-5)


def test_saved_and_loaded():
    model = window_encoder.build_window_encoder(WIDTH, 2).initialize()
    back = model_from_bytes(window_encoder.build_window_encoder(WIDTH, 2), model_to_bytes(model), "it")
    docs = [np.ones((5, WIDTH), dtype="f")]
    assert (back.predict(docs)[0] == model.predict(docs)[0]).all()


@settings(deadline=None, max_examples=30)
@given(
    lengths=st.lists(st.integers(0, 30), min_size=1, max_size=4),
    block=st.integers(1, 20),
    dilations=st.lists(st.integers(1, 5), min_size=1, max_size=4),
)
def test_dilated_layers_see_as_far_as_they_say_and_blocks_change_nothing(lengths, block, dilations):
    model = window_encoder.build_window_encoder(WIDTH, len(dilations), dilations=dilations).initialize()
    rng = np.random.default_rng(sum(lengths))
    docs = [rng.normal(size=(n, WIDTH)).astype("f") for n in lengths]
    whole = model(docs, is_train=True)[0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(window_encoder, "BLOCK", block)
        for mine, expected in zip(model.predict(docs), whole, strict=True):
            assert np.allclose(mine, expected, atol=1e-5)
    for doc, before in zip(docs, whole, strict=True):
        if len(doc):
            changed = doc.copy()
            changed[0] += 1
            seen = abs(model.predict([changed])[0] - before).max(axis=1) > 1e-4
            assert seen[0] and not seen[sum(dilations) + 1 :].any()


def test_dilation_is_the_step_between_neighbours():
    model = window_encoder.build_window_encoder(WIDTH, 1, dilations=[3]).initialize()
    doc = np.random.default_rng(0).normal(size=(9, WIDTH)).astype("f")
    before = model.predict([doc])[0]
    doc[4] += 1
    assert set(np.flatnonzero(abs(model.predict([doc])[0] - before).max(axis=1) > 1e-4)) == {1, 4, 7}


@pytest.mark.parametrize("dilations", [[1], [1, 2, 4], [1, 0]])
def test_dilations_that_do_not_fit_the_depth_are_refused(dilations):
    with pytest.raises(ClinnerError, match="dilations"):
        window_encoder.build_window_encoder(WIDTH, 2, dilations=dilations)


def test_dropout_is_for_learning_only():
    model = window_encoder.build_window_encoder(WIDTH, 2).initialize()
    docs = [np.random.default_rng(0).normal(size=(20, WIDTH)).astype("f")]
    whole = model.predict(docs)[0]
    set_dropout_rate(model, 0.5)
    assert not np.allclose(model(docs, is_train=True)[0][0], whole)
    assert np.allclose(model.predict(docs)[0], whole)
