"""What a file brings along that is no text: how its line ends are spelled, and a byte order mark.

A model that reads the spelling of words would read ``\\r\\n`` as another word than ``\\n``, and spaCy's tokenizers
leave a byte order mark on the first word. Here, for every component of a pipeline, a line end is read as ``\\n``
however it is spelled, a page break too, and a byte order mark is a word of its own that is read so,
too. Texts and offsets stay as given.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from spacy.attrs import LOWER, NORM, PREFIX, SHAPE, SUFFIX
from spacy.language import Language
from spacy.tokenizer import Tokenizer
from spacy.vocab import Vocab

BYTE_ORDER_MARK = "\ufeff"

MARK = re.compile(rf"\r\n?|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]|{BYTE_ORDER_MARK}")

#: What models read of a word, by the name of a lexeme's attribute.
ATTRIBUTES = {"lower_": LOWER, "norm_": NORM, "prefix_": PREFIX, "suffix_": SUFFIX, "shape_": SHAPE}


def read_marks_alike(nlp: Language) -> None:
    """Let ``nlp`` read all line ends as one, and take byte order marks for words; calling it again changes nothing."""
    _read_line_ends_alike(nlp.vocab)
    if isinstance(nlp.tokenizer, Tokenizer):
        _split_byte_order_marks(nlp.tokenizer)


class ReadAlike:
    """A getter of a lexeme's attribute that sees ``\\n`` where a line end of another spelling or a mark stands."""

    def __init__(self, getter: Callable[[str], Any]) -> None:
        self.getter = getter

    def __call__(self, word: str) -> Any:
        return self.getter(MARK.sub("\n", word))


def _read_line_ends_alike(vocab: Vocab) -> None:
    getters: dict[int, Any] = vocab.lex_attr_getters  # type: ignore[attr-defined]
    for attribute in ATTRIBUTES.values():
        if attribute in getters and not isinstance(getters[attribute], ReadAlike):
            getters[attribute] = ReadAlike(getters[attribute])
    for lexeme in [lexeme for lexeme in vocab if MARK.search(lexeme.text)]:  # met before
        alike = vocab[MARK.sub("\n", lexeme.text)]
        for name in ATTRIBUTES:
            setattr(lexeme, name, getattr(alike, name))


def _split_byte_order_marks(tokenizer: Tokenizer) -> None:
    for name, pattern in (
        ("prefix_search", f"^{BYTE_ORDER_MARK}"),
        ("suffix_search", f"{BYTE_ORDER_MARK}$"),
        ("infix_finditer", BYTE_ORDER_MARK),
    ):
        old = getattr(tokenizer, name)
        known = getattr(getattr(old, "__self__", None), "pattern", None)
        if old is None or (known is not None and not known.startswith(pattern)):
            both = re.compile(f"{pattern}|{known}" if known else pattern)
            setattr(tokenizer, name, both.finditer if name == "infix_finditer" else both.search)
