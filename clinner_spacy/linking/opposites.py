"""Names that are spelled like a mention and say something else: another number, or the opposite.

"Diabetes mellitus tipo 1" shares nearly all n-grams with "tipo 2", and "hiperpotasemia" with "hipopotasemia". No
likeness of spelling tells them apart, so what does is listed here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

#: Pairs of opposites, each side as the beginnings of folded words in the seven languages (es, en, it, nl, sv, cs, ro).
OPPOSITES = (
    ("hipo hypo ipo", "hiper hyper iper"),
    ("bradi brady", "taqui tachi tachy taky tahi"),
    ("micro mikro", "macro makro"),
    ("benign goedaard godart nezhoub", "malign kwaadaard elakart zhoub"),
    ("agud acut acuut akut", "cronic chronic chronisch kronisk"),
    (
        "izquierd left sinistr link vanster levy leva levou leveho levostr stang",
        "derech right destra destro destre destri recht hoger pravy prava pravou praveho pravostr drept dreapt",
    ),
    ("superior ovre horni", "inferior nedre dolni"),
    ("anterior", "posterior"),
    ("intern inwendig", "extern estern uitwendig"),
    ("unilateral", "bilateral"),
    ("primari primar", "secundari secondar secundar sekundar"),
    ("aument increas verhoog okad forhoj zvysen crescut", "disminu decreas diminu verlaag minsk sankt snizen scazut"),
    ("positiv", "negativ"),
)
SIDES = {stem: (n, side) for n, pair in enumerate(OPPOSITES) for side in (0, 1) for stem in pair[side].split()}
STEM = re.compile(rf"\b(?:{'|'.join(sorted(SIDES, key=len, reverse=True))})")

NUMERALS = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii")
ROMAN = {word: n for n, word in enumerate(NUMERALS, 1)}

#: Roman numerals that are words of a language; they are numbers only as the last word.
NO_NUMBERS = {"en": "i", "it": "i vi", "sv": "i vi", "cs": "i v", "ro": "i v vi"}

#: Numbers, and the signs that turn them round.
DIGITS = re.compile(r"[0-9]+|[<>≤≥]+|(?<=.)[+-]+$")

#: Terms of which it is remembered what they say.
REMEMBERED = 100_000


class Said(NamedTuple):
    """What a folded text says that spelling hardly shows: its numbers in their order, with signs, as in "< 50" and
    "her2+", and a single letter at its end, as in "hepatitis b"; and the sides of :data:`OPPOSITES` that it holds."""

    numbers: tuple[str, ...]
    sides: frozenset[tuple[int, int]]


def said_by(folded: str, lang: str) -> Said:
    """What a folded text says, "iv" as 4."""
    words = folded.split()
    numbers = chain.from_iterable(_numbers(word, n == len(words), lang) for n, word in enumerate(words, 1))
    return Said(tuple(numbers), frozenset(SIDES[stem] for stem in STEM.findall(folded)))


#: The same for names, of which the same come again and again; never for mentions, which nothing keeps.
said_by_name = lru_cache(maxsize=REMEMBERED)(said_by)


def _numbers(word: str, last: bool, lang: str) -> Sequence[str]:
    if word in ROMAN and (last or word not in NO_NUMBERS.get(lang, "").split()):
        return [str(ROMAN[word])]
    if last and len(word) == 1 and word.isalpha():
        return [word]
    return [digits.lstrip("0") or "0" for digits in DIGITS.findall(word)]


def contradict(one: Said, other: Said) -> bool:
    """Whether numbers differ, or one says the opposite of the other; both sides in one text are no opposite."""
    if one.numbers != other.numbers:
        return True
    return any((n, 1 - side) in other.sides - one.sides and (n, side) not in other.sides for n, side in one.sides)
