"""clinner.WindowEncoder.v1: spaCy's CNN over words, read in blocks when predicting.

A block stays in the processor's cache through all layers, which is faster than layer by layer over the whole batch, and
a document of a million words needs no more memory than a note. The result is the same: a layer sees ``window_size``
words to either side, so a block is read with ``depth * window_size`` more at each edge, which are then let go.
"""

from __future__ import annotations

from collections.abc import Callable

from spacy.ml.models.tok2vec import MaxoutWindowEncoder
from thinc.api import Model, with_array
from thinc.types import Floats2d

#: Words of a block; its widest intermediate result is 12 * width bytes a word and layer. Measured: docs/performance.md.
BLOCK = 1024


def build_window_encoder(
    width: int, depth: int, window_size: int = 1, maxout_pieces: int = 3
) -> Model[list[Floats2d], list[Floats2d]]:
    """Settings and parameters are those of ``spacy.MaxoutWindowEncoder.v2``."""
    whole = MaxoutWindowEncoder(width=width, window_size=window_size, maxout_pieces=maxout_pieces, depth=depth)
    layers, context = whole.layers[0], whole.attrs["pad"]
    blocks: Model[Floats2d, Floats2d] = Model(
        "window_encoder", forward, init=init, layers=[layers], dims={"nO": width}, attrs={"context": context}
    )
    return with_array(blocks, pad=context)


def init(model: Model[Floats2d, Floats2d], X: Floats2d | None = None, Y: Floats2d | None = None) -> None:
    model.layers[0].initialize(X=X, Y=Y)


def forward(
    model: Model[Floats2d, Floats2d], X: Floats2d, is_train: bool
) -> tuple[Floats2d, Callable[[Floats2d], Floats2d]]:
    layers, context = model.layers[0], model.attrs["context"]
    if is_train or len(X) <= BLOCK:
        return layers(X, is_train)
    Y = model.ops.alloc2f(*X.shape)
    for start in range(0, len(X), BLOCK):
        begin, end = max(0, start - context), min(len(X), start + BLOCK)
        read = layers.predict(X[begin : end + context])
        Y[start:end] = read[start - begin : end - begin]
    return Y, lambda dY: dY
