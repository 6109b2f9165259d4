"""clinner.WindowEncoder.v1: spaCy's CNN over words, computed by torch, in blocks when predicting.

The layers, their settings, names and saved weights are spaCy's. Torch's products are two to three times as fast as
thinc's on one core (docs/performance.md has the table), and autograd gives the gradients.

A block stays in the processor's cache through all layers, and a document of a million words needs no more memory than
a note. The result is the same: a layer sees ``window_size`` words to either side, so a block is read with ``depth *
window_size`` more at each edge, which are then let go.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from spacy.ml.models.tok2vec import MaxoutWindowEncoder
from thinc.api import Model, with_array
from thinc.types import Floats2d
from thinc.util import torch2xp, xp2torch
from torch import Tensor
from torch.nn.functional import dropout, layer_norm, linear, pad

from clinner_spacy.encoders.forks import safe_in_forks

#: Words of a block; its widest intermediate result is 12 * width bytes a word and layer. Measured: docs/performance.md.
BLOCK = 512

#: What thinc's layer norm adds to the variance.
EPSILON = 1e-8


def build_window_encoder(
    width: int, depth: int, window_size: int = 1, maxout_pieces: int = 3
) -> Model[list[Floats2d], list[Floats2d]]:
    """Settings and parameters are those of ``spacy.MaxoutWindowEncoder.v2``."""
    whole = MaxoutWindowEncoder(width=width, window_size=window_size, maxout_pieces=maxout_pieces, depth=depth)
    layers, context = whole.layers[0], whole.attrs["pad"]
    attrs = {"context": context, "window_size": window_size}
    blocks: Model[Floats2d, Floats2d] = Model(
        "window_encoder", forward, init=init, layers=[layers], dims={"nO": width}, attrs=attrs
    )
    return with_array(blocks, pad=context)


def init(model: Model[Floats2d, Floats2d], X: Floats2d | None = None, Y: Floats2d | None = None) -> None:
    model.layers[0].initialize(X=X, Y=Y)


class Layer(NamedTuple):
    """One layer's parameters, as tensors, and the nodes of the thinc model that own them."""

    W: Tensor  # (width, maxout_pieces, (2 * window_size + 1) * width)
    b: Tensor  # (width, maxout_pieces)
    G: Tensor  # (width,)
    offset: Tensor  # (width,)
    maxout: Model
    norm: Model
    drop: float

    def __call__(self, X: Tensor, window_size: int) -> Tensor:
        """X plus what the layer makes of each word and its neighbours, float (n_words, width)."""
        width, n_pieces, n_in = self.W.shape
        around = pad(X, (0, 0, window_size, window_size))
        near = torch.hstack([around[n : n + len(X)] for n in range(2 * window_size + 1)])
        pieces = linear(near, self.W.view(width * n_pieces, n_in), self.b.view(-1))
        best = pieces.view(-1, width, n_pieces).amax(-1)
        normal = layer_norm(best, (width,), self.G, self.offset, EPSILON)
        return X + (dropout(normal, self.drop) if self.drop else normal)


def forward(
    model: Model[Floats2d, Floats2d], X: Floats2d, is_train: bool
) -> tuple[Floats2d, Callable[[Floats2d], Floats2d]]:
    given: Any = xp2torch(X, requires_grad=is_train)
    layers, window_size = _layers(model, is_train), model.attrs["window_size"]
    with safe_in_forks(given.device), torch.set_grad_enabled(is_train):
        read = _read(layers, window_size, given) if is_train else _read_blocks(model, layers, given)

    def backprop(dY: Floats2d) -> Floats2d:
        read.backward(xp2torch(dY))
        for layer in layers:
            parameters = (layer.maxout, "W", layer.W), (layer.maxout, "b", layer.b), (layer.norm, "G", layer.G)
            for node, name, parameter in (*parameters, (layer.norm, "b", layer.offset)):
                node.inc_grad(name, torch2xp(parameter.grad, ops=model.ops))
        return torch2xp(given.grad, ops=model.ops)

    return torch2xp(read.detach(), ops=model.ops), backprop


def _layers(model: Model[Floats2d, Floats2d], is_train: bool) -> list[Layer]:
    nodes = {name: [node for node in model.walk() if node.name == name] for name in ("maxout", "layernorm", "dropout")}
    layers = []
    for maxout, norm, drop in zip(*nodes.values(), strict=True):
        owners = (maxout, "W"), (maxout, "b"), (norm, "G"), (norm, "b")
        tensors = [xp2torch(node.get_param(name), requires_grad=is_train) for node, name in owners]
        rate = drop.attrs["dropout_rate"] if is_train and drop.attrs.get("is_enabled", True) else 0.0
        layers.append(Layer(*tensors, maxout, norm, rate))
    return layers


def _read(layers: list[Layer], window_size: int, X: Tensor) -> Tensor:
    for layer in layers:
        X = layer(X, window_size)
    return X


def _read_blocks(model: Model[Floats2d, Floats2d], layers: list[Layer], X: Tensor) -> Tensor:
    context, Y = model.attrs["context"], torch.empty_like(X)
    for start in range(0, len(X), BLOCK):
        begin, end = max(0, start - context), min(len(X), start + BLOCK)
        read = _read(layers, model.attrs["window_size"], X[begin : end + context])
        Y[start:end] = read[start - begin : end - begin]
    return Y
