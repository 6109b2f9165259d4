"""Names that are spelled alike: cosine of character n-grams, weighted by how rare they are, by an inverted index.

The n-grams are those of 2, 3 and 4 characters of a folded name with a space at each end, each counted once a name and
weighted by ``log((1 + names) / (1 + names that have it)) + 1``. Since weights depend on the n-gram alone, the index is
the names of each n-gram and the n-grams of each name: eight bytes for each n-gram in a name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clinner_spacy.encoders.pieces import ragged_range

ORDERS = (2, 3, 4)

#: Names whose n-grams are held at a time while an index is built.
CHUNK = 50_000

#: Entries of the lists that are added up for a query; beyond, its most frequent n-grams only tell the best names apart.
#: Terminologies of up to some 50,000 names never reach it.
BUDGET = 100_000

#: Times ``k`` names that are compared by all n-grams of a query.
SPARE = 4


#: Which names count, bool (n_names,); None: all.
Mask = NDArray[np.bool_] | None


class Grams(NamedTuple):
    """An index of ``n_names`` names by their n-grams.

    vocabulary: uint64 (n_grams,), ascending; starts: int64 (n_grams + 1,), where the list of each begins in postings:
    int32 (n_postings,), names, ascending in each list. begins: int64 (n_names + 1,), where the n-grams of each name
    begin in forward: int32 (n_postings,), places in the vocabulary. weights: float32 (n_grams,). norms: float32
    (n_names,).
    """

    vocabulary: NDArray[np.uint64]
    starts: NDArray[np.int64]
    postings: NDArray[np.int32]
    begins: NDArray[np.int64]
    forward: NDArray[np.int32]
    weights: NDArray[np.float32]
    norms: NDArray[np.float32]


class Alike(NamedTuple):
    """The names nearest to a query, best first: int64 (n,), and their cosines, float32 (n,)."""

    names: NDArray[np.int64]
    cosines: NDArray[np.float32]


def ngrams(texts: Sequence[str]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """All n-grams of folded texts, as numbers (16 bits a character), and which text each is of."""
    padded = [f" {text} " for text in texts]
    characters = np.frombuffer("".join(padded).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    lengths = np.fromiter(map(len, padded), dtype=np.int64, count=len(padded))
    owner = np.repeat(np.arange(len(padded)), lengths)
    left = np.repeat(np.cumsum(lengths), lengths) - np.arange(len(characters))  # characters up to the text's end
    wide = characters.astype(np.uint64) & np.uint64(0xFFFF)
    found, of = [], []
    for order in ORDERS:
        begins = np.flatnonzero(left >= order)
        number = np.zeros(len(begins), dtype=np.uint64)
        for offset in range(order):
            number = (number << np.uint64(16)) | wide[begins + offset]
        found.append(number)
        of.append(owner[begins])
    return np.concatenate(found), np.concatenate(of)


class Chunk(NamedTuple):
    """The n-grams of some names: ascending, uint64 (n_grams,); how many names have each, int64 (n_grams,); and these,
    int32 (n_pairs,), ascending for each n-gram, counted from the first of all names. begin, size: which names."""

    begin: int
    size: int
    grams: NDArray[np.uint64]
    counts: NDArray[np.int64]
    names: NDArray[np.int32]


def build_grams(names: Sequence[str]) -> Grams:
    """Index folded names."""
    chunks = [_chunk(names[begin : begin + CHUNK], begin) for begin in range(0, len(names), CHUNK)]
    vocabulary = distinct(np.concatenate([chunk.grams for chunk in chunks]))
    places = [np.searchsorted(vocabulary, chunk.grams) for chunk in chunks]
    counts = np.zeros(len(vocabulary), dtype=np.int64)
    for place, chunk in zip(places, chunks, strict=True):
        counts[place] += chunk.counts
    starts = np.concatenate([[0], np.cumsum(counts)])
    weights = (np.log((1 + len(names)) / (1 + counts)) + 1).astype(np.float32)
    postings = np.empty(int(starts[-1]), dtype=np.int32)
    forward = np.empty(len(postings), dtype=np.int32)
    lengths = np.concatenate([np.bincount(chunk.names - chunk.begin, minlength=chunk.size) for chunk in chunks])
    begins = np.concatenate([[0], np.cumsum(lengths)])
    squares = np.zeros(len(names))
    filled = starts[:-1].copy()
    for place, chunk in zip(places, chunks, strict=True):
        postings[ragged_range(filled[place], chunk.counts)] = chunk.names
        filled[place] += chunk.counts
        begin, end = chunk.begin, chunk.begin + chunk.size
        grams = np.repeat(place, chunk.counts).astype(np.int32)
        forward[begins[begin] : begins[end]] = grams[np.argsort(chunk.names, kind="stable")]
        each = weights[grams].astype(np.float64) ** 2
        squares[begin:end] = np.bincount(chunk.names - begin, weights=each, minlength=chunk.size)
    return Grams(vocabulary, starts, postings, begins, forward, weights, np.sqrt(squares).astype(np.float32))


def _chunk(names: Sequence[str], begin: int) -> Chunk:
    grams, owner = ngrams(names)
    order = np.argsort(grams, kind="stable")  # an n-gram has one order, and there its names are ascending
    grams, owner = grams[order], owner[order]
    first = np.ones(len(grams), dtype=np.bool_)
    first[1:] = (grams[1:] != grams[:-1]) | (owner[1:] != owner[:-1])
    grams, owner = grams[first], owner[first]
    starts = np.flatnonzero(np.append(True, grams[1:] != grams[:-1]))
    counts = np.diff(np.append(starts, len(grams)))
    return Chunk(begin, len(names), grams[starts], counts, (owner + begin).astype(np.int32))


def distinct(values: NDArray[Any]) -> NDArray[Any]:
    """The distinct values, ascending; ``np.unique`` hashes, which takes a hundred times as long for n-grams."""
    values = np.sort(values)
    return values[np.append(True, values[1:] != values[:-1])] if len(values) else values


class Query(NamedTuple):
    """The n-grams of a folded text that an index knows: places in its vocabulary, int64 (n,), ascending in the length
    of their lists. norm: the length of its vector; what no name has lengthens it too, and is as rare as can be."""

    grams: NDArray[np.int64]
    norm: float


def queries_of(index: Grams, texts: Sequence[str]) -> list[Query]:
    """Folded texts as queries."""
    grams, owner = ngrams(texts)
    grams = grams[np.argsort(owner, kind="stable")]
    ends = np.cumsum(np.bincount(owner, minlength=len(texts)))[:-1]
    return [_query(index, distinct(some)) for some in np.split(grams, ends)]


def _query(index: Grams, grams: NDArray[np.uint64]) -> Query:
    at = np.minimum(np.searchsorted(index.vocabulary, grams), len(index.vocabulary) - 1)
    at = at[index.vocabulary[at] == grams]
    unknown = (len(grams) - len(at)) * (np.log(1 + len(index.norms)) + 1) ** 2
    norm = np.sqrt((index.weights[at].astype(np.float64) ** 2).sum() + unknown)
    return Query(at[np.argsort(index.starts[at + 1] - index.starts[at], kind="stable")], float(norm))


def search(index: Grams, queries: Sequence[Query], k: int, allowed: Sequence[Mask] | None = None) -> list[Alike]:
    """The ``k`` names most like each query; fewer where fewer share an n-gram with it. allowed: for each query, which
    names count."""
    scores = np.zeros(len(index.norms), dtype=np.float32)
    masks = [None] * len(queries) if allowed is None else allowed
    return [_search(index, query, k, scores, mask) for query, mask in zip(queries, masks, strict=True)]


def _search(index: Grams, query: Query, k: int, scores: NDArray[np.float32], mask: Mask) -> Alike:
    """scores: float32 (n_names,), zeros; they are zeros again afterwards."""
    begin = index.starts[query.grams]
    counts = index.starts[query.grams + 1] - begin
    n = max(1, int(np.searchsorted(np.cumsum(counts), BUDGET, "right")))  # a query of one frequent n-gram, too
    touched = index.postings[ragged_range(begin[:n], counts[:n])]
    np.add.at(scores, touched, np.repeat(index.weights[query.grams[:n]] ** 2, counts[:n]))
    near = distinct(touched) if len(touched) < len(scores) else np.flatnonzero(scores)
    near = near if mask is None else near[mask[near]]
    near = near[_largest(scores[near] / index.norms[near], k * SPARE)].astype(np.int64)
    scores[touched] = 0
    cosines = cosines_with(index, query, near)
    best = np.lexsort((near, -cosines))[:k]
    return Alike(near[best], cosines[best])


def cosines_with(index: Grams, query: Query, names: NDArray[np.int64]) -> NDArray[np.float32]:
    """The cosines of a query with names: float32 like them."""
    if not len(names):
        return np.empty(0, dtype=np.float32)
    asked = np.zeros(len(index.vocabulary), dtype=np.float32)
    asked[query.grams] = index.weights[query.grams] ** 2
    counts = index.begins[names + 1] - index.begins[names]
    grams = index.forward[ragged_range(index.begins[names], counts)]
    dots = np.add.reduceat(asked[grams], np.cumsum(counts) - counts)
    return np.minimum(dots / (index.norms[names] * np.float32(query.norm)), 1)


def _largest(values: NDArray[np.float32], n: int) -> NDArray[np.int64]:
    """Where the ``n`` largest values stand, in no order."""
    return np.argpartition(-values, n)[:n] if len(values) > n else np.arange(len(values))
