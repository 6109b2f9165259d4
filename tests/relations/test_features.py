from __future__ import annotations

import numpy as np
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc

from clinner_spacy.relations.candidates import Limits, WordSpan, find_candidates
from clinner_spacy.relations.features import N_FEATURES, pair_features
from tests.relations.test_candidates import places

NLP = spacy.blank("es")


@given(st.lists(places, max_size=8))
@settings(max_examples=100, deadline=None)
def test_between_is_from_the_end_of_the_one_to_the_start_of_the_other(spans):
    found = find_candidates(Doc(NLP.vocab, words=["x"] * 20), spans, Limits(None, False))
    between, features = pair_features(found)
    assert features.shape == (len(found.heads), N_FEATURES)
    for (begin, end), h, t in zip(between.tolist(), found.heads, found.tails, strict=True):
        first, second = sorted([spans[h], spans[t]], key=lambda place: place.start)
        if first.end <= second.start:
            assert (begin, end) == (first.end, second.start)
        else:
            assert begin == end


def test_features_tell_order_types_and_words_apart_and_not_the_place_in_the_text():
    words = ["a", "de", "b", ".", "a", "de", "b", ".", "b", "de", "a", "."]
    doc = Doc(NLP.vocab, words=words)
    spans = [
        WordSpan(0, 1, "A"),
        WordSpan(2, 3, "B"),
        WordSpan(4, 5, "A"),
        WordSpan(6, 7, "B"),
        WordSpan(8, 9, "B"),
        WordSpan(10, 11, "A"),
    ]
    found = find_candidates(doc, spans, Limits(pairs=frozenset({("A", "B")})))
    _, features = pair_features(found)
    assert found.heads.tolist() == [0, 2, 5]
    # The outer neighbours differ: the word before the first is none, not a full stop.
    differ = np.flatnonzero(features[0] != features[1])
    assert differ.tolist() == [10]
    same = np.flatnonzero(features[1] == features[2])
    assert same.tolist() == [0, 6, 11, 12]  # both types, counts in the sentence, the texts of tail and head


def test_columns_do_not_share_rows():
    doc = Doc(NLP.vocab, words=["a", "b"])
    found = find_candidates(doc, [WordSpan(0, 1, "A"), WordSpan(1, 2, "A")], Limits())
    assert len(np.unique(pair_features(found)[1])) > N_FEATURES
