"""Trimming a mention to what it names, in characters."""

from __future__ import annotations

import unicodedata


def trim(text: str, start: int, end: int) -> tuple[int, int]:
    """Move both ends of ``text[start:end]`` inwards past white space and Unicode punctuation (category P*).

    Where nothing else is left, the two are equal.
    """
    while start < end and _is_edge(text[end - 1]):
        end -= 1
    while start < end and _is_edge(text[start]):
        start += 1
    return start, end


def _is_edge(char: str) -> bool:
    return char.isspace() or unicodedata.category(char)[0] == "P"
