"""Which words a model can see.

White space, control and zero-width characters are words to spaCy but hold nothing to read: they are transparent. They
neither open, continue nor close a mention and never stand at its edge.
"""

from __future__ import annotations

import unicodedata

import numpy as np
from numpy.typing import NDArray
from spacy.attrs import ORTH
from spacy.tokens import Doc


def is_transparent(word: str) -> bool:
    """True if every character is white space, a control, a format character, a surrogate or unassigned."""
    return all(char.isspace() or unicodedata.category(char)[0] == "C" for char in word)


def visible_words(doc: Doc) -> NDArray[np.bool_]:
    """bool (n_words,): False where a word is transparent."""
    orths, inverse = np.unique(doc.to_array([ORTH]), return_inverse=True)
    strings = doc.vocab.strings
    seen = np.fromiter((not is_transparent(strings[int(orth)]) for orth in orths), dtype=bool, count=len(orths))
    return seen[inverse]
