"""Candidate pairs -> pieces with markers around head and tail, as windows for an encoder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from tokenizers import AddedToken, Tokenizer

from clinner_spacy.encoders.batches import Batch, pack
from clinner_spacy.encoders.encoder import Encoder
from clinner_spacy.encoders.pieces import PieceTokenizer
from clinner_spacy.errors import ClinnerError
from clinner_spacy.relations.candidates import Candidates, Ints, WordSpan


class Marked(NamedTuple):
    """The pieces of one pair's text, int (n_pieces,), and which of them are the head's and the tail's, markers
    included: int (n,) each, ascending."""

    ids: Ints
    head: Ints
    tail: Ints


class Event(NamedTuple):
    """A marker before a word, of head (``side`` 0) or tail (1); in order they nest.

    Before one word those that close come first, of the shorter span first; of those that open, the longer span's.
    Around the same words the head's markers are the outer ones.
    """

    word: int
    opens: bool
    nesting: int
    tie: int
    side: int


def marker_words(code: str) -> list[str]:
    """Opening and closing marker of a head, then of a tail, of a type."""
    return [f"<S:{code}>", f"</S:{code}>", f"<O:{code}>", f"</O:{code}>"]


def add_markers(tokenizer: Tokenizer, codes: Iterable[str]) -> None:
    """Give a tokenizer the markers that it lacks."""
    words = [word for code in codes for word in marker_words(code)]
    tokenizer.add_tokens([AddedToken(word, normalized=False) for word in words])


def marker_ids(
    tokenizer: Tokenizer, labels: Iterable[str], types: Mapping[str, str], name: str
) -> dict[str, list[int]]:
    """Span label -> the ids of its four markers. types: span label -> code, where they differ.

    Raises ClinnerError for a label without markers, with the codes that the tokenizer has.
    """
    found = {}
    for label in labels:
        code = types.get(label, label)
        ids = [id for word in marker_words(code) if (id := tokenizer.token_to_id(word)) is not None]
        if len(ids) < 4:
            there = ", ".join(known_codes(tokenizer)) or "none at all"
            raise ClinnerError(
                f"{name} has no markers for spans {label!r} (code {code!r}) but for {there}; name one of these in "
                "`types`, or leave such spans out with `pairs`."
            )
        found[label] = ids
    return found


def known_codes(tokenizer: Tokenizer) -> list[str]:
    """The codes that a tokenizer has all four markers for, in alphabetical order."""
    vocab = tokenizer.get_vocab()
    codes = (word[3:-1] for word in vocab if word.startswith("<S:") and word.endswith(">"))
    return sorted(code for code in codes if all(word in vocab for word in marker_words(code)))


def mark_pairs(
    X: Sequence[Candidates], pieces: PieceTokenizer, markers: Mapping[str, list[int]], size: int
) -> Iterator[Marked]:
    """The pieces of each pair's sentence with four markers; of more than ``size`` pieces those chosen by
    :func:`choose`. A pair that crosses sentences has all of them, from the head's to the tail's.

    Documents are cut once; beyond that, a pair costs no more in a long document or sentence than in a short one.
    """
    cut = pieces([c.doc for c in X], size)
    piece_at = np.concatenate([[0], np.cumsum(cut.counts)])
    n_words = 0
    for c in X:
        at = piece_at[n_words : n_words + len(c.doc) + 1]
        n_words += len(c.doc)
        for h, t in zip(c.heads.tolist(), c.tails.tolist(), strict=True):
            head, tail = c.spans[h], c.spans[t]
            start, end = min(head.start, tail.start), max(head.end, tail.end)
            first, last = sentence_bounds(c.sentences, start, end)
            begin, stop = max(at[first], at[start] - size), min(at[last], at[end] + size)  # farther none is chosen
            yield mark(cut.ids[begin:stop], at, head, tail, markers, size, int(begin))


def sentence_bounds(sentences: Ints, start: int, end: int) -> tuple[int, int]:
    """The words of the sentences that the words ``start`` to ``end`` lie in."""
    first = int(np.searchsorted(sentences, sentences[start], "left"))
    return first, int(np.searchsorted(sentences, sentences[end - 1], "right"))


def mark(
    ids: Ints, at: Ints, head: WordSpan, tail: WordSpan, markers: Mapping[str, list[int]], size: int, begin: int = 0
) -> Marked:
    """Put the markers of one pair into its text's pieces.

    at: int (n_words + 1,), where each word of the Doc begins among pieces of which ``ids`` are those from ``begin`` on.
    """
    events = sorted(
        event
        for side, span in enumerate((head, tail))
        for event in (
            Event(span.start, True, -span.end, side, side),
            Event(span.end, False, -span.start, -side, side),
        )
    )
    inserted = [markers[(head, tail)[e.side].label][2 * e.side + (not e.opens)] for e in events]
    before = [int(at[e.word]) - begin for e in events]
    marked = np.insert(ids, before, inserted)
    place = {(e.side, e.opens): before[n] + n for n, e in enumerate(events)}
    edges = np.asarray(sorted(place.values()))
    kept = np.arange(len(marked)) if len(marked) <= size else choose(len(marked), edges, size)
    of = [np.flatnonzero((kept >= place[side, True]) & (kept <= place[side, False])) for side in (0, 1)]
    return Marked(marked[kept], *of)


def choose(n_pieces: int, markers: Ints, size: int) -> Ints:
    """The ``size`` pieces to keep of a text that is too long, ascending: a window around the pair.

    From the first marker to the last all are kept, then as many to either side as there is room for. If even that is
    too much, those nearest to a marker are kept. markers: int (4,), where the markers stand, ascending.
    """
    piece = np.arange(n_pieces)
    distance = np.abs(piece[:, None] - markers).min(axis=1)
    outside = (piece < markers[0]) | (piece > markers[-1])
    return np.sort(np.argsort(distance + outside * n_pieces, kind="stable")[:size])


def batch_marked(marked: Sequence[Marked], encoder: Encoder, batch_tokens: int) -> tuple[list[Batch], Ints]:
    """Batches of like lengths, and the order in which they hold the pairs.

    A batch's ``pieces`` are those of the first pair's head, then of its tail, then of the next pair.
    """
    prefix, suffix = encoder.pieces.prefix, encoder.pieces.suffix
    lengths = np.asarray([len(pair.ids) for pair in marked], dtype=np.int64) + len(prefix) + len(suffix)
    batches, order = [], []
    n_read = 0
    for chosen in pack(lengths, batch_tokens):
        width = int(lengths[chosen].max())
        block = np.full((len(chosen), width), encoder.pad, dtype=np.int64)
        pieces = []
        for row, n in enumerate(chosen.tolist()):
            block[row, : lengths[n]] = [*prefix, *marked[n].ids.tolist(), *suffix]
            pieces += [part + (row * width + len(prefix)) for part in (marked[n].head, marked[n].tail)]
        read = np.concatenate(pieces)
        batches.append(Batch(block, lengths[chosen], np.arange(n_read, n_read + len(read)), read))
        n_read += len(read)
        order.append(chosen)
    return batches, np.concatenate(order) if order else np.zeros(0, dtype=np.int64)
