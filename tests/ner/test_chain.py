"""The linear chain against every path written out, and its gradients against finite differences."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinner_spacy.ner.chain import best_path, chain_loss, decode_chain, illegal, legal, marginals, uncertain


@pytest.fixture(params=[3, 5], ids=["one label", "two labels"])
def problem(request):
    rng = np.random.default_rng(request.param)
    lengths = np.asarray([3, 1, 4])
    logits = rng.normal(size=(lengths.sum(), request.param)) * 2
    return logits, lengths, rng.normal(size=(request.param, request.param)), rng


def legal_paths(logits, transitions):
    bad = illegal(logits.shape[1])
    for path in itertools.product(range(logits.shape[1]), repeat=len(logits)):
        pairs = list(itertools.pairwise(path))
        if not bad[0, path[0]] and not any(bad[pair] for pair in pairs):
            yield path, logits[range(len(path)), path].sum() + sum(transitions[pair] for pair in pairs)


def split(logits, lengths):
    return np.split(logits, np.cumsum(lengths)[:-1])


def test_best_path_is_the_best_of_all_legal_ones(problem):
    logits, lengths, transitions, _ = problem
    best = [max(legal_paths(x, transitions), key=lambda row: row[1])[0] for x in split(logits, lengths)]
    assert best_path(logits, lengths, legal(transitions)).tolist() == list(itertools.chain(*best))


def test_loss_and_gradients(problem):
    logits, lengths, transitions, rng = problem
    gold, expected = [], 0.0
    for x in split(logits, lengths):
        paths = list(legal_paths(x, transitions))
        path, score = paths[rng.integers(len(paths))]
        gold += path
        expected += np.log(sum(np.exp(s) for _, s in paths)) - score
    gold = np.asarray(gold)
    loss, d_logits, d_transitions = chain_loss(logits, gold, lengths, transitions)
    assert loss == pytest.approx(expected)
    step = 1e-6
    for index in np.ndindex(logits.shape):
        moved = logits.copy()
        moved[index] += step
        numeric = (chain_loss(moved, gold, lengths, transitions)[0] - loss) / step
        assert numeric == pytest.approx(d_logits[index], abs=1e-4)
    for index in map(tuple, np.argwhere(~illegal(logits.shape[1]))):
        moved = transitions.copy()
        moved[index] += step
        numeric = (chain_loss(logits, gold, lengths, moved)[0] - loss) / step
        assert numeric == pytest.approx(d_transitions[index], abs=1e-4)


@settings(deadline=None)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=6), st.integers(0, 2**32 - 1), st.sampled_from([3, 5, 7]))
def test_best_path_is_always_legal(lengths, seed, n_tags):
    rng = np.random.default_rng(seed)
    lengths = np.asarray(lengths)
    logits = rng.normal(size=(lengths.sum(), n_tags)).astype(np.float32) * 5
    for tags in split(best_path(logits, lengths, legal(rng.normal(size=(n_tags, n_tags)))), lengths):
        assert not illegal(n_tags)[0, tags[0]]
        assert not any(illegal(n_tags)[pair] for pair in itertools.pairwise(tags))


def test_marginals_are_sums_over_all_legal_paths(problem):
    logits, lengths, transitions, _ = problem
    found = split(marginals(logits, lengths, legal(transitions)), lengths)
    for x, p in zip(split(logits, lengths), found, strict=True):
        expected = np.zeros_like(x)
        for path, score in legal_paths(x, transitions):
            expected[range(len(path)), path] += np.exp(score)
        assert np.allclose(p, expected / expected[0].sum())


@settings(deadline=None)
@given(
    st.lists(st.integers(1, 400), min_size=1, max_size=5),
    st.integers(0, 2**32 - 1),
    st.sampled_from([3, 5]),
    st.sampled_from([0, 4, 8, 16]),
)
def test_decoding_in_pieces_changes_nothing(lengths, seed, n_tags, lead):
    rng = np.random.default_rng(seed)
    lengths = np.asarray(lengths)
    logits = rng.normal(size=(lengths.sum(), n_tags)) * 4
    logits[rng.random(len(logits)) < 0.6, 0] += lead
    transitions = rng.normal(size=(n_tags, n_tags)) * 0.3
    tags, probability = decode_chain(logits, lengths, transitions)
    assert (tags == best_path(logits, lengths, legal(transitions))).all()
    exact = marginals(logits, lengths, legal(transitions))[np.arange(len(tags)), tags]
    assert np.allclose(probability, exact, atol=1e-6)


def test_a_long_sequence_is_cut_at_words_that_are_o_for_certain():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(10_000, 3))
    logits[::5, 0] += 10.0
    words, segments = uncertain(logits, np.asarray([10_000]), np.zeros((3, 3)))
    assert segments.max() < 300
    assert segments.sum() == len(words)
