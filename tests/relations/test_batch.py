from __future__ import annotations

import numpy as np
import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import Doc

from clinner_spacy.relations.batch import pair_batch, reverse_pairs, segment_lengths
from clinner_spacy.relations.candidates import Limits, WordSpan, find_candidates
from clinner_spacy.relations.features import N_FEATURES

NLP = spacy.blank("es")
pair_lists = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), unique=True, max_size=40)


@given(pair_lists)
def test_reverse_pairs(pairs):
    expected = [pairs.index((t, h)) if (t, h) in pairs else -1 for h, t in pairs]
    heads, tails = np.asarray(pairs, dtype=np.int64).reshape(-1, 2).T
    assert reverse_pairs(heads, tails).tolist() == expected


@given(st.lists(st.integers(1, 30), max_size=6), st.integers(1, 12))
def test_segments_are_sentences_or_parts_of_them(lengths, longest):
    sentences = np.repeat(np.arange(len(lengths)), lengths)
    parts = [min(longest, length - n) for length in lengths for n in range(0, length, longest)]
    assert segment_lengths(sentences, longest).tolist() == parts


def test_words_and_spans_are_numbered_over_the_batch():
    docs = [Doc(NLP.vocab, words=list("abcd")), Doc(NLP.vocab), Doc(NLP.vocab, words=list("ef"))]
    spans = [[WordSpan(0, 1, "A"), WordSpan(2, 4, "B")], [], [WordSpan(0, 1, "B"), WordSpan(1, 2, "A")]]
    batch = pair_batch([find_candidates(d, s, Limits()) for d, s in zip(docs, spans, strict=True)], 3)
    assert batch.segments.tolist() == [3, 1, 2]
    assert (batch.start.tolist(), batch.end.tolist()) == ([0, 2, 4, 5], [1, 4, 5, 6])
    assert batch.types.tolist() == [batch.types[0], batch.types[1], batch.types[1], batch.types[0]]
    assert (batch.heads.tolist(), batch.tails.tolist()) == ([0, 1, 2, 3], [1, 0, 3, 2])
    assert batch.reverse.tolist() == [1, 0, 3, 2]
    assert batch.between.tolist() == [[1, 2], [1, 2], [5, 5], [5, 5]]
    assert batch.features.shape == (4, N_FEATURES)
    assert {array.dtype for array in batch} == {np.dtype(np.int64)}
