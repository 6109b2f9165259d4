"""Names that are spelled alike: cosine of character n-grams, weighted by how rare they are, by an inverted index.

The n-grams are those of 2, 3 and 4 characters of a folded name with a space at each end, each counted once a name and
weighted by ``log((1 + names) / (1 + names that have it)) + 1``. Since weights depend on the n-gram alone, the index is
lists of names and nothing else: four bytes an n-gram and name.
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

#: Entries of the lists that are added up for a query; beyond, the lists of its most frequent n-grams only tell the best
#: names apart. Terminologies of up to some 50,000 names never reach it.
BUDGET = 100_000

#: Times ``k`` names that are compared by all n-grams of a query.
SPARE = 4


class Grams(NamedTuple):
    """An inverted index of ``n_names`` names.

    vocabulary: uint64 (n_grams,), ascending; starts: int64 (n_grams + 1,), where the list of each begins in postings:
    int32 (n_postings,), names, ascending in each list. weights: float32 (n_grams,). norms: float32 (n_names,).
    """

    vocabulary: NDArray[np.uint64]
    starts: NDArray[np.int64]
    postings: NDArray[np.int32]
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
    int32 (n_pairs,), ascending for each n-gram, counted from the first of all names."""

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
    squares = np.zeros(len(names))
    filled = starts[:-1].copy()
    for n, (place, chunk) in enumerate(zip(places, chunks, strict=True)):
        postings[ragged_range(filled[place], chunk.counts)] = chunk.names
        filled[place] += chunk.counts
        begin, end = n * CHUNK, min((n + 1) * CHUNK, len(names))
        each = np.repeat(weights[place].astype(np.float64) ** 2, chunk.counts)
        squares[begin:end] = np.bincount(chunk.names - begin, weights=each, minlength=end - begin)
    return Grams(vocabulary, starts, postings, weights, np.sqrt(squares).astype(np.float32))


def _chunk(names: Sequence[str], begin: int) -> Chunk:
    grams, owner = ngrams(names)
    order = np.argsort(grams, kind="stable")  # an n-gram has one order, and there its names are ascending
    grams, owner = grams[order], owner[order]
    first = np.ones(len(grams), dtype=np.bool_)
    first[1:] = (grams[1:] != grams[:-1]) | (owner[1:] != owner[:-1])
    grams, owner = grams[first], owner[first]
    starts = np.flatnonzero(np.append(True, grams[1:] != grams[:-1]))
    return Chunk(grams[starts], np.diff(np.append(starts, len(grams))), (owner + begin).astype(np.int32))


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


def search(index: Grams, queries: Sequence[Query], k: int) -> list[Alike]:
    """The ``k`` names most like each query; fewer where fewer share an n-gram with it."""
    scores = np.zeros(len(index.norms), dtype=np.float32)
    return [_search(index, query, k, scores) for query in queries]


def _search(index: Grams, query: Query, k: int, scores: NDArray[np.float32]) -> Alike:
    """scores: float32 (n_names,), zeros; they are zeros again afterwards."""
    begin = index.starts[query.grams]
    counts = index.starts[query.grams + 1] - begin
    n = max(1, int(np.searchsorted(np.cumsum(counts), BUDGET, "right")))  # a query of one frequent n-gram, too
    squares = index.weights[query.grams] ** 2
    touched = index.postings[ragged_range(begin[:n], counts[:n])]
    np.add.at(scores, touched, np.repeat(squares[:n], counts[:n]))
    near = distinct(touched) if len(touched) < len(scores) else np.flatnonzero(scores)
    near = near[_largest(scores[near] / index.norms[near], k * SPARE)]
    near.sort()
    dots = scores[near] + _dots(index, query.grams[n:], near)
    scores[touched] = 0
    cosines = dots / (index.norms[near] * np.float32(query.norm))
    best = np.lexsort((near, -cosines))[:k]
    return Alike(near[best].astype(np.int64), np.minimum(cosines[best], 1))


def cosines_with(index: Grams, query: Query, names: NDArray[np.int64]) -> NDArray[np.float32]:
    """The cosines of a query with names: float32 like them."""
    return np.minimum(_dots(index, query.grams, names) / (index.norms[names] * np.float32(query.norm)), 1)


def _dots(index: Grams, grams: NDArray[np.int64], names: NDArray[Any]) -> NDArray[np.float32]:
    """What n-grams add to the products of a query with names."""
    dots = np.zeros(len(names), dtype=np.float32)
    for gram in grams:
        there = index.postings[index.starts[gram] : index.starts[gram + 1]]
        found = np.minimum(np.searchsorted(there, names), len(there) - 1)
        dots += index.weights[gram] ** 2 * (there[found] == names)
    return dots


def _largest(values: NDArray[np.float32], n: int) -> NDArray[np.int64]:
    """Where the ``n`` largest values stand, in no order."""
    return np.argpartition(-values, n)[:n] if len(values) > n else np.arange(len(values))
