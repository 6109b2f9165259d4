from __future__ import annotations

from itertools import chain

import numpy as np
import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc

from clinner_spacy.encoders.pieces import PieceTokenizer, without_panics
from tests.tiny import KINDS, TEXT, tokenizer

VOCAB = spacy.blank("xx").vocab
TOKENIZERS = {kind: PieceTokenizer(tokenizer(kind)) for kind in KINDS}


def one_by_one(pieces: PieceTokenizer, words: list[str]) -> list[list[int]]:
    return [pieces.tokenizer.encode([word], is_pretokenized=True, add_special_tokens=False).ids for word in words]


@pytest.mark.parametrize("kind", KINDS)
def test_pieces_are_those_of_the_tokenizer(kind):
    docs = [Doc(VOCAB, words=line.split()) for line in TEXT]
    found = TOKENIZERS[kind](docs, 64)
    expected = one_by_one(TOKENIZERS[kind], [token.text for doc in docs for token in doc])
    assert found.ids.tolist() == list(chain.from_iterable(expected))
    assert found.counts.tolist() == [len(ids) for ids in expected]


@pytest.mark.parametrize("kind", KINDS)
def test_special_tokens_are_found(kind):
    pieces = TOKENIZERS[kind]
    assert (pieces.prefix, pieces.suffix) == ([0], [2])


@pytest.mark.parametrize("kind", ["roberta", "modernbert"])
def test_byte_level_pieces_mark_the_start_of_a_word(kind):
    pieces = TOKENIZERS[kind]
    found = pieces([Doc(VOCAB, words=["dolor"])], 64)
    assert pieces.tokenizer.id_to_token(int(found.ids[0])).startswith("Ġ")


@settings(deadline=None)
@given(st.sampled_from(KINDS), st.lists(st.text(min_size=1, max_size=6), max_size=8))
def test_any_text_keeps_every_word_in_its_place(kind, words):
    pieces = TOKENIZERS[kind]
    clean = [word for word in words if word.strip()]
    found = pieces([Doc(VOCAB, words=clean)], 64)
    assert len(found.counts) == len(clean)
    assert found.counts.sum() == len(found.ids)
    shown = [ids for ids, count in zip(one_by_one(pieces, clean), found.counts, strict=True) if count]
    assert found.ids.tolist() == list(chain.from_iterable(shown))


@pytest.mark.parametrize("kind", KINDS)
def test_white_space_and_control_characters_have_no_pieces(kind):
    found = TOKENIZERS[kind]([Doc(VOCAB, words=["dolor", "\n\n", "\u200b", "\x00", "\u00ad", "edema"])], 64)
    assert (found.counts > 0).tolist() == [True, False, False, False, False, True]


@pytest.mark.parametrize("kind", KINDS)
def test_a_huge_word_is_read_only_as_far_as_a_window(kind):
    found = TOKENIZERS[kind]([Doc(VOCAB, words=["dolor", "ab" * 500_000, "edema"])], 62)
    assert 1 <= found.counts[1] <= 62
    assert found.counts[0] and found.counts[2]


def test_documents_of_two_vocabularies():
    other = spacy.blank("xx").vocab
    docs = [Doc(VOCAB, words=["dolor"]), Doc(other, words=["nevervseenbefore"])]
    assert (TOKENIZERS["bert"](docs, 64).counts > 0).all()


def test_no_documents():
    found = TOKENIZERS["bert"]([], 64)
    assert len(found.ids) == len(found.counts) == 0
    assert TOKENIZERS["bert"]([Doc(VOCAB)], 64).ids.dtype == np.int64


def test_a_panic_is_an_error_that_can_be_caught():
    class PanicException(BaseException):
        """As Rust's: no Exception, and not to be imported."""

    with pytest.raises(ValueError, match="panics"), without_panics():
        raise PanicException("no entry found for key")
    with pytest.raises(KeyboardInterrupt), without_panics():
        raise KeyboardInterrupt
