"""What the parts of a code say: 8140/6 has a head, 8140, and a tail, /6, that of any tumour which has spread."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SEPARATOR = re.compile(r"[^0-9A-Za-z]+")

#: Letters of a word that stand for it too, so that what is learned of one inflection holds for others.
BEGINNING, ENDING = 5, 4


class Parts(NamedTuple):
    """Codes by head and tail.

    head, tail: int64 (n_codes,), the same number for the same part. by_head: codes in order of their heads, int64
    (n_codes,); begin: int64 (n_heads + 1,), where those of each head begin.
    """

    head: NDArray[np.int64]
    tail: NDArray[np.int64]
    by_head: NDArray[np.int64]
    begin: NDArray[np.int64]

    def siblings(self, heads: NDArray[np.int64]) -> NDArray[np.int64]:
        """The codes that have one of these heads."""
        return np.concatenate([self.by_head[self.begin[h] : self.begin[h + 1]] for h in heads] or [heads[:0]])


def split_codes(codes: Sequence[str]) -> Parts:
    """Take codes apart at their first separator, as a slash or a point; a code without one is a head alone."""
    split = [SEPARATOR.search(code) for code in codes]
    heads = [code[: at.start()] if at else code for code, at in zip(codes, split, strict=True)]
    tails = [code[at.start() :] if at else "" for code, at in zip(codes, split, strict=True)]
    head, tail = (np.unique(np.asarray(part), return_inverse=True)[1] for part in (heads, tails))
    counts = np.bincount(head)
    return Parts(head, tail, np.argsort(head, kind="stable"), np.concatenate([[0], np.cumsum(counts)]))


@lru_cache(maxsize=100_000)
def part_hashes(code: str) -> NDArray[np.uint32]:
    """A code and its parts as numbers: each segment between separators with its place, its beginnings and its rest."""
    segments = [segment for segment in SEPARATOR.split(code) if segment]
    parts = [code, f"n{len(segments)}"]
    for n, segment in enumerate(segments):
        parts += [f"{n}={segment}", f"{n}^{segment[:1]}", f"{n}^{segment[:3]}", f"{n}${segment[1:]}"]
    return _hashes(sorted(set(parts)))


def word_hashes(folded: str) -> NDArray[np.uint32]:
    """The words of a folded text as numbers: each, its beginning and ending, each pair, and which is first and last."""
    words = folded.split()
    long = [word for word in words if len(word) > BEGINNING]
    found = [f"={word}" for word in words] + [f"^{word[:BEGINNING]}" for word in long]
    found += [f"${word[-ENDING:]}" for word in long] + [f"{a} {b}" for a, b in pairwise(words)]
    found += [f"first {words[0][:BEGINNING]}", f"last {words[-1][:BEGINNING]}"] if words else []
    return _hashes(sorted(set(found)))


def _hashes(texts: Sequence[str]) -> NDArray[np.uint32]:
    return np.fromiter((zlib.crc32(text.encode("utf-8", "surrogatepass")) for text in texts), np.uint32, len(texts))
