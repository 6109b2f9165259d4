"""clinner.SpellingEmbed.v1: a vector for each word from its spelling, computed once for each distinct word.

A batch holds most words many times over, and the next batch holds them again. So distinct words are embedded, not
words, and when predicting their vectors are cached from batch to batch: the embedding may be rich at hardly any cost in
speed.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Container, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from spacy.attrs import ORTH
from spacy.strings import get_string_id
from spacy.tokens import Doc
from spacy.vectors import Vectors
from spacy.vocab import Vocab
from thinc.api import HashEmbed, Maxout, Model, Ops, concatenate
from thinc.types import Floats2d

from clinner_spacy.errors import ClinnerError
from clinner_spacy.letters import bare

Docs = list[Doc]

#: Rows of each feature's hash table, as a share of ``rows``.
FEATURES = {"norm": 1.0, "prefix": 0.25, "suffix": 0.5, "shape": 0.25}

#: Letters of a folded word's prefix and suffix.
PREFIX, SUFFIX = 3, 4

#: Distinct words cached when predicting; numbers and dates bring new ones without end.
MAX_CACHED = 100_000

#: Characters of a word that its n-grams are taken from; a longer one is no word (its shape, to spaCy, is "LONG").
MAX_CHARACTERS = 100

#: Distinct words embedded at once; a hundred characters each have some 400 hashed n-grams, a row of the table each.
PART = 1024


def build_spelling_embed(
    width: int,
    rows: int,
    maxout_pieces: int = 3,
    ngram_vectors: str | Path | None = None,
    ngram_shape: Sequence[int] = (0, 0),
    folded: bool = False,
) -> Model[Docs, list[Floats2d]]:
    """Embed words by norm, prefix, suffix and shape (hash tables of up to ``rows`` rows) and character n-grams.

    width: of the output. ngram_vectors: a ``.floret`` text file with fixed vectors of character n-grams
    (https://github.com/explosion/floret), read when the model is initialized and part of the model from then on.
    ngram_shape: the rows and columns of that table, needed to load a saved model where the file is not at hand.
    folded: read words in lower case and without accents, so that a note in capitals, or one typed without accents, has
    the vectors of the same note in a journal, but for the shape; prefix and suffix are then longer than spaCy's. The
    n-gram vectors must come from words read so.
    Output: float (n_words, width) a document. Raises ClinnerError where the file cannot be read or has another shape.
    """
    if len(ngram_shape) != 2 or min(ngram_shape) < 0:
        raise ClinnerError(f"ngram_shape={list(ngram_shape)} is not [rows, columns] of a .floret file; see its header.")
    rows_of = [max(1, int(rows * share)) for share in FEATURES.values()]
    features: Model = concatenate(*[HashEmbed(width, n, column=i, seed=7 + i) for i, n in enumerate(rows_of)])
    mix = Maxout(nO=width, nI=width * len(FEATURES) + ngram_shape[1], nP=maxout_pieces, normalize=True, dropout=0.0)
    return Model(
        "spelling_embed",
        forward,
        init=init,
        dims={"nO": width},
        params={"ngrams": None},
        layers=[features, mix],
        attrs={
            "floret": {},
            "ngram_vectors": str(ngram_vectors or ""),
            "ngram_shape": list(ngram_shape),
            "folded": folded,
            "cache": Cache(),
            "ngram_cache": Cache(),
        },
    )


def init(model: Model[Docs, list[Floats2d]], X: Docs | None = None, Y: list[Floats2d] | None = None) -> None:
    path, shape = model.attrs["ngram_vectors"], model.attrs["ngram_shape"]
    if path:
        table, model.attrs["floret"] = read_floret(path)
        if list(table.shape) != shape:
            raise ClinnerError(f"ngram_vectors={path} has the shape {list(table.shape)}; set ngram_shape to that.")
        ops: Any = model.ops
        model.set_param("ngrams", ops.asarray2f(table))
    elif any(shape):
        raise ClinnerError(f"ngram_shape={shape} needs ngram_vectors, a .floret file; name it or set [0, 0].")
    for layer in model.layers:
        layer.initialize()


def read_floret(path: str | Path) -> tuple[NDArray[np.float32], dict]:
    """Read a ``.floret`` file: the table (rows, width) and how n-grams are hashed into it."""
    try:
        with Path(path).open(encoding="utf8") as file:
            n_rows, width, minn, maxn, hash_count, hash_seed, bow, eow = file.readline().split()
            table = np.loadtxt(file, dtype=np.float32, usecols=range(1, int(width) + 1), comments=None, ndmin=2)
        table = table.reshape(int(n_rows), int(width))
        settings: dict[str, Any] = {"minn": int(minn), "maxn": int(maxn), "hash_count": int(hash_count)}
        settings |= {"hash_seed": int(hash_seed), "bow": bow, "eow": eow}
        Vectors(mode="floret", data=table, **settings)  # it knows which settings there can be
    except OSError as error:
        raise ClinnerError(f"ngram_vectors={path} cannot be read: {error.strerror}; make it with floret.") from error
    except (ValueError, OverflowError) as error:
        raise ClinnerError(
            f"ngram_vectors={path} is no .floret file or is damaged: its header must be rows, columns, minn, maxn, "
            "hash count, hash seed, BOW and EOW, and a line must follow for each row; make it with floret."
        ) from error
    return table, settings


def forward(
    model: Model[Docs, list[Floats2d]], docs: Docs, is_train: bool
) -> tuple[list[Floats2d], Callable[[list[Floats2d]], Docs]]:
    ops: Any = model.ops  # its array types are none of numpy's
    lengths = ops.asarray1i([len(doc) for doc in docs])
    orths = np.concatenate([doc.to_array([ORTH]) for doc in docs])
    distinct, inverse = np.unique(orths, return_inverse=True)
    vocab = docs[0].vocab
    if not is_train:
        cached = model.attrs["cache"].rows(
            ops,
            distinct,
            _parameters(model),
            _parameters(model, ("b", "G")),
            lambda new: _embed(model, vocab, new, False)[0],
        )
        return ops.unflatten(cached[inverse], lengths), lambda d: docs
    vectors, backprop_distinct = _embed(model, vocab, distinct, is_train)
    word_of = ops.asarray1i(inverse)

    def backprop(d_vectors: list[Floats2d]) -> Docs:
        d_distinct = ops.alloc2f(*vectors.shape)
        ops.scatter_add(d_distinct, word_of, ops.flatten(d_vectors))
        backprop_distinct(d_distinct)
        return docs

    return ops.unflatten(vectors[word_of], lengths), backprop


def _embed(
    model: Model, vocab: Vocab, orths: NDArray[np.uint64], is_train: bool
) -> tuple[Floats2d, Callable[[Floats2d], None]]:
    """Vectors of distinct words, float (n_distinct, width)."""
    ops: Any = model.ops
    features, mix = model.layers
    folded = model.attrs["folded"]
    ids = _ids(vocab, orths, folded)
    hashed, backprop_hashed = features(ops.asarray2i(ids, dtype="uint64"), is_train)
    n_hashed = hashed.shape[1]
    if model.has_param("ngrams"):
        table: Any = model.get_param("ngrams")

        def compute(new: NDArray[np.uint64]) -> Floats2d:
            return _ngram_vectors(table, model.attrs["floret"], _words(vocab, new, folded))

        # When predicting, the words' own vectors are cached, which is enough.
        ngrams = model.attrs["ngram_cache"].rows(ops, orths, [table], [], compute) if is_train else compute(orths)
        hashed = ops.xp.hstack([hashed, ngrams])
    mixed, backprop_mixed = mix(hashed, is_train)

    def backprop(d_mixed: Floats2d) -> None:
        backprop_hashed(ops.as_contig(backprop_mixed(d_mixed)[:, :n_hashed]))

    return mixed, backprop


def _parameters(model: Model, names: Container[str] | None = None) -> list:
    return [
        node.get_param(name)
        for node in model.walk()
        for name in node.param_names
        if node.has_param(name) and (names is None or name in names)
    ]


def _ids(vocab: Vocab, orths: NDArray[np.uint64], folded: bool) -> NDArray[np.uint64]:
    """What the hash tables are asked for, uint64 (n_words, n_features)."""
    lexemes = [vocab[int(orth)] for orth in orths]
    if not folded:
        return np.asarray([[lex.norm, lex.prefix, lex.suffix, lex.shape] for lex in lexemes], dtype=np.uint64)
    parts = [(word, word[:PREFIX], word[-SUFFIX:]) for word in _words(vocab, orths, folded)]
    ids = [[*map(get_string_id, of_word), lex.shape] for of_word, lex in zip(parts, lexemes, strict=True)]
    return np.asarray(ids, dtype=np.uint64)


def _words(vocab: Vocab, orths: NDArray[np.uint64], folded: bool) -> list[str]:
    """In lower case, without accents if folded."""
    words = [vocab[int(orth)].lower_[:MAX_CHARACTERS] for orth in orths]
    return [bare(word) for word in words] if folded else words


def _ngram_vectors(table: Floats2d, settings: dict, words: list[str]) -> Floats2d:
    """Fixed vectors, float (n_words, table's width)."""
    return Vectors(mode="floret", data=table, **settings).get_batch(words)


class Snapshot(NamedTuple):
    """The parameters that rows were computed from, copies of their biases, key -> row, and the rows."""

    parameters: list
    biases: list
    row_of: dict[int, int]
    table: Floats2d | None


class Cache:
    """Rows computed once for each key, until the parameters they come from change.

    Averaged parameters are swapped in and out, and an optimizer changes them all in place: the one shows in which
    arrays they are, the other in the values of the biases, which are few.

    What is cached is replaced whole, never changed in place, so that threads that share a pipeline, or one that is
    interrupted, always see a key beside its own row.
    """

    def __init__(self) -> None:
        self.forget()

    def __reduce__(self) -> tuple[type[Cache], tuple[()]]:
        return Cache, ()  # a copy or pickle does not tell which words were read

    def forget(self) -> None:
        self.now = Snapshot([], [], {}, None)

    def rows(
        self,
        ops: Ops,
        keys: NDArray[np.uint64],
        parameters: list,
        biases: list,
        compute: Callable[[NDArray[np.uint64]], Floats2d],
    ) -> Floats2d:
        """The rows of distinct keys, float (n_keys, width); ``compute`` gives those of keys not met before.

        parameters: all that the rows come from. biases: those of them whose values are compared.
        """
        known = self.now
        same = (
            len(parameters) == len(known.parameters)
            and all(map(operator.is_, parameters, known.parameters))
            and all(map(ops.xp.array_equal, biases, known.biases))
        )
        if not same or len(known.row_of) > MAX_CACHED:
            known = Snapshot(parameters, [bias.copy() for bias in biases], {}, None)
        wanted = keys.tolist()
        new = [key for key in wanted if key not in known.row_of]
        if new:
            parts = [np.asarray(new[n : n + PART], dtype=np.uint64) for n in range(0, len(new), PART)]
            old = [] if known.table is None else [known.table]
            table = ops.xp.vstack([*old, *map(compute, parts)])
            first = len(known.row_of)
            row_of = known.row_of | {key: first + n for n, key in enumerate(new)}
            self.now = known = Snapshot(parameters, known.biases, row_of, table)
        assert known.table is not None
        return known.table[ops.asarray1i([known.row_of[key] for key in wanted])]
