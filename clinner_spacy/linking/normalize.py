"""Spellings of one name as one: case, accents, punctuation, white space; then inflection and the order of words."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping

#: Endings that inflect nouns and adjectives, longest first: plural, gender, case and article. They are cut off a word
#: when four letters stay; that two words become one by it is rare and costs less than missing the plural of another.
ENDINGS = {
    "es": ("es", "as", "os", "a", "o", "e", "s"),
    "en": ("es", "e", "s"),
    "it": ("he", "hi", "a", "e", "i", "o"),
    "nl": ("en", "s", "e"),
    "sv": ("arna", "erna", "orna", "ar", "er", "en", "et", "na", "a", "n", "t", "s"),
    "cs": ("ych", "eho", "emu", "ami", "ou", "em", "um", "a", "e", "i", "o", "u", "y"),
    "ro": ("ilor", "elor", "ului", "ele", "ile", "ul", "ei", "ii", "le", "a", "e", "i", "u"),
}
LEAST_STEM = 4

#: Endings that change the stem, tried before, and what stands for them: "cicatriz", "cicatrices"; "biopsies";
#: "diagnosis", "diagnoses" as "disease", "diseases"; and "mass", "virus", whose s is none of the plural.
CHANGED = {
    "es": (("z", "c"),),
    "en": (("ies", "y"), ("ses", "s"), ("sis", "s"), ("se", "s"), ("ss", "ss"), ("us", "us")),
}

#: Letters that Unicode does not take apart into a letter and an accent.
LETTERS = str.maketrans({"ø": "o", "đ": "d", "ł": "l", "æ": "ae", "œ": "oe", "’": "'", "−": "-"})

#: Words of a folded text: letters and digits with the signs at their end, as "her2-", and signs that say something by
#: themselves, as in "< 50". A hyphen within a word, or alone, is punctuation.
WORD = re.compile(r"[^\W_]+(?:[+-]++(?![^\W_]))?|[+<>≤≥=]+")


def fold(text: str) -> str:
    """``text`` in lower case without accents, its words with one space between; punctuation is spaces.

    Signs are not punctuation: "HER2+" is not "HER2-", nor "< 50" "> 50". A text of nothing but punctuation stays as it
    is, so that a term as "%" remains one.
    """
    # Twice, since "℃" is only then a capital letter, and folding case may put letters together again.
    spread = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold()).translate(LETTERS)
    bare = "".join(char for char in spread if not unicodedata.combining(char))
    bare = bare.replace("<=", "≤").replace(">=", "≥")
    return " ".join(WORD.findall(bare) or bare.split())


def word_key(folded: str, lang: str) -> str:
    """The stems of a folded text's words in order of the alphabet, then those with digits in their own order: equal for
    "nodulos pulmonares" and "pulmonar nodulo", not for "gleason 3 4" and "gleason 4 3". A language without rules keeps
    its words as they are."""
    words = folded.split()
    numbers = [word for word in words if not word.isalpha()]
    return " ".join([*sorted(_stem(word, lang) for word in words if word.isalpha()), *numbers])


def _stem(word: str, lang: str) -> str:
    for ending, instead in CHANGED.get(lang, ()):
        if word.endswith(ending) and len(word) - len(ending) + len(instead) >= LEAST_STEM:
            return word[: -len(ending)] + instead
    for ending in ENDINGS.get(lang, ()):
        if word.endswith(ending) and len(word) - len(ending) >= LEAST_STEM:
            return word[: -len(ending)]
    return word


def expand(folded: str, abbreviations: Mapping[str, str]) -> str:
    """A folded text with each word that is an abbreviation (both sides folded) written out."""
    return " ".join(abbreviations.get(word, word) for word in folded.split())


def text_hash(text: str) -> int:
    """64 bits of a text's BLAKE2 hash: two of a million texts share one with a probability of 3e-8."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")
