"""Letters without their marks."""

import unicodedata


def bare(word: str) -> str:
    """A word without accents; letters that are no base with a mark on it (ø, ł, ß) stay, and so does a mark alone."""
    letters = "".join(c for c in unicodedata.normalize("NFD", word) if not unicodedata.combining(c))
    return unicodedata.normalize("NFC", letters) or word
