"""Units: every one knows its characters, and spans of them come back to the words that hold them."""

from __future__ import annotations

import numpy as np
import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st

from clinner_spacy.encoders.pieces import PieceTokenizer
from clinner_spacy.encoders.units import cut_units, spread, to_words, word_bounds
from clinner_spacy.encoders.visible import is_transparent
from tests.tiny import KINDS, tokenizer

NLP = spacy.blank("es")
TOKENIZERS = {kind: PieceTokenizer(tokenizer(kind)) for kind in KINDS}
TEXTS = st.text(st.sampled_from("aZ9 ñř\n\t,.)(%\u200b\u0301€🩺"), max_size=40)


@given(TEXTS)
def test_a_spread_text_is_the_text_with_spaces(text):
    spaced, origin = spread(text)
    assert len(origin) == len(spaced) + 1 and origin[-1] == len(text)
    kept = [n for n in range(len(spaced)) if origin[n] < origin[n + 1]]
    assert "".join(spaced[n] for n in kept) == text
    assert all(spaced[n] == " " for n in range(len(spaced)) if n not in kept)


def test_every_sign_of_other_alphabets_is_a_word_of_its_own():
    assert spread("déšť (38,5)")[0] == "dé š ť ( 38 , 5 )"


@settings(deadline=None)
@given(TEXTS, st.sampled_from(KINDS), st.sampled_from(["doc", "whitespace", "alphanumeric", "pieces"]))
def test_bounds_lie_in_the_text_and_in_order(text, kind, words):
    doc = NLP.make_doc(text)
    (units,) = cut_units([doc], words, TOKENIZERS[kind])
    bounds = units.bounds
    assert len(bounds) == len(units.doc)
    assert (bounds[:, 0] <= bounds[:, 1]).all() and (bounds >= 0).all() and (bounds <= len(text)).all()
    assert (np.diff(bounds[:, 0]) >= 0).all() and (np.diff(bounds[:, 1]) >= 0).all()
    if words in ("doc", "whitespace"):
        assert units.doc.text == text


@settings(deadline=None)
@given(TEXTS.filter(len), st.data())
def test_words_that_hold_characters(text, data):
    doc = NLP.make_doc(text)
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    first, behind = to_words(doc, np.asarray([[start, end]]))[0]
    touched = [t for t in doc if t.idx < end and start < t.idx + len(t) and not is_transparent(t.text)]
    assert [doc[n] for n in range(first, behind) if not is_transparent(doc[n].text)] == touched
    if touched:
        assert (touched[0].i, touched[-1].i + 1) == (first, behind)


@pytest.mark.parametrize("kind", KINDS)
def test_pieces_are_those_of_the_publishers_tokenizer(kind):
    doc = NLP.make_doc("Dolor torácico, 38,5 ºC.")
    (units,) = cut_units([doc], "pieces", TOKENIZERS[kind])
    encoding = TOKENIZERS[kind].published.encode(doc.text, add_special_tokens=False)
    assert [int(unit.text) for unit in units.doc] == encoding.ids
    assert TOKENIZERS[kind].known([units.doc], 10).ids.tolist() == encoding.ids


def test_bounds_of_words():
    assert word_bounds(NLP.make_doc("a  bc")).tolist() == [[0, 1], [2, 3], [3, 5]]
