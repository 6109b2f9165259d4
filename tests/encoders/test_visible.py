from __future__ import annotations

import pytest
import spacy
from spacy.tokens import Doc

from clinner_spacy.encoders.visible import is_transparent, visible_words


@pytest.mark.parametrize("word", [" ", "\n\r\n", "\t", "\u00a0", "\u200b", "\ufeff", "\x00", "\u200d\u200c"])
def test_nothing_to_read(word):
    assert is_transparent(word)


@pytest.mark.parametrize("word", ["a", ".", "5", "\u0301", "😷", "a\u200b", "ș"])
def test_something_to_read(word):
    assert not is_transparent(word)


def test_each_word_of_a_doc():
    doc = Doc(spacy.blank("xx").vocab, words=["dolor", "\n", "\u200b", "torácico", "\n"])
    assert visible_words(doc).tolist() == [True, False, False, True, False]
    assert visible_words(Doc(doc.vocab)).tolist() == []
