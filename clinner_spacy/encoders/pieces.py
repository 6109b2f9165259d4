"""Words -> subword pieces, as ``is_split_into_words=True`` would cut them, with no Python loop over words.

A word's pieces do not depend on its neighbours, so each distinct word of a batch is cut once and looked up for the
rest.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from spacy.attrs import ORTH
from spacy.tokens import Doc
from tokenizers import Encoding, Tokenizer

from clinner_spacy.encoders.visible import is_transparent

#: No vocabulary has pieces longer than this many characters in mean, so more of a huge word need not be looked at.
CHARS_A_PIECE = 64


class Pieces(NamedTuple):
    """The pieces of a batch's words, one document after the other.

    ``ids``: int (n_pieces,), rows of the encoder's vocabulary. ``counts``: int (n_words,), pieces a word; 0 where a
    word has none (white space, control and zero-width characters, or what the tokenizer's normalizer removes).
    """

    ids: NDArray[np.int64]
    counts: NDArray[np.int64]


@contextmanager
def without_panics() -> Iterator[None]:
    """Raise ValueError where a damaged tokenizer makes the tokenizers library panic: a panic of Rust's is no
    Exception, and its class cannot be imported."""
    try:
        yield
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise ValueError("the tokenizers library panics at it") from error


class PieceTokenizer:
    """Cuts words with a ``tokenizers.Tokenizer``.

    ``prefix`` and ``suffix`` are the ids of the special tokens that stand around a window. ``published`` is the
    tokenizer as its publisher has it, for texts that are cut as a whole.
    """

    def __init__(self, tokenizer: Tokenizer, published: Tokenizer | None = None) -> None:
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self.published = published or tokenizer
        self.tokenizer = _with_prefix_space(tokenizer)
        probe = self.tokenizer.encode(["a"], is_pretokenized=True)
        inside = np.flatnonzero(np.asarray(probe.special_tokens_mask) == 0)
        self.prefix: list[int] = probe.ids[: inside[0]]
        self.suffix: list[int] = probe.ids[inside[-1] + 1 :]

    @property
    def size(self) -> int:
        """The number of pieces in the vocabulary."""
        return self.tokenizer.get_vocab_size()

    def cut(self, texts: Sequence[str]) -> list[Encoding]:
        """Cut whole texts, as their publisher's tokenizer does, without special tokens."""
        return self.published.encode_batch(list(texts), add_special_tokens=False)

    def known(self, docs: Sequence[Doc], max_pieces: int) -> Pieces:
        """The pieces of documents whose words name them: their ids in digits, ``"17"`` or ``"17 4 9"``; of a word only
        the first ``max_pieces`` are kept."""
        words, which = _distinct_words(docs)
        ids = [[int(piece) for piece in word.split()[:max_pieces]] for word in words]
        counts = np.asarray([len(word) for word in ids], dtype=np.int64)
        starts = np.cumsum(counts) - counts
        flat = np.asarray([piece for word in ids for piece in word], dtype=np.int64)
        return Pieces(flat[ragged_range(starts[which], counts[which])], counts[which])

    def __call__(self, docs: Sequence[Doc], max_pieces: int) -> Pieces:
        """Cut the words of all documents; of a word only the first ``max_pieces`` pieces are kept."""
        words, which = _distinct_words(docs)
        shown = [n for n, word in enumerate(words) if not is_transparent(word)]
        texts = [words[n][: max_pieces * CHARS_A_PIECE] for n in shown]
        encoding = self.tokenizer.encode(texts, is_pretokenized=True, add_special_tokens=False)
        # word_ids, never offsets: normalizers drop, add and merge characters.
        owner = np.asarray(shown, dtype=np.int64)[np.asarray(encoding.word_ids, dtype=np.int64)]
        ids = np.asarray(encoding.ids, dtype=np.int64)
        counts = np.bincount(owner, minlength=len(words))
        starts = np.cumsum(counts) - counts
        kept = np.minimum(counts, max_pieces)[which]
        return Pieces(ids[ragged_range(starts[which], kept)], kept)


def ragged_range(starts: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """``[s, s + 1, …, s + c - 1]`` for each start and count, one after the other."""
    before = np.cumsum(counts) - counts
    return np.repeat(starts - before, counts) + np.arange(counts.sum())


def _distinct_words(docs: Sequence[Doc]) -> tuple[list[str], NDArray[np.int64]]:
    """The distinct words of all documents, and for each word of each document which of them it is."""
    orths = [doc.to_array([ORTH]) for doc in docs]
    distinct, which = np.unique(np.concatenate(orths) if orths else np.empty(0, np.uint64), return_inverse=True)
    stores = list({id(doc.vocab): doc.vocab.strings for doc in docs}.values())
    # A StringStore has its hashes, too, though its annotations know of strings only.
    words = [next(store[orth] for store in stores if orth in store) for orth in distinct.tolist()]  # type: ignore[operator]
    return words, which.astype(np.int64)


def _with_prefix_space(tokenizer: Tokenizer) -> Tokenizer:
    """Byte-level BPE marks the start of a word by the space before it, which a lone word lacks; have it added."""
    if "ByteLevel" not in repr(tokenizer.pre_tokenizer):
        return tokenizer
    definition = json.loads(tokenizer.to_str())
    _add_prefix_space(definition["pre_tokenizer"])
    return Tokenizer.from_str(json.dumps(definition))


def _add_prefix_space(part: Any) -> None:
    if isinstance(part, list):
        for one in part:
            _add_prefix_space(one)
    elif isinstance(part, dict):
        if part.get("type") == "ByteLevel":
            part["add_prefix_space"] = True
        for one in part.values():
            _add_prefix_space(one)
