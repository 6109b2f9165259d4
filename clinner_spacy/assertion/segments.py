"""Where a scope must end: sentences, lines and list items of a note, whether or not the pipeline finds sentences."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from spacy.attrs import ORTH, SENT_START
from spacy.tokens import Doc

Ints = NDArray[np.int64]

#: Words that end a sentence; a full stop only where the next word does not go on in lower case.
ENDS = frozenset(".!?;…")

#: How an item of a list begins.
ITEM = re.compile(r"[-–—*•·▪►+]|\d{1,2}[.)]?|[a-z]\)")

LINE_END = re.compile(r"\r\n|\r|\n")


class Segments(NamedTuple):
    """Segments of a document, one after another. start, end: int (n_segments,), words, end exclusive. of_word: int
    (n_words,), the segment of each word."""

    start: Ints
    end: Ints
    of_word: Ints


def find_segments(doc: Doc) -> Segments:
    """Cut a document into segments.

    A segment is a sentence, as the pipeline has found them or else by its punctuation. A line end closes it too, unless
    the text goes on in lower case in the next line; a line that ends in a colon and the list below it are one.
    """
    starts = np.zeros(len(doc), dtype=bool)
    if len(doc):
        starts[0] = True
        if doc.has_annotation("SENT_START"):
            starts |= doc.to_array([SENT_START]) == 1
        else:
            _after_punctuation(doc, starts)
        _after_lines(doc, starts)
    start = np.flatnonzero(starts)
    return Segments(start, np.append(start[1:], len(doc)) if len(start) else start, np.cumsum(starts) - 1)


def line_ends(doc: Doc) -> list[int]:
    """The white-space words that hold a line end."""
    return [word for word in _words_with(doc, LINE_END.search)]


def is_blank_line(space: str) -> bool:
    """Does white space hold more than one line end?"""
    return len(LINE_END.findall(space)) > 1


def _after_punctuation(doc: Doc, starts: NDArray[np.bool_]) -> None:
    for word in _words_with(doc, ENDS.__contains__):
        after = word + 1
        if after < len(doc) and not (doc[word].text == "." and doc[after].text[:1].islower()):
            starts[after] = True


def _after_lines(doc: Doc, starts: NDArray[np.bool_]) -> None:
    """Begin a segment after a line end; do not where the text goes on, or where a list goes on below a colon."""
    in_list = False
    for word in line_ends(doc):
        after = word + 1
        if after == len(doc):
            break
        blank = is_blank_line(doc[word].text)
        item = ITEM.fullmatch(doc[after].text) is not None
        opened = word > 0 and doc[word - 1].text == ":"
        goes_on = not item and not blank and doc[after].text[:1].islower() and not starts[word]
        in_list = not blank and (opened or (in_list and (item or goes_on)))
        starts[word] = word == 0  # white space belongs to what is before it
        starts[after] = not (in_list or goes_on)


def _words_with(doc: Doc, wanted: Callable[[str], object]) -> list[int]:
    """The words whose text is wanted; asked once for each distinct word."""
    orths, inverse = np.unique(doc.to_array([ORTH]), return_inverse=True)
    strings = doc.vocab.strings
    chosen = np.fromiter((bool(wanted(strings[int(orth)])) for orth in orths), dtype=bool, count=len(orths))
    return np.flatnonzero(chosen[inverse]).tolist()
