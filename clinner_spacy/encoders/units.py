"""What a checkpoint tags: the Doc's words, words by a publisher's own rule, or the pieces of the raw text.

A unit of tagging belongs to the checkpoint, not to the user's Doc, which never changes: the units of a document are the
words of a Doc of their own beside it, and spans of them are put back on the user's words by their characters.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray
from spacy.attrs import IDX, LENGTH
from spacy.tokens import Doc
from spacy.util import get_words_and_spaces
from thinc.api import Model
from tokenizers import Encoding

from clinner_spacy.encoders.pieces import PieceTokenizer
from clinner_spacy.encoders.visible import visible_words
from clinner_spacy.errors import ClinnerError

Words = Literal["doc", "whitespace", "alphanumeric", "pieces"]

#: Units that are cut by the tokenizer of the encoder, from the text as a whole.
OF_TEXT = ("alphanumeric", "pieces")

#: The words of the BSC's models of 2026: runs of letters and digits of Latin-1, and every other sign by itself.
ALPHANUMERIC = re.compile(r"[0-9A-Za-zÀ-ÖØ-öø-ÿ]+|[^\s0-9A-Za-zÀ-ÖØ-öø-ÿ]")

Ints = NDArray[np.int64]


class Units(NamedTuple):
    """The units of a document.

    ``doc``: a Doc whose words are the units: words of the same text, or the ids of the unit's pieces, in digits.
    ``bounds``: int (n_units, 2), the characters of each unit in the document's text.
    ``exact``: whether mentions stand for exactly these, or are to be trimmed as words are.
    """

    doc: Doc
    bounds: Ints
    exact: bool = False


def checked_words(words: str) -> Words:
    """``words`` as it is. Raises ClinnerError if there are no such units."""
    for known in get_args(Words):
        if words == known:
            return known
    raise ClinnerError(f"words={words!r} is unknown; use one of {', '.join(get_args(Words))}.")


def cut_units(docs: Sequence[Doc], words: Words, pieces: PieceTokenizer) -> list[Units]:
    """The units of each document."""
    if words == "pieces":
        cut = pieces.cut([doc.text for doc in docs])
        return [
            _units(doc, text.ids, np.arange(len(text.ids)), _offsets(text)) for doc, text in zip(docs, cut, strict=True)
        ]
    if words == "alphanumeric":
        return _alphanumeric(docs, pieces)
    cut_docs = [_white_space(doc) for doc in docs] if words == "whitespace" else docs
    return [Units(doc, word_bounds(doc)) for doc in cut_docs]


def units_of(model: Model, docs: Sequence[Doc]) -> list[Units] | None:
    """The units that a tagger's encoder cuts documents into; None where they are the Doc's own words."""
    for node in model.walk():
        if node.attrs.get("words", "doc") != "doc":
            return node.attrs["units"](node, docs)
    return None


def word_bounds(doc: Doc) -> Ints:
    """int (n_words, 2): where each word begins and ends, in characters."""
    bounds = doc.to_array([IDX, LENGTH]).astype(np.int64).reshape(-1, 2)
    bounds[:, 1] += bounds[:, 0]
    return bounds


def to_words(doc: Doc, bounds: Ints) -> Ints:
    """Characters -> the words of ``doc`` that hold them, int (n, 2): the first and the one behind the last.

    bounds: int (n, 2). Transparent words at the edges are left out; where no other is held, the two are equal.
    """
    seen = np.flatnonzero(visible_words(doc))
    words = word_bounds(doc)[seen]
    first = np.searchsorted(words[:, 1], bounds[:, 0], "right")
    behind = np.searchsorted(words[:, 0], bounds[:, 1], "left")
    found = np.zeros_like(bounds)
    held = np.flatnonzero((first < behind) & (bounds[:, 0] < bounds[:, 1]))
    found[held, 0] = seen[first[held]]
    found[held, 1] = seen[behind[held] - 1] + 1
    return found


def _white_space(doc: Doc) -> Doc:
    """A Doc of the same text whose words are what stands between white space."""
    words, spaces = get_words_and_spaces(doc.text.split(), doc.text)
    return Doc(doc.vocab, words=words, spaces=spaces)


def _alphanumeric(docs: Sequence[Doc], pieces: PieceTokenizer) -> list[Units]:
    """Words of :data:`ALPHANUMERIC`, as the BSC runs its models: a space is put between neighbours without one, the
    text is cut into pieces, and transformers' pipeline says which of them begin a word."""
    texts, shifts = zip(*(spread(doc.text) for doc in docs), strict=True) if docs else ((), ())
    found = []
    for doc, text, shift, cut in zip(docs, texts, shifts, pieces.cut(texts), strict=True):
        offsets = _offsets(cut)
        found.append(_units(doc, cut.ids, np.flatnonzero(begins_word(text, cut, offsets, pieces)), shift[offsets]))
    return found


def spread(text: str) -> tuple[str, Ints]:
    """A text with a space between its words, and where each place in it, to the one behind the last, was before."""
    words = np.asarray([match.span() for match in ALPHANUMERIC.finditer(text)], dtype=np.int64).reshape(-1, 2)
    at = words[1:, 0][words[1:, 0] == words[:-1, 1]]
    bounds = np.concatenate([[0], at, [len(text)]])
    parts = [text[start:end] for start, end in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)]
    # A space that was put in begins and ends where the word behind it begins.
    return " ".join(parts), np.insert(np.arange(len(text) + 1), at, at)


def begins_word(text: str, cut: Encoding, offsets: Ints, pieces: PieceTokenizer) -> NDArray[np.bool_]:
    """bool (n_pieces,): where transformers' token-classification pipeline sees a word begin.

    A tokenizer that marks the pieces that continue a word (``##``) tells by itself; else a word begins where a space
    stands at or before a piece, so that a lone ``▁`` is a word and what follows a line break is none. An unknown piece
    is always a word.
    """
    lengths = offsets[:, 1] - offsets[:, 0]
    if getattr(pieces.published.model, "continuing_subword_prefix", None):
        begins = np.asarray([len(token) for token in cut.tokens], dtype=np.int64) == lengths
    else:
        space = np.asarray([True, *(char == " " for char in text), False])
        begins = space[offsets[:, 0]] | space[offsets[:, 0] + 1]
    unknown = [pieces.published.token_to_id(token) for token in ("<unk>", "[UNK]")]
    begins |= np.isin(np.asarray(cut.ids, dtype=np.int64), [piece for piece in unknown if piece is not None])
    begins[:1] = True
    return begins


def _units(doc: Doc, ids: list[int], first: Ints, bounds: Ints) -> Units:
    """Units of pieces. first: int (n_units,), where each begins. bounds: int (n_pieces, 2), those of the pieces."""
    last = np.append(first[1:], len(ids))[: len(first)] - 1
    names = [" ".join(map(str, ids[a : b + 1])) for a, b in zip(first.tolist(), last.tolist(), strict=True)]
    return Units(Doc(doc.vocab, words=names), np.stack([bounds[first, 0], bounds[last, 1]], axis=1), exact=True)


def _offsets(cut: Encoding) -> Ints:
    """int (n_pieces, 2): the characters of each piece."""
    return np.asarray(cut.offsets, dtype=np.int64).reshape(-1, 2)
