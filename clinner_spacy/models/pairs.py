"""clinner.SpanPairs.v1: every candidate pair of a batch scored at once, over one encoder pass a document.

Words know the types of the spans they are in. A span is the maximum over its words with its first and last word; a
pair is head, tail, the maximum over the words between, and hashed features (:mod:`clinner_spacy.relations.features`),
and then what the pairs around it are (:mod:`clinner_spacy.models.among`). What a span or a feature gives to a pair's
hidden layer is computed once a span and gathered by its pairs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from spacy.strings import get_string_id
from spacy.tokens import Doc
from thinc.api import Dropout, HashEmbed, LayerNorm, Linear, Maxout, Mish, Model, chain, concatenate
from thinc.types import Floats2d

from clinner_spacy.encoders.pieces import ragged_range
from clinner_spacy.errors import ClinnerError
from clinner_spacy.models.among import among, in_parts
from clinner_spacy.models.lstm import lstm
from clinner_spacy.models.range_max import RangeMax
from clinner_spacy.models.scatter import add_up
from clinner_spacy.relations.candidates import Candidates
from clinner_spacy.relations.features import N_FEATURES, pair_features

Ints = NDArray[np.int64]
Backprop = Callable[[Any], Any]

#: Pairs scored in one go when predicting: of the others only one vector each is kept, some 1.5 KB a pair in all.
CHUNK = 16384

#: Words that are read in one go; all that are read together take as much room as the longest.
STRETCH = 128

#: Width of a feature's vector.
FEATURE_WIDTH = 16

#: Rows of the hash table of span types.
TYPE_ROWS = 500


class Table(NamedTuple):
    """A batch's spans and pairs, counted over all its documents.

    ``start``, ``end``: int (n_spans,), words. ``types``: uint64 (n_spans,). ``heads``, ``tails``: int (n_pairs,),
    spans. ``between``: int (n_pairs, 2), words. ``features``: uint64 (n_pairs, N_FEATURES).
    """

    start: Ints
    end: Ints
    types: NDArray[np.uint64]
    heads: Ints
    tails: Ints
    between: Ints
    features: NDArray[np.uint64]


def build_span_pairs(
    tok2vec: Model[list[Doc], list[Floats2d]],
    width: int = 96,
    depth: int = 1,
    hidden: int = 128,
    rows: int = 10000,
    nO: int | None = None,
) -> Model[list[Candidates], Floats2d]:
    """Score every relation label for every candidate pair.

    tok2vec: any model that gives a vector a word, a listener too. width, depth: of the LSTM, in both directions, over
    each sentence's words joined with the types of their spans. hidden: width of a pair's vector. rows: of each
    feature's hash table. nO: the number of labels; the component sets it. Output: float (n_pairs, nO), logits of all
    documents' pairs, one after the other. Raises ClinnerError if the width is odd.
    """
    if width % 2:
        raise ClinnerError(f"width={width} of clinner.SpanPairs.v1 is odd, but half of it is read in each direction.")
    features: Model = concatenate(*[HashEmbed(FEATURE_WIDTH, rows, column=n, seed=n) for n in range(N_FEATURES)])
    return Model(
        "span_pairs",
        forward,
        init=init,
        dims={"nO": nO},
        attrs={"width": width, "together": True},
        layers=[
            tok2vec,
            HashEmbed(width, TYPE_ROWS, column=0, seed=N_FEATURES),
            Maxout(nO=width, nP=3, normalize=True, dropout=0.0),
            lstm(width, depth),
            Linear(nO=hidden, nI=3 * width),
            Linear(nO=hidden, nI=3 * width),
            Linear(nO=hidden, nI=width),
            chain(drop_features(), features, Linear(nO=hidden, nI=FEATURE_WIDTH * N_FEATURES)),
            chain(LayerNorm(hidden), Dropout(0.0), Mish(hidden, hidden, normalize=True, dropout=0.0)),
            among(hidden),
            chain(LayerNorm(hidden), Dropout(0.0), Mish(hidden, hidden, normalize=True, dropout=0.0), Linear()),
        ],
        refs={"tok2vec": tok2vec},
    )


def init(
    model: Model[list[Candidates], Floats2d], X: list[Candidates] | None = None, Y: Floats2d | None = None
) -> None:
    tok2vec, types, mix, _, head, tail, between, features, join, others, score = model.layers
    tok2vec.initialize(X=[c.doc for c in X] if X else None)
    alloc = model.ops.alloc2f
    width, hidden = model.attrs["width"], head.get_dim("nO")
    mix.initialize(X=alloc(1, tok2vec.get_dim("nO") + width))
    join.initialize(X=alloc(1, hidden))
    score.initialize(X=alloc(1, hidden), Y=alloc(1, model.get_dim("nO")))
    for layer in (types, head, tail, between, features, others):
        layer.initialize()


def forward(model: Model[list[Candidates], Floats2d], X: list[Candidates], is_train: bool) -> tuple[Floats2d, Backprop]:
    head, tail, between, features, join, others, score = model.layers[4:]
    ops: Any = model.ops  # its array types are none of numpy's
    table = tabulate(X)
    words, backprop_words = _read_words(model, X, table, is_train)
    longest = int(max((table.end - table.start).max(initial=1), np.diff(table.between).max(initial=1)))
    maxima = RangeMax(ops, words, longest, is_train)
    spans, span_rows = maxima(table.start, table.end)
    spans = ops.xp.hstack([spans, words[table.start], words[table.end - 1]])
    as_head, backprop_head = head(spans, is_train)
    as_tail, backprop_tail = tail(spans, is_train)

    def alone(part: slice) -> tuple[Floats2d, Backprop]:
        """Pairs by themselves, float (n, hidden)."""
        h, t = table.heads[part], table.tails[part]
        middle, middle_rows = maxima(*table.between[part].T)
        from_between, backprop_between = between(middle, is_train)
        from_features, backprop_features = features(ops.asarray2i(table.features[part], dtype="uint64"), is_train)
        H, backprop_join = join(as_head[h] + as_tail[t] + from_between + from_features, is_train)

        def backprop(dH: Floats2d) -> Floats2d:
            d_pair = backprop_join(dH)
            backprop_features(d_pair)
            d_words = maxima.backprop(backprop_between(d_pair), middle_rows)
            d_spans = backprop_head(add_up(ops, d_pair, h, len(spans)))
            d_spans += backprop_tail(add_up(ops, d_pair, t, len(spans)))
            d_max, d_first, d_last = ops.xp.split(d_spans, 3, axis=1)
            d_words += maxima.backprop(ops.as_contig(d_max), span_rows)
            d_words += add_up(ops, d_first, table.start, len(words))
            d_words += add_up(ops, d_last, table.end - 1, len(words))
            return backprop_words(d_words)

        return H, backprop

    n_pairs = len(table.heads)
    if not n_pairs:  # a shared encoder still waits for a gradient
        return ops.alloc2f(0, model.get_dim("nO")), lambda dY: backprop_words(ops.alloc2f(*words.shape))
    if is_train:
        H, backprop_alone = alone(slice(None))
        together, backprop_others = others((H, table.heads, table.tails), is_train)
        Y, backprop_score = score(together, is_train)
        return Y, lambda dY: backprop_alone(backprop_others(backprop_score(dY)))
    H, Y = ops.alloc2f(n_pairs, join.get_dim("nO")), ops.alloc2f(n_pairs, model.get_dim("nO"))
    for start in range(0, n_pairs, CHUNK):
        H[start : start + CHUNK] = alone(slice(start, start + CHUNK))[0]
    for part, together in in_parts(others, (H, table.heads, table.tails), CHUNK):
        Y[part] = score.predict(together)
    return Y, lambda dY: X


def _read_words(model: Model, X: list[Candidates], table: Table, is_train: bool) -> tuple[Any, Backprop]:
    """A vector a word of the batch, float (n_words, width), that knows the types of the word's spans."""
    tok2vec, types, mix, context = model.layers[:4]
    ops: Any = model.ops
    vectors, backprop_vectors = tok2vec([c.doc for c in X], is_train)
    lengths = ops.asarray1i([len(vector) for vector in vectors])
    flat = ops.flatten(vectors)
    count = table.end - table.start
    covered = ragged_range(table.start, count)
    opens = np.isin(np.arange(len(covered)), np.cumsum(count) - count)
    ids = (np.repeat(table.types, count) + opens.astype(np.uint64))[:, None]
    of_type, backprop_types = types(ops.asarray2i(ids, dtype="uint64"), is_train)
    typed = add_up(ops, of_type, covered, len(flat))
    mixed, backprop_mix = mix(ops.xp.hstack([flat, typed]), is_train)
    words, backprop_context = context((mixed, stretches(X)), is_train)

    def backprop(d_words: Floats2d) -> list[Candidates]:
        d_mixed = backprop_mix(backprop_context(d_words))
        if len(covered):
            backprop_types(ops.as_contig(d_mixed[:, flat.shape[1] :][covered]))
        backprop_vectors(ops.unflatten(ops.as_contig(d_mixed[:, : flat.shape[1]]), lengths))
        return X

    return words, backprop


def stretches(X: list[Candidates]) -> list[int]:
    """Words of each sentence of a batch, in order; a longer one than ``STRETCH`` is cut."""
    lengths: list[int] = []
    for n_words in (n for c in X for n in np.bincount(c.sentences).tolist()):
        lengths += [STRETCH] * (n_words // STRETCH)
        lengths += [n_words % STRETCH] if n_words % STRETCH else []
    return lengths


def drop_features(dropout: float = 0.0) -> Model[Any, Any]:
    """Replace each feature of a pair by its column's unknown in training, at the dropout rate.

    Hashed words and their combinations would be learned by heart; where they may be missing, a model learns from others
    beside them.
    """
    return Model("drop_features", _drop_features, attrs={"dropout_rate": dropout})


def _drop_features(model: Model[Any, Any], ids: Any, is_train: bool) -> tuple[Any, Backprop]:
    rate = model.attrs["dropout_rate"]
    if is_train and rate:
        kept = model.ops.get_dropout_mask(ids.shape, rate) > 0
        ids = model.ops.xp.where(kept, ids, model.ops.xp.zeros_like(ids))
    return ids, lambda d_ids: ids


def tabulate(X: list[Candidates]) -> Table:
    """Spans and pairs of a batch of documents, side by side."""
    word = np.cumsum([0, *(len(c.doc) for c in X)])
    span = np.cumsum([0, *(len(c.spans) for c in X)])
    places = [(n, place) for n, c in enumerate(X) for place in c.spans]
    told = [pair_features(c) for c in X]
    between = [b + word[n] for n, (b, _) in enumerate(told)]
    hash_of = {place.label: get_string_id(place.label) for _, place in places}
    return Table(
        np.asarray([word[n] + place.start for n, place in places], dtype=np.int64),
        np.asarray([word[n] + place.end for n, place in places], dtype=np.int64),
        np.asarray([hash_of[place.label] for _, place in places], dtype=np.uint64),
        np.concatenate([c.heads + span[n] for n, c in enumerate(X)]),
        np.concatenate([c.tails + span[n] for n, c in enumerate(X)]),
        np.concatenate(between),
        np.concatenate([features for _, features in told]),
    )
