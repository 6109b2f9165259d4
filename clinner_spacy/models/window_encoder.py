"""clinner.WindowEncoder.v1: spaCy's CNN over words, computed by torch, in blocks when predicting.

The layers, their settings, names and saved weights are spaCy's. Torch's products are two to three times as fast as
thinc's on one core (docs/performance.md has the table), and autograd gives the gradients.

A block stays in the processor's cache through all layers, and a document of a million words needs no more memory than
a note. The result is the same: a block is read with as many words more at each edge as all layers see to that side,
which are then let go.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

import torch
from spacy.ml.models.tok2vec import MaxoutWindowEncoder
from thinc.api import Model
from thinc.types import Floats2d
from thinc.util import torch2xp, xp2torch
from torch import Tensor
from torch.nn.functional import dropout, layer_norm, linear, pad

from clinner_spacy.encoders.forks import safe_in_forks
from clinner_spacy.errors import ClinnerError

#: Words of a block; its widest intermediate result is 12 * width bytes a word and layer. Measured: docs/performance.md.
BLOCK = 512

#: What thinc's layer norm adds to the variance.
EPSILON = 1e-8


def build_window_encoder(
    width: int, depth: int, window_size: int = 1, maxout_pieces: int = 3, dilations: Sequence[int] = ()
) -> Model[list[Floats2d], list[Floats2d]]:
    """Settings and parameters are those of ``spacy.MaxoutWindowEncoder.v2``, and dilations.

    dilations: how far the neighbours that a layer reads are from each other, in words, one number a layer; none: each
    reads the next ones. With [1, 2, 4] three layers see seven words to either side instead of three, at the same cost
    (Yu and Koltun 2016). Raises ClinnerError if there are not as many as layers, or one is below 1.
    """
    if dilations and (len(dilations) != depth or min(dilations) < 1):
        raise ClinnerError(f"dilations={list(dilations)} must be {depth} numbers from 1, one for each layer of depth.")
    steps = list(dilations) or [1] * depth
    layers = MaxoutWindowEncoder(width, window_size, maxout_pieces, depth).layers[0]
    context = window_size * sum(steps)
    attrs = {"context": context, "window_size": window_size, "dilations": steps}
    blocks: Model[Floats2d, Floats2d] = Model(
        "window_encoder", forward, init=init, layers=[layers], dims={"nO": width}, attrs=attrs
    )
    return Model(
        "with_array(window_encoder)",  # as thinc's, whose place and attrs it has in saved pipelines
        forward_documents,
        init=init,
        layers=[blocks],
        dims={"nO": width},
        attrs={"pad": context},
    )


def init(model: Model, X: Any = None, Y: Any = None) -> None:
    model.layers[0].initialize()


def forward_documents(
    model: Model[list[Floats2d], list[Floats2d]], Xs: list[Floats2d], is_train: bool
) -> tuple[list[Floats2d], Callable[[list[Floats2d]], list[Floats2d]]]:
    """All documents in one array, zeros between them; one document as it is: a copy of a huge one costs memory."""
    (blocks,), ops, pad = model.layers, cast(Any, model.ops), model.attrs["pad"]
    if len(Xs) == 1 and not is_train:
        return [blocks.predict(Xs[0])], lambda dYs: dYs
    lengths = ops.asarray1i([len(X) for X in Xs])
    Y, backprop_blocks = blocks(ops.flatten(Xs, pad=pad), is_train)

    def backprop(dYs: list[Floats2d]) -> list[Floats2d]:
        return ops.unflatten(backprop_blocks(ops.flatten(dYs, pad=pad)), lengths, pad=pad)

    return ops.unflatten(Y, lengths, pad=pad), backprop


class Layer(NamedTuple):
    """One layer's parameters as tensors, in the order of ``OWNERS``, and how it reads."""

    W: Tensor  # (width, maxout_pieces, (2 * window_size + 1) * width)
    b: Tensor  # (width, maxout_pieces)
    gain: Tensor  # (width,)
    offset: Tensor  # (width,)
    window_size: int
    dilation: int
    drop: float

    def __call__(self, X: Tensor) -> Tensor:
        """X plus what the layer makes of each word and its neighbours, float (n_words, width)."""
        width, n_pieces, n_in = self.W.shape
        reach = self.window_size * self.dilation
        around = pad(X, (0, 0, reach, reach))
        near = torch.hstack([around[at : at + len(X)] for at in range(0, 2 * reach + 1, self.dilation)])
        pieces = linear(near, self.W.view(width * n_pieces, n_in), self.b.view(-1))
        best = pieces.view(-1, width, n_pieces).amax(-1)
        normal = layer_norm(best, (width,), self.gain, self.offset, EPSILON)
        return X + (dropout(normal, self.drop) if self.drop else normal)


#: The nodes of spaCy's layer that own its parameters, and the parameters' names.
OWNERS = (("maxout", "W"), ("maxout", "b"), ("layernorm", "G"), ("layernorm", "b"))


def forward(
    model: Model[Floats2d, Floats2d], X: Floats2d, is_train: bool
) -> tuple[Floats2d, Callable[[Floats2d], Floats2d]]:
    return _learn(model, X) if is_train else (_predict(model, X), lambda dY: dY)


def _predict(model: Model[Floats2d, Floats2d], X: Floats2d) -> Floats2d:
    """Holds on to nothing: of a document of a million words each array has half a gigabyte."""
    given: Any = xp2torch(X)
    with safe_in_forks(given.device), torch.set_grad_enabled(False):
        read = _read_blocks(_layers(model, False), given, model.attrs["context"])
    return cast(Floats2d, torch2xp(read, ops=cast(Any, model.ops)))  # its array types are none of torch2xp's


def _learn(
    model: Model[Floats2d, Floats2d], X: Floats2d
) -> tuple[Floats2d, Callable[[Floats2d], Floats2d]]:
    ops: Any = model.ops
    given: Any = xp2torch(X, requires_grad=True)
    layers = _layers(model, True)
    with safe_in_forks(given.device), torch.set_grad_enabled(True):
        read = _read(layers, given)

    def backprop(dY: Floats2d) -> Floats2d:
        with safe_in_forks(given.device):
            read.backward(xp2torch(dY))
        for nodes, layer in zip(_nodes(model), layers, strict=True):
            parameters: Any = layer  # the first are tensors
            for (node, name), parameter in zip(OWNERS, parameters, strict=False):
                gradient: Any = torch2xp(parameter.grad, ops=ops)
                nodes[node].inc_grad(name, gradient)
        return cast(Floats2d, torch2xp(given.grad, ops=ops))

    return cast(Floats2d, torch2xp(read.detach(), ops=ops)), backprop


def _layers(model: Model[Floats2d, Floats2d], is_train: bool) -> list[Layer]:
    window_size, layers = model.attrs["window_size"], []
    for nodes, dilation in zip(_nodes(model), model.attrs["dilations"], strict=True):
        W, b, gain, offset = (
            xp2torch(nodes[node].get_param(name), requires_grad=is_train) for node, name in OWNERS
        )
        drop = nodes["dropout"].attrs["dropout_rate"] if is_train else 0.0
        layers.append(Layer(W, b, gain, offset, window_size, dilation, drop))
    return layers


def _nodes(model: Model[Floats2d, Floats2d]) -> list[dict[str, Model]]:
    """The named nodes of each of spaCy's layers, the first layer first."""
    names = ("maxout", "layernorm", "dropout")
    nodes = zip(*([node for node in model.walk() if node.name == name] for name in names), strict=True)
    return [dict(zip(names, of_layer, strict=True)) for of_layer in nodes]


def _read(layers: list[Layer], X: Tensor) -> Tensor:
    for layer in layers:
        X = layer(X)
    return X


def _read_blocks(layers: list[Layer], X: Tensor, context: int) -> Tensor:
    """Zeros stand before the first word and after the last."""
    Y = torch.empty_like(X)
    for start in range(0, len(X), BLOCK):
        end = min(len(X), start + BLOCK)
        begin, stop = start - context, end + context
        near = pad(X[max(0, begin) : stop], (0, 0, max(0, -begin), max(0, stop - len(X))))
        Y[start:end] = _read(layers, near)[context : context + end - start]
    return Y
