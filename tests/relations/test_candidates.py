from __future__ import annotations

import numpy as np
import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc

from clinner_spacy.relations.candidates import Limits, WordSpan, find_candidates, sentence_numbers

NLP = spacy.blank("es")
WORDS = ["Toma", "un", "gramo", "de", "paracetamol", ".", "Sin", "fiebre", "."]


def pairs(doc: Doc, spans: list[WordSpan], limits: Limits) -> list[tuple[int, int]]:
    found = find_candidates(doc, spans, limits)
    return list(zip(found.heads.tolist(), found.tails.tolist(), strict=True))


def plainly(doc: Doc, spans: list[WordSpan], limits: Limits) -> list[tuple[int, int]]:
    """Every pair of spans looked at by itself."""
    sentences = sentence_numbers(doc).tolist()
    kept = []
    for i, head in enumerate(spans):
        for j, tail in enumerate(spans):
            gap = max(head.start, tail.start) - min(head.end, tail.end)
            shared = set(sentences[head.start : head.end]) & set(sentences[tail.start : tail.end])
            near = limits.max_distance is None or gap <= limits.max_distance
            allowed = limits.pairs is None or (head.label, tail.label) in limits.pairs
            if i != j and near and allowed and (shared or not limits.within_sentence):
                kept.append((i, j))
    return kept


places = st.tuples(st.integers(0, 19), st.integers(1, 6), st.sampled_from("ABC")).map(
    lambda p: WordSpan(p[0], min(20, p[0] + p[1]), p[2])
)
limits = st.builds(
    Limits,
    max_distance=st.none() | st.integers(0, 12),
    within_sentence=st.booleans(),
    pairs=st.none() | st.frozensets(st.tuples(st.sampled_from("ABCD"), st.sampled_from("ABCD"))),
)


@given(st.lists(places, max_size=8), limits, st.sets(st.integers(1, 19)))
@settings(max_examples=300, deadline=None)
def test_candidates_are_those_of_a_plain_comparison(spans, limits, starts):
    doc = Doc(NLP.vocab, words=["x"] * 20, sent_starts=[n == 0 or n in starts for n in range(20)])
    assert pairs(doc, spans, limits) == plainly(doc, spans, limits)


def test_sentences_end_at_punctuation_where_the_doc_has_none():
    doc = Doc(NLP.vocab, words=WORDS)
    assert sentence_numbers(doc).tolist() == [0] * 6 + [1] * 3
    assert not doc.has_annotation("SENT_START")


def test_nested_overlapping_and_same_words_are_pairs():
    doc = Doc(NLP.vocab, words=WORDS)
    spans = [WordSpan(1, 5, "A"), WordSpan(2, 3, "B"), WordSpan(2, 3, "C"), WordSpan(4, 6, "D")]
    assert len(pairs(doc, spans, Limits())) == 12


def test_a_text_without_sentence_ends_has_pairs_in_proportion_to_its_words():
    doc = Doc(NLP.vocab, words=["x"] * 20000)
    spans = [WordSpan(n, n + 1, "A") for n in range(0, 20000, 2)]
    found = find_candidates(doc, spans, Limits(max_distance=20))
    assert len(found.heads) < 25 * len(spans)


@pytest.mark.parametrize("words", [[], WORDS])
def test_no_spans_no_pairs(words):
    found = find_candidates(Doc(NLP.vocab, words=words), [], Limits(pairs=frozenset({("A", "B")})))
    assert len(found.heads) == len(found.tails) == 0
    assert found.heads.dtype == np.int64
