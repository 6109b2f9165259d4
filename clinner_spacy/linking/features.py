"""A mention's candidates, and the numbers by which a ranking tells them apart."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clinner_spacy.linking.codes import Parts
from clinner_spacy.linking.evidence import Entries, Evidence
from clinner_spacy.linking.index import Index

Floats = NDArray[np.float32]

#: The features of a candidate, in the order of a ranking's weights.
FEATURES = (
    *("likeness", "spelled", "behind", "share", "covers_mention", "covers_name", "rank"),
    *("votes", "near_votes", "head_votes", "tail_votes", "names", "prior", "label", "unnamed", "none", "none_spelled"),
)

#: Codes that are candidates without a name alike: those of the best heads, and those most often chosen.
BEST_HEADS, MOST_CHOSEN = 4, 5

#: How fast the vote of a name falls with its distance from the best.
WIDE, NARROW = 10.0, 30.0

#: The least share of votes, so that logarithms are finite.
FEW = 1e-3


class Candidates(NamedTuple):
    """The codes that a mention may have: places in the index's codes, int64 (n,); the likeness of the name that speaks
    for each, float32 (n,); and the entry of that name, int64 (n,), -1 for a code without one."""

    codes: NDArray[np.int64]
    likeness: Floats
    entries: NDArray[np.int64]


def candidates_of(evidence: Evidence, entries: Entries) -> Candidates:
    """The codes that the names in the evidence stand for, best first: by the likeness of the name, which counts in
    full for the code that most mean by it and in proportion for its others; then as they stand in the terminology."""
    most = np.zeros(len(evidence.names), dtype=np.float32)
    np.maximum.at(most, entries.name, entries.share)
    likeness = evidence.likeness[entries.name] * entries.share / most[entries.name]
    order = np.lexsort((entries.entry, -likeness))
    _, first = np.unique(entries.code[order], return_index=True)
    best = order[np.sort(first)]
    return Candidates(entries.code[best].astype(np.int64), likeness[best], entries.entry[best])


def with_siblings(found: Candidates, parts: Parts, frequent: NDArray[np.int64]) -> Candidates:
    """Candidates with the codes that share the head of one of the best, and the most frequent ones."""
    _, first = np.unique(parts.head[found.codes], return_index=True)
    heads = parts.head[found.codes][np.sort(first)[:BEST_HEADS]]
    more = np.setdiff1d(np.concatenate([parts.siblings(heads), frequent]), found.codes)
    return Candidates(
        np.concatenate([found.codes, more]),
        np.concatenate([found.likeness, np.zeros(len(more), dtype=np.float32)]),
        np.concatenate([found.entries, np.full(len(more), -1)]),
    )


def features_of(
    index: Index, evidence: Evidence, entries: Entries, found: Candidates, parts: Parts, prior: Floats, label: int
) -> Floats:
    """The features of candidates and, in the last row, of "none of them": float32 (n + 1, n_features).

    prior: float32 (n_codes,), the logarithm of how often each code was chosen. label: the place of the mention's label
    among those of the terminology, -1 if it is none.
    """
    n = len(found.codes)
    columns = {name: np.zeros(n + 1, dtype=np.float32) for name in FEATURES}
    named = found.entries >= 0
    spelled, best = np.zeros(n, dtype=np.float32), float(evidence.spelled.max(initial=0.0))
    # Where each candidate's own name stands in the evidence.
    order = np.argsort(entries.entry)
    own = order[np.searchsorted(entries.entry, found.entries[named], sorter=order)]
    name = entries.name[own]
    spelled[named] = evidence.spelled[name]
    length = index.grams.norms[evidence.names[name]]
    columns["likeness"][:n] = found.likeness
    columns["spelled"][:n] = spelled
    columns["behind"][:n] = spelled - best
    columns["share"][:n][named] = entries.share[own]
    columns["covers_mention"][:n][named] = evidence.spelled[name] * length / max(evidence.length, 1e-6)
    columns["covers_name"][:n][named] = evidence.spelled[name] * evidence.length / np.maximum(length, 1e-6)
    columns["rank"][:n][named] = 1 / (1 + name)
    columns["label"][:n][named] = index.label_of[found.entries[named]] == label
    columns["unnamed"][:n] = ~named
    columns["prior"][:n] = prior[found.codes]
    for column, steep in (("votes", WIDE), ("near_votes", NARROW)):
        weights = entries.share * np.exp(steep * (evidence.spelled[entries.name] - best))
        columns[column][:n] = _log_share(entries.code, weights, found.codes)
    weights = entries.share * np.exp(WIDE * (evidence.spelled[entries.name] - best))
    columns["head_votes"][:n] = _log_share(parts.head[entries.code], weights, parts.head[found.codes])
    columns["tail_votes"][:n] = _log_share(parts.tail[entries.code], weights, parts.tail[found.codes])
    columns["names"][:n] = np.log1p(_sums(entries.code, entries.share, found.codes))
    columns["none"][n] = 1
    columns["none_spelled"][n] = best
    return np.stack([columns[name] for name in FEATURES], axis=1)


def _sums(of: NDArray[np.integer], weights: Floats, wanted: NDArray[np.integer]) -> Floats:
    """The sum of the weights of what each wanted number is of."""
    known, place = np.unique(of, return_inverse=True)
    if not len(known):
        return np.zeros(len(wanted), dtype=np.float32)
    sums = np.bincount(place, weights=weights)
    at = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    return np.where(known[at] == wanted, sums[at], 0).astype(np.float32)


def _log_share(of: NDArray[np.integer], weights: Floats, wanted: NDArray[np.integer]) -> Floats:
    return np.log(_sums(of, weights, wanted) / max(float(weights.sum()), 1e-6) + FEW)
