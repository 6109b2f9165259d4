"""The stages of linking: what a terminology holds that a mention may be, and by which likeness.

A mention that is a name, once case, accents and punctuation are gone, is that name; else one whose words differ in
inflection or order alone; else names that are spelled alike or, with an encoder, mean the like.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from clinner_spacy.encoders.pieces import ragged_range
from clinner_spacy.linking.grams import queries_of, search
from clinner_spacy.linking.index import Index
from clinner_spacy.linking.normalize import expand, fold

Stage = Literal["exact", "inflected", "fuzzy"]
STAGES: tuple[Stage, ...] = get_args(Stage)

#: Names that are looked at where no exact one is.
NEIGHBOURS = 64

#: The likeness of a name that differs in inflection or the order of words: about as often right as a cosine of so much.
INFLECTED = 0.95

#: How often a preferred code counts as chosen, where a term has several.
PREFERRED = 9


class Evidence(NamedTuple):
    """Names that a mention may be, best first.

    certain: found by a look-up, not by likeness. names: int64 (n,). spelled: float32 (n,), the cosine of their
    n-grams with the mention's, or the likeness of the look-up. length: of the mention's vector of n-grams.
    """

    certain: bool
    names: NDArray[np.int64]
    spelled: NDArray[np.float32]
    length: float = 0.0


class Entries(NamedTuple):
    """What names stand for, (n_entries,) each: place of the name in the evidence, code, and the share of those who
    mean this code by the name."""

    entry: NDArray[np.int64]
    name: NDArray[np.int64]
    code: NDArray[np.int32]
    share: NDArray[np.float32]


def gather(
    index: Index,
    texts: Sequence[str],
    *,
    lang: str,
    abbreviations: Mapping[str, str],
    stages: Collection[str] = STAGES,
) -> list[Evidence]:
    """The evidence for each text. lang: the language whose inflection they follow. abbreviations: folded, both sides;
    a text that is a name as it stands is not expanded."""
    folded = [fold(text) for text in texts]
    found = [_exact(index, text, stages) for text in folded]
    open_ones = [n for n, evidence in enumerate(found) if evidence is None]
    for n in open_ones:
        folded[n] = expand(folded[n], abbreviations)
        found[n] = _exact(index, folded[n], stages) or _inflected(index, folded[n], lang, stages)
    left = [n for n in open_ones if found[n] is None]
    queries = queries_of(index.grams, [folded[n] for n in left]) if "fuzzy" in stages and left else []
    for n, query, alike in zip(left, queries, search(index.grams, queries, NEIGHBOURS), strict=False):
        found[n] = Evidence(False, alike.names, alike.cosines, query.norm)
    nothing = Evidence(False, np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32))
    return [nothing if evidence is None else evidence for evidence in found]


def _exact(index: Index, folded: str, stages: Collection[str]) -> Evidence | None:
    name = index.name_of(folded) if "exact" in stages else None
    return None if name is None else Evidence(True, np.array([name]), np.ones(1, dtype=np.float32))


def _inflected(index: Index, folded: str, lang: str, stages: Collection[str]) -> Evidence | None:
    names = index.names_like(folded, lang) if "inflected" in stages else ()
    if not len(names):
        return None
    return Evidence(True, np.asarray(names, dtype=np.int64), np.full(len(names), INFLECTED, dtype=np.float32))


def entries_of(index: Index, names: NDArray[np.int64], labels: Collection[int] | None) -> Entries:
    """What names stand for. labels: places of those that count, None for all; an entry without a label always does."""
    counts = index.entries[names + 1] - index.entries[names]
    entry = ragged_range(index.entries[names], counts)
    name = np.repeat(np.arange(len(names)), counts)
    weight = np.maximum(index.counts[entry], 1) + PREFERRED * index.preferred[entry]
    total = np.bincount(name, weights=weight, minlength=len(names))
    share = (weight / total[name]).astype(np.float32)
    kept = slice(None) if labels is None else np.isin(index.label_of[entry], list(labels))
    return Entries(entry[kept], name[kept], index.code_of[entry][kept], share[kept])
