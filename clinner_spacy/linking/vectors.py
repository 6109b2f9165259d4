"""Names that mean the like: vectors of a published encoder, one a name, and the nearest to a mention's.

SapBERT and its kin take the vector of the first token ("cls"), sentence encoders the mean of all ("mean"); vectors are
scaled to length one, so that products are cosines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from clinner_spacy.encoders.batches import Batch, pack
from clinner_spacy.encoders.encoder import Encoder, read_encoder
from clinner_spacy.encoders.hub import fetch_encoder
from clinner_spacy.encoders.pieces import ragged_range
from clinner_spacy.encoders.settings import EncoderSettings
from clinner_spacy.encoders.shim import EncoderShim
from clinner_spacy.errors import ClinnerError

Pooling = Literal["cls", "mean"]
Floats = NDArray[np.float32]

#: Pieces of a mention that are read, special tokens included; names are shorter.
MAX_PIECES = 64

#: Names from which on neighbours come from a graph (usearch) and no longer from comparing all.
LARGE = 100_000

#: Texts that are encoded, and names that are compared, at a time.
TEXTS, ROWS = 20_000, 50_000


class Vectors(NamedTuple):
    """The vectors of an index's names, float16 (n_names, width), each of length one; and their usearch graph as bytes,
    uint8 (n,), empty for few names."""

    matrix: NDArray[np.float16]
    graph: NDArray[np.uint8]


@dataclass
class TextEncoder:
    """An encoder of whole texts. pooling: which vector a text has. shim: holds the encoder, on a device and in a
    precision."""

    pooling: Pooling
    shim: EncoderShim = field(default_factory=lambda: EncoderShim(EncoderSettings()))

    def __post_init__(self) -> None:
        if self.pooling not in ("cls", "mean"):
            raise ClinnerError(
                f'pooling={self.pooling!r} is unknown; use "cls" or "mean", as the encoder\'s card says.'
            )

    def __call__(self, texts: Sequence[str]) -> Floats:
        """The vectors of texts, float32 (n, width), of length one; of a text without pieces, zeros."""
        encoder = self.shim.encoder_called("of the index")
        parts = [self._encode(texts[n : n + TEXTS], encoder) for n in range(0, len(texts), TEXTS)]
        return np.concatenate(parts or [np.zeros((0, encoder.width), dtype=np.float32)])

    def _encode(self, texts: Sequence[str], encoder: Encoder) -> Floats:
        prefix, suffix = encoder.pieces.prefix, encoder.pieces.suffix
        room = min(MAX_PIECES, encoder.max_tokens) - encoder.n_special
        ids = [cut.ids[:room] for cut in encoder.pieces.cut(texts)]
        lengths = np.asarray([len(some) + encoder.n_special for some in ids], dtype=np.int64)
        vectors = np.zeros((len(texts), encoder.width), dtype=np.float32)
        for chosen in pack(lengths, self.shim.batch_tokens(False)):
            block = np.full((len(chosen), int(lengths[chosen[0]])), encoder.pad, dtype=np.int64)
            for row, n in enumerate(chosen):
                block[row, : lengths[n]] = [*prefix, *ids[n], *suffix]
            counts = lengths[chosen] if self.pooling == "mean" else np.ones(len(chosen), dtype=np.int64)
            pieces = ragged_range(np.arange(len(chosen)) * block.shape[1], counts)
            read = self.shim.predict(Batch(block, lengths[chosen], pieces, pieces)).float().cpu().numpy()
            vectors[chosen] = np.add.reduceat(read, np.cumsum(counts) - counts) / counts[:, None]
        empty = lengths == encoder.n_special
        vectors[empty] = 0
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)


def load_text_encoder(name: str, pooling: Pooling, revision: str | None = None) -> TextEncoder:
    """A published encoder by directory or name on the hub. Raises ClinnerError if it cannot be had."""
    encoder = TextEncoder(pooling)
    encoder.shim.fill(read_encoder(fetch_encoder(name, revision, False)))
    return encoder


def build_vectors(encoder: TextEncoder, names: Sequence[str]) -> Vectors:
    """The vectors of names, with a graph if they are many. Raises ClinnerError if usearch, which makes it, is not
    installed."""
    parts = [encoder(names[n : n + TEXTS]).astype(np.float16) for n in range(0, len(names), TEXTS)]
    matrix = np.concatenate(parts)
    graph = np.empty(0, dtype=np.uint8)
    if len(matrix) > LARGE:
        made = import_usearch()(ndim=matrix.shape[1], metric="ip", dtype="f16")
        made.add(np.arange(len(matrix)), matrix)
        graph = np.frombuffer(bytes(made.save()), dtype=np.uint8)
    return Vectors(matrix, graph)


def import_usearch() -> Any:
    """usearch's index. Raises ClinnerError where it is not installed."""
    try:
        from usearch.index import Index
    except ImportError as error:
        raise ClinnerError(
            f'Vectors of more than {LARGE:,} names need usearch; install it with pip install "clinner-spacy[linking]".'
        ) from error
    return Index


class Meanings:
    """Finds the names that mean what texts do. A graph is opened once."""

    def __init__(self, encoder: TextEncoder, vectors: Vectors) -> None:
        self.encoder = encoder
        self.vectors = vectors
        self._graph: Any = None

    def nearest(self, queries: Floats, k: int) -> list[NDArray[np.int64]]:
        """The ``k`` names nearest to each of queries, float32 (n, width)."""
        if len(self.vectors.graph):
            return self._by_graph(queries, k)
        best, names = np.empty((len(queries), 0), dtype=np.float32), np.empty((len(queries), 0), dtype=np.int64)
        for begin in range(0, len(self.vectors.matrix), ROWS):
            rows = torch.from_numpy(self.vectors.matrix[begin : begin + ROWS].astype(np.float32))
            cosines, at = (torch.from_numpy(queries) @ rows.T).topk(min(k, len(rows)))
            best = np.concatenate([best, cosines.numpy()], axis=1)
            names = np.concatenate([names, at.numpy() + begin], axis=1)
        order = np.argsort(-best, axis=1, kind="stable")[:, :k]
        return list(np.take_along_axis(names, order, axis=1))

    def _by_graph(self, queries: Floats, k: int) -> list[NDArray[np.int64]]:
        if self._graph is None:
            self._graph = import_usearch().restore(memoryview(self.vectors.graph), view=True)  # type: ignore[arg-type]
        found = self._graph.search(queries.astype(np.float16), k)
        keys = found.keys.reshape(len(queries), -1)
        return [row[row < len(self.vectors.matrix)].astype(np.int64) for row in keys]

    def cosines(self, query: Floats, names: NDArray[np.int64]) -> Floats:
        """The cosines of a vector, float32 (width,), with names."""
        return self.vectors.matrix[names].astype(np.float32) @ query

    def __reduce__(self) -> tuple[type[Meanings], tuple[TextEncoder, Vectors]]:
        return Meanings, (self.encoder, self.vectors)
