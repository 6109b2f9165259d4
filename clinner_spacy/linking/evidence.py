"""The stages of linking: what a terminology holds that a mention may be, and by which likeness.

A mention that is a name, once case, accents and punctuation are gone, is that name; else one whose words differ in
inflection or order alone; else names that are spelled alike or, with an encoder, mean the like.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from clinner_spacy.encoders.pieces import ragged_range
from clinner_spacy.linking.grams import SPARE, Alike, Mask, cosines_with, queries_of, search
from clinner_spacy.linking.index import Index
from clinner_spacy.linking.normalize import expand, fold
from clinner_spacy.linking.opposites import contradict, said_by, said_by_name

if TYPE_CHECKING:
    from clinner_spacy.linking.vectors import Meanings  # transformers is slow to import

Stage = Literal["exact", "inflected", "fuzzy", "encoder"]
NOTHING = Alike(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32))

STAGES: tuple[Stage, ...] = get_args(Stage)

#: Names that are looked at where no exact one is.
NEIGHBOURS = 64

#: The likeness of a name that differs in inflection or the order of words: about as often right as a cosine of so much.
INFLECTED = 0.95

#: How much likeness counts in a name that says another number or the opposite: no sensible threshold is that low.
CONTRADICTED = 0.3

#: What the encoder's cosine counts in the likeness of a name, beside that of its spelling.
MEANT = 0.5

#: How often a preferred code counts as chosen, where a term has several.
PREFERRED = 9


class Evidence(NamedTuple):
    """Names that a mention may be, best first.

    certain: found by a look-up, not by likeness. names: int64 (n,). likeness: float32 (n,), from 0 to 1. spelled:
    float32 (n,), the cosine of their n-grams with the mention's, or the likeness of the look-up. length: of the
    mention's vector of n-grams.
    """

    certain: bool
    names: NDArray[np.int64]
    likeness: NDArray[np.float32]
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
    meanings: Meanings | None = None,
    allowed: Sequence[Mask] | None = None,
) -> list[Evidence]:
    """The evidence for each text. lang: the language whose inflection they follow. abbreviations: folded, both sides;
    a text that is a name as it stands is not expanded. meanings: what the stage "encoder" asks. allowed: for each text,
    which names count; a stage that finds none of them leaves the text to the next."""
    folded = [fold(text) for text in texts]
    masks = [None] * len(texts) if allowed is None else allowed
    found = [_exact(index, text, stages, mask) for text, mask in zip(folded, masks, strict=True)]
    open_ones = [n for n, evidence in enumerate(found) if evidence is None]
    for n in open_ones:
        text = folded[n] = expand(folded[n], abbreviations)
        found[n] = _exact(index, text, stages, masks[n]) or _inflected(index, text, lang, stages, masks[n])
    left = [n for n in open_ones if found[n] is None]
    asked = [folded[n] for n in left]
    for n, evidence in zip(left, _alike(index, asked, stages, meanings, [masks[n] for n in left]), strict=True):
        found[n] = evidence
    return [evidence for evidence in found if evidence is not None]


def _exact(index: Index, folded: str, stages: Collection[str], mask: Mask) -> Evidence | None:
    name = index.name_of(folded) if "exact" in stages else None
    return None if name is None or (mask is not None and not mask[name]) else _certain([name], 1.0)


def _inflected(index: Index, folded: str, lang: str, stages: Collection[str], mask: Mask) -> Evidence | None:
    names = index.names_like(folded, lang) if "inflected" in stages else np.empty(0, dtype=np.int32)
    names = names if mask is None else names[mask[names]]
    return _certain(names, INFLECTED) if len(names) else None


def _certain(names: Any, likeness: float) -> Evidence:
    each = np.full(len(names), likeness, dtype=np.float32)
    return Evidence(True, np.asarray(names, dtype=np.int64), each, each)


def _alike(
    index: Index, folded: Sequence[str], stages: Collection[str], meanings: Meanings | None, masks: Sequence[Mask]
) -> Iterator[Evidence]:
    """The names that are spelled like folded texts, or mean the like."""
    fuzzy, semantic = "fuzzy" in stages, meanings is not None and "encoder" in stages
    if not folded or not (fuzzy or semantic):
        nothing = np.empty(0, dtype=np.float32)
        yield from (Evidence(False, nothing.astype(np.int64), nothing, nothing) for _ in folded)
        return
    queries = queries_of(index.grams, folded)
    spelled = search(index.grams, queries, NEIGHBOURS, masks) if fuzzy else [NOTHING] * len(queries)
    if not semantic:
        for query, alike in zip(queries, spelled, strict=True):
            yield Evidence(False, alike.names, alike.cosines, alike.cosines, query.norm)
        return
    assert meanings is not None
    vectors = meanings.encoder(folded)
    near = meanings.nearest(vectors, NEIGHBOURS * (1 if all(mask is None for mask in masks) else SPARE))
    for query, alike, vector, others, mask in zip(queries, spelled, vectors, near, masks, strict=True):
        others = (others if mask is None else others[mask[others]])[:NEIGHBOURS]
        names = np.union1d(alike.names, others)
        cosines = cosines_with(index.grams, query, names)
        meant = np.clip(meanings.cosines(vector, names), 0, 1)
        likeness = (MEANT * meant + (1 - MEANT) * cosines if fuzzy else meant).astype(np.float32)
        order = np.argsort(-likeness, kind="stable")
        yield Evidence(False, names[order], likeness[order], cosines[order], query.norm)


def contradicted(index: Index, folded: str, evidence: Evidence, lang: str) -> Evidence:
    """Evidence with less likeness for names that say another number than the folded mention, or the opposite. They
    stay, since who looks through candidates by hand may want them."""
    mention = said_by(folded, lang)
    terms = [fold(index.terms.text(int(entry))) for entry in index.entries[evidence.names]]
    against = np.fromiter((contradict(mention, said_by_name(term, lang)) for term in terms), np.bool_, len(terms))
    likeness = np.where(against, CONTRADICTED * evidence.likeness, evidence.likeness).astype(np.float32)
    order = np.argsort(-likeness, kind="stable")
    return evidence._replace(names=evidence.names[order], likeness=likeness[order], spelled=evidence.spelled[order])


def names_with(index: Index, labels: Collection[int]) -> NDArray[np.bool_]:
    """Which names have an entry with one of these labels, by their places: bool (n_names,)."""
    return np.logical_or.reduceat(np.isin(index.label_of, list(labels)), index.entries[:-1])


def entries_of(index: Index, names: NDArray[np.int64], labels: Collection[int] | None) -> Entries:
    """What names stand for, each code of a name once, by the term that most chose. labels: places of those that count,
    None for all; an entry without a label always does."""
    counts = index.entries[names + 1] - index.entries[names]
    entry = ragged_range(index.entries[names], counts)
    name = np.repeat(np.arange(len(names)), counts)
    if labels is not None:
        kept = np.isin(index.label_of[entry], list(labels))
        entry, name = entry[kept], name[kept]
    weight = np.maximum(index.counts[entry], 1) + PREFERRED * index.preferred[entry]
    code = index.code_of[entry]
    order = np.lexsort((-weight, code, name))
    entry, name, code, weight = entry[order], name[order], code[order], weight[order]
    first = np.flatnonzero(np.append(True, (name[1:] != name[:-1]) | (code[1:] != code[:-1]))[: len(name)])
    total = np.bincount(name, weights=weight, minlength=len(names))
    sums = np.add.reduceat(weight, first) if len(first) else weight
    share = (sums / total[name[first]]).astype(np.float32)
    return Entries(entry[first], name[first], code[first], share)
