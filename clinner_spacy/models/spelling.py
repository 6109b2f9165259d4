"""clinner.SpellingEmbed.v1: a vector for each word from its spelling, computed once for each distinct word.

A batch holds most words many times over, and the next batch holds them again. So distinct words are embedded, not
words, and when predicting their vectors are kept from batch to batch: the embedding may be rich at hardly any cost in
speed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from spacy.attrs import ORTH
from spacy.tokens import Doc
from spacy.vectors import Vectors
from spacy.vocab import Vocab
from thinc.api import HashEmbed, Maxout, Model, concatenate
from thinc.types import Floats2d

from clinner_spacy.errors import ClinnerError

Docs = list[Doc]

#: Rows of each feature's hash table, as a share of ``rows``.
FEATURES = {"norm": 1.0, "prefix": 0.25, "suffix": 0.5, "shape": 0.25}

#: Distinct words kept when predicting; numbers and dates bring new ones without end.
MAX_KEPT = 100_000


def build_spelling_embed(
    width: int,
    rows: int,
    maxout_pieces: int = 3,
    ngram_vectors: str | Path | None = None,
    ngram_shape: Sequence[int] = (0, 0),
) -> Model[Docs, list[Floats2d]]:
    """Embed words by norm, prefix, suffix and shape (hash tables of up to ``rows`` rows) and character n-grams.

    width: of the output. ngram_vectors: a ``.floret`` text file with fixed vectors of character n-grams
    (https://github.com/explosion/floret), read when the model is initialized and part of the model from then on.
    ngram_shape: the rows and columns of that table, needed to load a saved model where the file is not at hand.
    Output: float (n_words, width) a document.
    """
    rows_of = [max(1, int(rows * share)) for share in FEATURES.values()]
    features = concatenate(*[HashEmbed(width, n, column=i, seed=7 + i) for i, n in enumerate(rows_of)])
    mix = Maxout(nO=width, nI=width * len(FEATURES) + ngram_shape[1], nP=maxout_pieces, normalize=True, dropout=0.0)
    return Model(
        "spelling_embed",
        forward,
        init=init,
        dims={"nO": width},
        params={"ngrams": None},
        layers=[features, mix],
        attrs={"floret": {}, "ngram_vectors": str(ngram_vectors or ""), "kept": Kept()},
    )


def init(model: Model[Docs, list[Floats2d]], X: Docs | None = None, Y: list[Floats2d] | None = None) -> None:
    if model.attrs["ngram_vectors"]:
        table, model.attrs["floret"] = read_floret(model.attrs["ngram_vectors"])
        model.set_param("ngrams", model.ops.asarray2f(table))
    for layer in model.layers:
        layer.initialize()


def read_floret(path: str | Path) -> tuple[NDArray[np.float32], dict]:
    """Read a ``.floret`` file: the table (rows, width) and how n-grams are hashed into it."""
    try:
        with Path(path).open(encoding="utf8") as file:
            n_rows, width, minn, maxn, hash_count, hash_seed, bow, eow = file.readline().split()
            table = np.loadtxt(file, dtype=np.float32, usecols=range(1, int(width) + 1), comments=None)
    except OSError as error:
        raise ClinnerError(f"ngram_vectors={path} cannot be read: {error.strerror}; make it with floret.") from error
    settings = {"minn": int(minn), "maxn": int(maxn), "hash_count": int(hash_count), "hash_seed": int(hash_seed)}
    return table.reshape(int(n_rows), int(width)), settings | {"bow": bow, "eow": eow}


def forward(
    model: Model[Docs, list[Floats2d]], docs: Docs, is_train: bool
) -> tuple[list[Floats2d], Callable[[list[Floats2d]], Docs]]:
    orths = [doc.to_array([ORTH]) for doc in docs]
    lengths = model.ops.asarray1i([len(doc) for doc in docs])
    distinct, inverse = np.unique(np.concatenate(orths), return_inverse=True)
    vocab = docs[0].vocab
    kept: Kept = model.attrs["kept"]
    if not is_train:
        return model.ops.unflatten(kept.vectors(model, vocab, distinct)[inverse], lengths), lambda d: docs
    kept.clear()
    vectors, backprop_distinct = _embed(model, vocab, distinct, is_train)
    inverse = model.ops.asarray1i(inverse)

    def backprop(d_vectors: list[Floats2d]) -> Docs:
        d_distinct = model.ops.alloc2f(*vectors.shape)
        model.ops.scatter_add(d_distinct, inverse, model.ops.flatten(d_vectors))
        backprop_distinct(d_distinct)
        return docs

    return model.ops.unflatten(vectors[inverse], lengths), backprop


def _embed(
    model: Model, vocab: Vocab, orths: NDArray[np.uint64], is_train: bool
) -> tuple[Floats2d, Callable[[Floats2d], None]]:
    """Vectors of distinct words, float (n_distinct, width)."""
    features, mix = model.layers
    lexemes = [vocab[int(orth)] for orth in orths]
    ids = np.asarray([[lex.norm, lex.prefix, lex.suffix, lex.shape] for lex in lexemes], dtype=np.uint64)
    hashed, backprop_hashed = features(model.ops.asarray2i(ids, dtype="uint64"), is_train)
    n_hashed = hashed.shape[1]
    if model.has_param("ngrams"):
        hashed = model.ops.xp.hstack([hashed, _ngram_vectors(model, [lex.lower_ for lex in lexemes])])
    mixed, backprop_mixed = mix(hashed, is_train)

    def backprop(d_mixed: Floats2d) -> None:
        backprop_hashed(model.ops.as_contig(backprop_mixed(d_mixed)[:, :n_hashed]))

    return mixed, backprop


def _ngram_vectors(model: Model, words: list[str]) -> Floats2d:
    table = Vectors(mode="floret", data=model.get_param("ngrams"), **model.attrs["floret"])
    for word in words:
        table.strings.add(word)
    return table.get_batch(words)


class Kept:
    """Vectors of words met when predicting, until the model learns or gets other parameters."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self.rows: dict[int, int] = {}
        self.table: Floats2d | None = None
        self.parameters: list = []

    def vectors(self, model: Model, vocab: Vocab, orths: NDArray[np.uint64]) -> Floats2d:
        """Vectors of distinct words, float (n_distinct, width), computed for those not met before."""
        # Averaged parameters are swapped in and out without a training step between.
        parameters = [
            node.get_param(name) for node in model.walk() for name in node.param_names if node.has_param(name)
        ]
        same = len(parameters) == len(self.parameters) and all(
            a is b for a, b in zip(parameters, self.parameters, strict=True)
        )
        if not same or len(self.rows) > MAX_KEPT:
            self.clear()
            self.parameters = parameters
        keys = orths.tolist()
        new = [key for key in keys if key not in self.rows]
        if new:
            vectors, _ = _embed(model, vocab, np.asarray(new, dtype=np.uint64), False)
            self.table = vectors if self.table is None else model.ops.xp.vstack([self.table, vectors])
            self.rows |= {key: len(self.rows) + n for n, key in enumerate(new)}
        assert self.table is not None
        return self.table[model.ops.asarray1i([self.rows[key] for key in keys])]
