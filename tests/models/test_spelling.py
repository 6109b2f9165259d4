"""Word vectors from spellings: one a word, never stale when cached, n-grams as floret has them."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc
from spacy.vectors import Vectors
from thinc.api import SGD, Adam

from clinner_spacy.errors import ClinnerError
from clinner_spacy.models.spelling import MAX_CHARACTERS, build_spelling_embed, read_floret


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


def same_vectors(model, *words: str) -> bool:
    """Whether two words have one vector, but for that of their shape."""
    model.attrs["cache"].forget()
    shape = model.layers[0].layers[-1].layers[-1]  # the last feature's hash table
    shape.set_param("E", shape.get_param("E") * 0)
    nlp = spacy.blank("es")
    first, second = model.predict([nlp.make_doc(word) for word in words])
    return bool((first == second).all())


@pytest.mark.parametrize("word", ["NEUMONÍA", "neumonia", "Neumonía", "neumoni\u0301a"])
def test_folded_words_are_the_same_but_for_their_shape(word, floret):
    ngrams = {"ngram_vectors": str(floret), "ngram_shape": (7, 4)}
    assert same_vectors(initialized(**ngrams, folded=True), word, "neumonía")
    assert not same_vectors(initialized(**ngrams), word, "neumonía")


def test_a_folded_word_is_still_read_by_its_beginning_and_end():
    model = initialized(folded=True)
    assert not same_vectors(model, "neumonía", "neumonitis")
    assert not same_vectors(model, "hipotermia", "hipertermia")


def test_predicting_equals_training_without_dropout(docs):
    model = initialized()
    trained, _ = model(docs, is_train=True)
    assert all((a == b).all() for a, b in zip(trained, model.predict(docs), strict=True))


def test_cached_vectors_follow_the_parameters(docs):
    model = initialized()
    before = model.predict(docs)[0]
    maxout = next(node for node in model.layers[1].walk() if node.name == "maxout")
    assert (model.predict(docs)[0] == before).all()
    with model.use_params({(maxout.id, "W"): maxout.get_param("W") * 2}):
        assert not (model.predict(docs)[0] == before).all()
    assert (model.predict(docs)[0] == before).all()


@pytest.mark.parametrize("optimizer", [SGD(0.1), Adam(0.01)])
def test_cached_vectors_follow_an_optimizer_that_changes_them_in_place(docs, optimizer):
    model = initialized()
    for _ in range(3):
        vectors, backprop = model(docs, is_train=True)
        backprop([np.ones_like(v) for v in vectors])
        before = model.predict(docs)[0]  # as a component does that annotates while it learns
        model.finish_update(optimizer)
        after = model.predict(docs)[0]
        assert not (after == before).all()
        model.attrs["cache"].forget()
        assert (model.predict(docs)[0] == after).all()


def test_cached_vectors_are_bounded(docs, monkeypatch):
    monkeypatch.setattr("clinner_spacy.models.spelling.MAX_CACHED", 3)
    model = initialized()
    nlp = spacy.blank("es")
    for n in range(50):
        model.predict([nlp.make_doc(f"uno{n} dos{n}")])
        assert len(model.attrs["cache"].now.row_of) <= 3 + 2


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
    model([doc], is_train=True)
    cached = model.attrs["ngram_cache"].now.table[0]
    assert np.allclose(cached, spacys["dolor"])


def test_a_missing_floret_file_is_named(tmp_path):
    with pytest.raises(ClinnerError, match=r"nowhere\.floret"):
        initialized(ngram_vectors=str(tmp_path / "nowhere.floret"), ngram_shape=(7, 4))


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text.replace("7 4 3 5", "7 4 3", 1),
        lambda text: text.replace("7 4 3 5", "7 4 5 3", 1),
        lambda text: text.replace("7 4 3 5 2", "7 4 3 5 9", 1),
        lambda text: text.replace("7 4 3 5", "seven 4 3 5", 1),
        lambda text: text.replace("7 4 3 5", "8 4 3 5", 1),
        lambda text: text.replace("7 4 3 5", "7 5 3 5", 1),
        lambda text: text.replace("0.", "o.", 1),
    ],
)
def test_a_damaged_floret_file_is_named(floret, damage):
    floret.write_text(damage(floret.read_text()))
    with pytest.raises(ClinnerError, match=r"small\.floret is no \.floret file or is damaged"):
        initialized(ngram_vectors=str(floret), ngram_shape=(7, 4))


def test_a_floret_file_that_is_no_text(floret):
    floret.write_bytes(b"\xff\xfe\x00" * 50)
    with pytest.raises(ClinnerError, match="is damaged"):
        initialized(ngram_vectors=str(floret), ngram_shape=(7, 4))


@pytest.mark.parametrize("shape", [(7,), (7, 4, 1), (-7, 4)])
def test_a_shape_that_is_none(shape):
    with pytest.raises(ClinnerError, match="rows, columns"):
        build_spelling_embed(8, 50, ngram_shape=shape)


def test_shape_and_file_must_agree(floret):
    with pytest.raises(ClinnerError, match=r"has the shape \[7, 4\]"):
        initialized(ngram_vectors=str(floret), ngram_shape=(8, 4))
    with pytest.raises(ClinnerError, match=r"has the shape \[7, 4\]"):
        initialized(ngram_vectors=str(floret))
    with pytest.raises(ClinnerError, match="needs ngram_vectors"):
        initialized(ngram_shape=(7, 4))


def test_many_words_are_embedded_in_parts(floret, monkeypatch):
    nlp = spacy.blank("es")
    docs = [nlp.make_doc(" ".join(f"palabra{n}" for n in range(200)))]
    model = initialized(ngram_vectors=str(floret), ngram_shape=(7, 4))
    whole = model.predict(docs)[0]
    model.attrs["cache"].forget()
    monkeypatch.setattr("clinner_spacy.models.spelling.PART", 7)
    assert np.allclose(model.predict(docs)[0], whole, atol=1e-6)
    assert len(model.attrs["cache"].now.row_of) == 200


def test_ngrams_of_an_endless_word_are_those_of_its_beginning(floret):
    nlp = spacy.blank("es")
    model = initialized(ngram_vectors=str(floret), ngram_shape=(7, 4))
    model([Doc(nlp.vocab, words=["ab" * MAX_CHARACTERS, "ab" * (MAX_CHARACTERS // 2)])], is_train=True)
    first, second = model.attrs["ngram_cache"].now.table
    assert (first == second).all()


#: Reads four megabytes with the embedded model; prints the peak of its memory in MiB.
READ = """
import base64, random, resource, sys
import spacy
noise = random.Random(0).randbytes(3_000_000)
base64 = base64.b64encode(noise).decode()
texts = {
    "hexadecimal": noise.hex()[:4_000_000],
    "base64": base64,
    "lines": "\\n".join(base64[n : n + 76] for n in range(0, len(base64), 76)),
    "white": " \\t" * 2_000_000,
}
nlp = spacy.blank("es")
nlp.add_pipe("multiclin_ner")
nlp.max_length = 10**7
doc = nlp("Fiebre alta. " + texts[sys.argv[1]] + " Fiebre alta.")
assert "SYMPTOM" in {span.label_ for span in doc.spans["sc"]}
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.mark.slow
@pytest.mark.parametrize("text", ["hexadecimal", "base64", "lines", "white"])
def test_four_megabytes_without_a_word_need_less_than_a_gigabyte(text):
    done = subprocess.run([sys.executable, "-c", READ, text], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) <= 1024


def test_threads_that_share_a_model_see_the_same_vectors():
    nlp = spacy.blank("es")
    texts = [" ".join(f"palabra{n * step}" for n in range(60)) for step in range(1, 60)]
    docs = [nlp.make_doc(text) for text in texts]
    model = initialized()
    expected = [model.predict([doc])[0] for doc in docs]
    model.attrs["cache"].forget()
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda doc: model.predict([doc])[0], docs * 3))
    finally:
        sys.setswitchinterval(interval)
    assert all((a == b).all() for a, b in zip(found, expected * 3, strict=True))
