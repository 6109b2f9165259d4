"""Tag sets, encoding and decoding: what goes in comes out, whatever the words and the tags."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinner_spacy.errors import ClinnerError
from clinner_spacy.ner.decode import decode
from clinner_spacy.ner.gold import UNKNOWN, encode
from clinner_spacy.ner.tagset import TagSet


def test_tagset_lays_tasks_side_by_side():
    tagset = TagSet({"disease": ["DISEASE"], "drug": ["DRUG", "DOSE"]})
    assert tagset.columns == {"disease": slice(0, 3), "drug": slice(3, 8)}
    assert tagset.tags("drug") == ["O", "B-DRUG", "I-DRUG", "B-DOSE", "I-DOSE"]
    assert tagset.labels == ("DISEASE", "DRUG", "DOSE")


def test_tagset_refuses_a_label_named_twice():
    with pytest.raises(ClinnerError, match="disease"):
        TagSet({"disease": ["D", "D"]})


LABELS = ["X", "Y"]


@st.composite
def documents(draw):
    """Words, some transparent, and spans that begin and end with a visible word and do not overlap."""
    visible = np.asarray(draw(st.lists(st.booleans(), max_size=30)), dtype=bool)
    edges = draw(st.lists(st.sampled_from(range(len(visible) + 1)), unique=True, max_size=10)) if len(visible) else []
    edges.sort()
    spans = []
    for start, end in zip(edges[::2], edges[1::2], strict=False):
        words = start + np.flatnonzero(visible[start:end])
        if len(words):
            spans.append((int(words[0]), int(words[-1]) + 1, draw(st.sampled_from(LABELS))))
    return visible, spans


@given(documents())
def test_decoding_what_was_encoded_gives_the_same_spans(document):
    visible, spans = document
    tags = encode(spans, LABELS, visible)
    assert (tags[~visible] == UNKNOWN).all()
    words = np.flatnonzero(visible)
    found = decode(tags[words], np.ones(len(words)), np.arange(len(words)) == 0)
    rows = zip(words[found.start], words[found.end - 1] + 1, found.label, strict=True)
    assert [(s, e, LABELS[label]) for s, e, label in rows] == spans


def test_encode_keeps_the_longer_of_nested_mentions():
    visible = np.ones(4, dtype=bool)
    assert encode([(1, 2, "X"), (0, 3, "Y")], LABELS, visible).tolist() == [3, 4, 4, 0]


@st.composite
def tagged(draw):
    tags = np.asarray(draw(st.lists(st.integers(0, 4), min_size=1, max_size=40)))
    first = np.asarray(draw(st.lists(st.booleans(), min_size=len(tags), max_size=len(tags))))
    first[0] = True
    scores = np.asarray(draw(st.lists(st.floats(0, 1, width=32), min_size=len(tags), max_size=len(tags))))
    return tags, scores, first


def read_word_by_word(tags, scores, first):
    """The rule of the publisher's reference, one word at a time."""
    spans, opened = [], None
    for i, tag in enumerate(tags):
        if first[i] or tag == 0 or tag % 2:
            opened = None
        if tag % 2:
            opened = [[i], (tag - 1) // 2]
            spans.append(opened)
        elif tag and opened is not None and opened[1] == (tag - 2) // 2:
            opened[0].append(i)
    return [(w[0], w[-1] + 1, label, float(np.mean(scores[w]))) for w, label in spans]


@given(tagged())
def test_decoding_any_tags_equals_reading_them_word_by_word(example):
    tags, scores, first = example
    found = decode(tags, scores, first)
    rows = list(zip(found.start, found.end, found.label, strict=True))
    expected = read_word_by_word(tags, scores, first)
    assert rows == [row[:3] for row in expected]
    assert np.allclose(found.score, [row[3] for row in expected], atol=1e-6)
