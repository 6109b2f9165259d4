from __future__ import annotations

import numpy as np
import pytest
import spacy
import torch
from spacy.tokens import Doc

from clinner_spacy.models.pair_layers import RangeMaximum
from clinner_spacy.models.pair_scorer import PairScorer
from clinner_spacy.models.pairs import to_tensors
from clinner_spacy.relations.batch import PairBatch, pair_batch
from clinner_spacy.relations.candidates import Limits, WordSpan, find_candidates

NLP = spacy.blank("es")
WORDS = ["Toma", "ibuprofeno", "600", "mg", ".", "Sin", "dolor", "abdominal", "."]
SPANS = [WordSpan(1, 2, "DRUG"), WordSpan(2, 4, "DOSE"), WordSpan(5, 6, "NEG"), WordSpan(6, 8, "SYMPTOM")]


@pytest.fixture
def scorer() -> PairScorer:
    torch.manual_seed(0)
    return PairScorer(n_inputs=6, n_labels=3, width=8, depth=1, hidden=10, rows=50).eval()


def batch(words: list[str] = WORDS, spans: list[WordSpan] = SPANS) -> PairBatch:
    found = find_candidates(Doc(NLP.vocab, words=words), spans, Limits())
    return to_tensors(pair_batch([found], 128), torch.device("cpu"))


def test_a_sentence_does_not_depend_on_those_beside_it(scorer):
    vectors = torch.randn(len(WORDS), 6)
    both = scorer.read_words(vectors, batch())
    first = scorer.read_words(vectors[:5], batch(WORDS[:5], SPANS[:2]))
    assert torch.allclose(both[:5], first, atol=1e-6)


def test_a_sentence_is_read_in_both_directions(scorer):
    vectors = torch.randn(5, 6)
    moved = vectors.clone()
    moved[2] += 1
    words, others = (scorer.read_words(X, batch(WORDS[:5], SPANS[:2])) for X in (vectors, moved))
    assert ((words - others).abs().amax(1) > 1e-6).all()


def test_words_know_the_types_of_their_spans(scorer):
    vectors = torch.randn(5, 6)
    words = scorer.read_words(vectors, batch(WORDS[:5], SPANS[:2]))
    others = scorer.read_words(vectors, batch(WORDS[:5], [SPANS[0], WordSpan(2, 4, "FORM")]))
    assert not torch.allclose(words, others, atol=1e-3)


def test_what_a_pair_sees(scorer):
    """The largest of its head's pairs, the largest of its tail's, and the pair the other way round."""
    heads, tails, reverse = torch.tensor([[0, 0, 1], [1, 2, 0], [2, -1, 0]])
    pairs = torch.randn(3, 10)
    of = batch()._replace(start=torch.zeros(3), heads=heads, tails=tails, reverse=reverse)
    found = scorer.context(pairs, of)(slice(None))
    zeros = torch.zeros(10)
    around_head = [torch.maximum(pairs[0], pairs[1])] * 2 + [pairs[2]]
    around_tail = [pairs[0], pairs[1], pairs[2]]
    reversed_pairs = [pairs[2], zeros, pairs[0]]
    expected = scorer.of_head(torch.stack(around_head)) + scorer.of_tail(torch.stack(around_tail))
    assert torch.allclose(found, expected + scorer.of_reverse(torch.stack(reversed_pairs)), atol=1e-5)


def test_features_are_dropped_in_training_only(scorer):
    features = torch.arange(1, 1001).reshape(-1, 10)
    scorer.dropout.p = 0.3
    assert torch.equal(scorer.drop_features(features), features)
    dropped = scorer.train().drop_features(features)
    assert 0.2 < (dropped == 0).float().mean() < 0.4
    assert torch.equal(dropped[dropped != 0], features[dropped != 0])


def test_no_tensor_is_left_on_the_host(scorer):
    """On the "meta" device, which only keeps shapes, an operation with a tensor of the host would raise."""
    of = batch()
    meta = PairBatch(of.segments, *(tensor.to("meta") for tensor in of[1:]))
    with torch.device("meta"):
        moved = PairScorer(n_inputs=6, n_labels=3, width=8, depth=1, hidden=10, rows=50)
    pairs, words = torch.empty(4, 10, device="meta"), torch.empty(9, 8, device="meta")
    assert RangeMaximum(words, 4)(*meta.between.T).device.type == "meta"
    assert moved.context(pairs, meta)(slice(None)).device.type == "meta"
    assert moved.features(meta.features).device.type == "meta"
    assert moved.drop_features(meta.features).device.type == "meta"


@pytest.mark.parametrize("words, spans", [(WORDS, []), (WORDS[:1], [WordSpan(0, 1, "A")]), ([], [])])
def test_without_pairs(scorer, words, spans):
    vectors = torch.randn(len(words), 6, requires_grad=True)
    logits = scorer(vectors, batch(words, spans))
    assert logits.shape == (0, 3)
    logits.sum().backward()
    assert not np.any(vectors.grad.numpy())
