from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
import torch
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import registry
from thinc.api import Adam, Model

from clinner_spacy.encoders.encoder import read_encoder
from clinner_spacy.errors import ClinnerError
from clinner_spacy.models.transformer import prepare
from tests.tiny import KINDS, TEXT, save_encoder

NLP = spacy.blank("es")
BUILD = {"@architectures": "clinner.Transformer.v1", "precision": "fp32"}
TOLERANCE = {"rtol": 1e-4, "atol": 1e-4}


@pytest.fixture(scope="module", params=KINDS)
def any_encoder(request, tmp_path_factory):
    return str(save_encoder(tmp_path_factory.mktemp("encoder") / request.param, request.param))


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return str(save_encoder(tmp_path_factory.mktemp("encoder") / "xlm-roberta"))


def transformer(name: str, **settings: Any) -> Model:
    model = registry.resolve({"model": {**BUILD, "name": name, **settings}})["model"]
    model.initialize()
    return model


def docs(*texts: str) -> list[Doc]:
    return [NLP(text) for text in texts or TEXT]


def long_doc(times: int = 12) -> Doc:
    return NLP(" ".join(TEXT * times))


def plain(name: str, doc: Doc) -> np.ndarray:
    """What transformers gives for the words' first pieces, without any of our batching."""
    encoder = read_encoder(Path(name))
    visible = [token.i for token in doc if not token.is_space]
    encoding = encoder.pieces.tokenizer.encode([doc[i].text for i in visible], is_pretokenized=True)
    with torch.inference_mode():
        states = encoder.module.eval()(input_ids=torch.tensor([encoding.ids]))[0][0]
    first = {word: n for n, word in reversed(list(enumerate(encoding.word_ids))) if word is not None}
    out = np.zeros((len(doc), states.shape[1]), dtype=np.float32)
    for word, piece in first.items():
        out[visible[word]] = states[piece].numpy()
    return out


def test_vectors_are_those_of_transformers(any_encoder):
    model = transformer(any_encoder)
    texts = docs(TEXT[0], "Dolor\n\n  torácico.", "Refiere disnea .")
    for doc, vectors in zip(texts, model.predict(texts), strict=True):
        assert np.allclose(vectors, plain(any_encoder, doc), **TOLERANCE)


def test_vectors_do_not_depend_on_the_batch(any_encoder):
    texts = [*docs(), long_doc(2)]
    together = transformer(any_encoder).predict(texts)
    model = transformer(any_encoder, batch_tokens=1)
    for doc, vectors in zip(texts, together, strict=True):
        assert np.allclose(model.predict([doc])[0], vectors, **TOLERANCE)


def test_nothing_is_cut(any_encoder):
    (vectors,) = transformer(any_encoder).predict([long_doc()])
    assert (np.abs(vectors).sum(axis=1) > 0).all()


def test_words_without_pieces_get_zeros(encoder):
    doc = Doc(NLP.vocab, words=["dolor", "\n", "\x00", "\u200b", "torácico"])
    (vectors,) = transformer(encoder).predict([doc])
    assert (np.abs(vectors).sum(axis=1) > 0).tolist() == [True, False, False, False, True]
    assert np.allclose(vectors[[0, 4]], plain(encoder, Doc(NLP.vocab, words=["dolor", "torácico"])), **TOLERANCE)


@pytest.mark.parametrize("words", [[], ["\n"], ["a" * 1_000_000], ["dolor"] * 3000])
def test_odd_texts(encoder, words):
    doc = Doc(NLP.vocab, words=words)
    model = transformer(encoder)
    vectors, other = model.predict([doc, NLP("dolor")])
    assert vectors.shape == (len(words), 16)
    assert other.any()
    assert model.predict([]) == []


def test_sentences_are_read_by_themselves_where_known(encoder):
    doc = NLP(f"{TEXT[0]} {TEXT[1]}")
    (as_document,) = transformer(encoder, window="sentence").predict([doc])
    assert np.allclose(as_document, transformer(encoder).predict([doc])[0], **TOLERANCE)
    sentences = docs(TEXT[0], TEXT[1])
    doc[0].is_sent_start = True
    for token in doc[1:]:
        token.is_sent_start = token.i == len(sentences[0])
    (vectors,) = transformer(encoder, window="sentence").predict([doc])
    assert np.allclose(vectors, np.concatenate([plain(encoder, one) for one in sentences]), **TOLERANCE)


def test_window_and_overlap_change_what_is_read_together(encoder):
    doc = long_doc()
    by_default = transformer(encoder).predict([doc])[0]
    assert np.allclose(transformer(encoder, window=64, overlap=16).predict([doc])[0], by_default)
    assert not np.allclose(transformer(encoder, window=32).predict([doc])[0], by_default)
    assert not np.allclose(transformer(encoder, overlap=0).predict([doc])[0], by_default)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"window": 65}, "window=65 is more than the 64"),
        ({"window": 32, "overlap": 30}, "overlap=30"),
        ({"overlap": -1}, "overlap=-1"),
        ({"precision": "fp8"}, "precision"),
        ({"device": "cuda:99"}, "cuda:99"),
        ({"batch_tokens": 0}, "batch_tokens"),
        ({"freeze": 3}, "freeze=3"),
    ],
)
def test_settings_that_cannot_be(encoder, settings, message):
    with pytest.raises(ValueError, match=message):
        transformer(encoder, **settings).predict(docs())


@pytest.mark.parametrize(("kind", "limit"), [("xlm-roberta", 64), ("roberta", 64), ("bert", 64), ("modernbert", 64)])
def test_positions(tmp_path, kind, limit):
    assert read_encoder(save_encoder(tmp_path / kind, kind)).max_tokens == limit


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_precision_is_that_of_a_copy(encoder, precision):
    model = transformer(encoder, precision=precision)
    exact = transformer(encoder).predict(docs())[0]
    (rough, *_) = model.predict(docs())
    assert rough.dtype == np.float32
    assert not np.array_equal(rough, exact)
    assert np.corrcoef(rough.ravel(), exact.ravel())[0, 1] > 0.99
    weights = model.shims[0].encoder.module.state_dict().values()
    assert {value.dtype for value in weights if value.is_floating_point()} == {torch.float32}


def test_device_by_name(encoder):
    vectors = transformer(encoder, device="cpu").predict(docs())[0]
    assert np.allclose(vectors, transformer(encoder).predict(docs())[0])


@pytest.mark.gpu
def test_a_gpu_without_cupy(encoder):
    vectors = transformer(encoder, device="cuda:0").predict(docs())[0]
    assert isinstance(vectors, np.ndarray)
    assert np.allclose(vectors, transformer(encoder).predict(docs())[0], rtol=1e-2, atol=1e-2)


# Training


def gradients(model: Model, texts: list[Doc]) -> dict[str, np.ndarray]:
    vectors, backprop = model.begin_update(texts)
    weights = np.random.default_rng(0)
    backprop([weights.normal(size=vector.shape).astype("f") for vector in vectors])
    named = model.shims[0].encoder.module.named_parameters()
    return {name: value.grad.numpy().copy() for name, value in named if value.grad is not None}


def test_micro_batches_give_the_gradient_of_one_batch(encoder):
    texts = [*docs(), long_doc(2)]
    whole = gradients(transformer(encoder, batch_tokens=100_000), texts)
    parts = gradients(transformer(encoder, batch_tokens=64), texts)
    assert whole.keys() == parts.keys()
    for name, gradient in whole.items():
        assert np.allclose(parts[name], gradient, rtol=1e-3, atol=1e-3), name


def test_micro_batches_repeat_their_dropout(tmp_path):
    name = str(save_encoder(tmp_path, hidden_dropout_prob=0.5))
    model = transformer(name, batch_tokens=64)
    torch.manual_seed(1)
    first, _ = model.begin_update(docs())
    torch.manual_seed(1)
    again = gradients(model, docs())
    torch.manual_seed(1)
    one = transformer(name, batch_tokens=64)
    assert all(np.allclose(again[key], value, atol=1e-4) for key, value in gradients(one, docs()).items())
    assert not np.allclose(first[0], model.predict(docs())[0])


@pytest.mark.parametrize(
    ("freeze", "frozen"),
    [(False, []), (True, ["embeddings", "layer.0", "layer.1"]), (1, ["embeddings", "layer.0"]), (0, [])],
)
def test_freeze(encoder, freeze, frozen):
    model = transformer(encoder, freeze=freeze)
    before = copy.deepcopy(model.shims[0].encoder.module.state_dict())
    gradients(model, docs())
    model.finish_update(Adam(0.01))
    changed = {
        name for name, value in model.shims[0].encoder.module.state_dict().items() if (value != before[name]).any()
    }
    for part in ("embeddings", "layer.0", "layer.1"):
        assert any(part in name for name in changed) == (part not in frozen), part


def test_inference_sees_what_was_learned(encoder):
    model = transformer(encoder, precision="bf16")
    before = model.predict(docs())[0]
    gradients(model, docs())
    model.finish_update(Adam(0.1))
    assert not np.allclose(before, model.predict(docs())[0])


def test_averaged_weights_are_used_and_put_back(encoder):
    model = transformer(encoder)
    optimizer = Adam(0.1, use_averages=True)
    for _ in range(3):
        gradients(model, docs())
        model.finish_update(optimizer)
    now = model.predict(docs())[0]
    with model.use_params(optimizer.averages):
        assert not np.allclose(model.predict(docs())[0], now)
    assert np.array_equal(model.predict(docs())[0], now)


def found(nlp: spacy.Language) -> list[str]:
    doc = nlp(TEXT[0])
    return [span.text for span in doc.spans["sc"]]


def test_a_component_learns(encoder):
    nlp = spacy.blank("es")
    block = {"@architectures": "clinner.MultiTaskTagger.v1", "tok2vec": {**BUILD, "name": encoder}}
    component = nlp.add_pipe("multiclin_ner", config={"checkpoint": None, "model": block})
    examples = []
    for text, mention in ((TEXT[0], "diabetes mellitus tipo 2"), (TEXT[1], "dolor torácico opresivo")):
        reference = nlp.make_doc(text)
        start = text.index(mention)
        reference.spans["disease"] = [reference.char_span(start, start + len(mention), label="DISEASE")]
        examples.append(Example(nlp.make_doc(text), reference))
    nlp.initialize(lambda: examples)
    optimizer = Adam(0.01)
    losses = [component.update(examples, sgd=optimizer)["multiclin_ner"] for _ in range(80)]
    assert losses[-1] < losses[0] / 10
    assert found(nlp) == ["diabetes mellitus tipo 2"]
    again = spacy.blank("es")
    again.add_pipe("multiclin_ner", config={"checkpoint": None, "model": block})
    again.from_bytes(nlp.to_bytes())
    assert found(again) == ["diabetes mellitus tipo 2"]


# Keeping


def test_bytes_hold_everything(any_encoder, tmp_path):
    model = transformer(any_encoder)
    expected = model.predict(docs())
    empty = registry.resolve({"model": {**BUILD, "name": "no/such-repository"}})["model"]
    empty.from_bytes(model.to_bytes())
    for one, other in zip(empty.predict(docs()), expected, strict=True):
        assert np.array_equal(one, other)
    assert b"pickle" not in model.to_bytes()


def test_copies_are_apart(encoder):
    model = transformer(encoder)
    expected = model.predict(docs())[0]
    for other in (model.copy(), copy.deepcopy(model)):
        assert np.array_equal(other.predict(docs())[0], expected)
        gradients(other, docs())
        other.finish_update(Adam(0.1))
    assert np.array_equal(model.predict(docs())[0], expected)


def test_an_encoder_that_was_not_read(encoder):
    model = registry.resolve({"model": {**BUILD, "name": encoder}})["model"]
    with pytest.raises(ClinnerError, match="has not been read"):
        model.predict(docs())
    assert model.from_bytes(model.to_bytes()).shims[0].encoder is None


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_order_of_a_batch_changes_no_bit(encoder, precision):
    model = transformer(encoder, precision=precision, batch_tokens=64)
    texts = [f"{word} {number} mg de {text[:24]}" for word in TEXT[0].split() for number, text in enumerate(TEXT)]
    batch = docs(*texts)
    order = np.random.default_rng(0).permutation(len(batch))
    expected = model.predict(batch)
    found = model.predict([batch[n] for n in order])
    assert all((vectors == expected[n]).all() for n, vectors in zip(order, found, strict=True))
    calls = [
        [part.ids.tolist() for part in prepare(model, some, every=False, is_train=False)[1]]
        for some in (batch, [batch[n] for n in order])
    ]
    assert calls[0] == calls[1] and len(calls[0]) > 5
