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

from clinner_spacy.encoders.pieces import PieceTokenizer
from clinner_spacy.encoders.visible import visible_words
from clinner_spacy.errors import ClinnerError

Words = Literal["doc", "whitespace", "alphanumeric", "pieces"]

#: The words that publishers cut: "whitespace" as in the DT4H models, "alphanumeric" as in the BSC's models of 2026.
RULES = {
    "whitespace": re.compile(r"\S+"),
    "alphanumeric": re.compile(r"[0-9A-Za-zÀ-ÖØ-öø-ÿ]+|[^\s0-9A-Za-zÀ-ÖØ-öø-ÿ]"),
}

Ints = NDArray[np.int64]


class Units(NamedTuple):
    """The units of a document.

    ``doc``: a Doc whose words are the units. By a rule it has the same text; of pieces its words are their ids, in
    digits. ``bounds``: int (n_units, 2), the characters of each unit in the document's text.
    """

    doc: Doc
    bounds: Ints


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
            Units(Doc(doc.vocab, words=[str(piece) for piece in ids.tolist()]), bounds)
            for doc, (ids, bounds) in zip(docs, cut, strict=True)
        ]
    cut_docs = docs if words == "doc" else [_cut(doc, RULES[words]) for doc in docs]
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
    held = np.flatnonzero(first < behind)
    found[held, 0] = seen[first[held]]
    found[held, 1] = seen[behind[held] - 1] + 1
    return found


def _cut(doc: Doc, rule: re.Pattern[str]) -> Doc:
    """A Doc of the same text whose words are those of a rule; white space beyond single spaces is words, too."""
    words, spaces = get_words_and_spaces(rule.findall(doc.text), doc.text)
    return Doc(doc.vocab, words=words, spaces=spaces)
