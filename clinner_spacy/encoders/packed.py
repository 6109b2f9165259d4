"""A BERT-shaped encoder on a processor: weights laid out for its matrix units, no padding outside attention.

The layers of BERT, RoBERTa, CamemBERT and XLM-RoBERTa, as transformers has them, computed with oneDNN's fused
products (torch's ``mkldnn::_linear_pointwise``, to which ``torch.compile`` comes, too): the weights are rearranged once
instead of at every call, query, key and value are one product, GELU and residuals are added where the product is
written. Pieces of all windows stand one after the other; only attention sees a window's padding.
"""

from __future__ import annotations

import copy
import functools
import platform
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm, scaled_dot_product_attention
from transformers.activations import ACT2FN

#: Encoders whose layers are those of BERT.
MODEL_TYPES = ("bert", "roberta", "camembert", "xlm-roberta")

#: The parts of such a layer. A layer with others (an adapter, quantized weights, another activation) is not packed.
LAYER = {
    "attention.self.query": nn.Linear,
    "attention.self.key": nn.Linear,
    "attention.self.value": nn.Linear,
    "attention.self.dropout": nn.Dropout,
    "attention.output.dense": nn.Linear,
    "attention.output.LayerNorm": nn.LayerNorm,
    "attention.output.dropout": nn.Dropout,
    "intermediate.dense": nn.Linear,
    "intermediate.intermediate_act_fn": type(ACT2FN["gelu"]),
    "output.dense": nn.Linear,
    "output.LayerNorm": nn.LayerNorm,
    "output.dropout": nn.Dropout,
}

#: Attention over windows of a multiple of this many pieces takes two thirds of the time of others.
ALIGNED = 16


class Product(NamedTuple):
    """A linear layer, its weight in oneDNN's own layout."""

    weight: Tensor
    bias: Tensor

    def __call__(self, X: Tensor, activation: str = "none") -> Tensor:
        return torch.ops.mkldnn._linear_pointwise(X, self.weight, self.bias, activation, [], "none")

    def plus(self, X: Tensor, residual: Tensor) -> Tensor:
        return torch.ops.mkldnn._linear_pointwise.binary(X, residual, self.weight, self.bias, "add")


class Layer(NamedTuple):
    """One layer of the encoder; ``between`` and ``after`` are the weight and bias of its two norms."""

    query_key_value: Product
    attended: Product
    between: tuple[Tensor, Tensor]
    up: Product
    down: Product
    after: tuple[Tensor, Tensor]


class Padding(NamedTuple):
    """How attention sees windows of unlike lengths.

    ``rows``: int (n_pieces,), places in the padded windows. ``mask``: float (n_windows, 1, 1, length), -inf at padding
    and at hidden pieces.
    ``room``: float (n_windows * length, 3 * width), where each layer in turn puts its rows; padding stays 0.
    """

    rows: Tensor
    mask: Tensor
    room: Tensor


class Windows(NamedTuple):
    """How many windows, their padded length, and how they are padded, unless all have that length."""

    n: int
    length: int
    padding: Padding | None


class PackedEncoder:
    """Reads windows as the module does that it was made of, in ``dtype``."""

    def __init__(self, module: nn.Module, dtype: torch.dtype) -> None:
        body: Any = getattr(module, "base_model", module)
        self.config = body.config
        self.dtype = dtype
        self.embeddings: Any = cast_copy(body.embeddings, dtype)
        self.layers = [_layer(layer, dtype) for layer in body.encoder.layer]

    def __call__(self, ids: Tensor, lengths: Tensor, pieces: Tensor, hidden: Tensor | None = None) -> Tensor:
        """The last layer's vectors at ``pieces``, float (n_read, width).

        ids: int (n_windows, length), padded. lengths: int (n_windows,). pieces: int (n_read,), counted in the flattened
        ``ids``. hidden: bool like ``ids``, True at pieces that no other may see.
        """
        X = self.embeddings(input_ids=ids)[is_real(lengths, ids.shape[1])]
        windows = self._windows(lengths, hidden)
        for layer in self.layers:
            X = self._read(layer, X, windows)
        return X[place_of(pieces, lengths, ids.shape[1])]

    def _read(self, layer: Layer, X: Tensor, windows: Windows) -> Tensor:
        width, eps = (X.shape[1],), self.config.layer_norm_eps
        attended = self._attend(layer.query_key_value(X), windows)
        X = layer_norm(layer.attended.plus(attended, X), width, *layer.between, eps)
        return layer_norm(layer.down.plus(layer.up(X, "gelu"), X), width, *layer.after, eps)

    def _attend(self, QKV: Tensor, windows: Windows) -> Tensor:
        n, length, padding = windows
        if padding is not None:
            QKV = padding.room.index_copy_(0, padding.rows, QKV)
        query, key, value = QKV.view(n, length, 3, self.config.num_attention_heads, -1).permute(2, 0, 3, 1, 4)
        Y = scaled_dot_product_attention(query, key, value, attn_mask=None if padding is None else padding.mask)
        Y = Y.transpose(1, 2).reshape(n * length, -1)
        return Y if padding is None else Y[padding.rows]

    def _windows(self, lengths: Tensor, hidden: Tensor | None) -> Windows:
        n, length = len(lengths), -(-int(lengths.max()) // ALIGNED) * ALIGNED
        if int(lengths.min()) == length and hidden is None:
            return Windows(n, length, None)
        real = is_real(lengths, length)
        seen = real.clone()
        if hidden is not None:
            seen[:, : hidden.shape[1]] &= ~hidden
        mask = torch.zeros(n, 1, 1, length, dtype=self.dtype).masked_fill_(~seen[:, None, None, :], float("-inf"))
        room = torch.zeros(n * length, 3 * self.config.hidden_size, dtype=self.dtype)
        return Windows(n, length, Padding(real.flatten().nonzero()[:, 0], mask, room))


def is_real(lengths: Tensor, length: int) -> Tensor:
    """bool (n_windows, length): False where a window is padded."""
    return torch.arange(length)[None, :] < lengths[:, None]


def place_of(pieces: Tensor, lengths: Tensor, length: int) -> Tensor:
    """Places in padded windows, int (n,) -> where the same pieces stand among those of all windows."""
    before = lengths.cumsum(0) - lengths
    return before[pieces // length] + pieces % length


def can_pack(module: nn.Module, device: torch.device, dtype: torch.dtype) -> bool:
    """True for encoders of BERT's shape on a processor, in a precision that oneDNN has products for."""
    return (
        device.type == "cpu"
        and dtype in (torch.float32, torch.bfloat16)
        and platform.machine().lower() in ("x86_64", "amd64")  # Arm's library has no GELU in its products: slow
        and is_plain_bert(module)
        and _has_products(dtype)
    )


def is_plain_bert(module: nn.Module) -> bool:
    """True if a module computes what :class:`PackedEncoder` does: its config says so, and nothing was changed in it."""
    body: Any = getattr(module, "base_model", module)
    config: Any = getattr(body, "config", None)
    return (
        getattr(config, "model_type", None) in MODEL_TYPES
        and type(body).__module__.startswith("transformers.models.")
        and getattr(config, "position_embedding_type", "absolute") == "absolute"
        and not getattr(config, "is_decoder", False)
        and all(_leaves(layer) == LAYER for layer in body.encoder.layer)
        and all(layer.attention.self.query.out_features == config.hidden_size for layer in body.encoder.layer)
        and not any(part._forward_hooks or part._forward_pre_hooks for part in module.modules())
    )


def _leaves(layer: nn.Module) -> dict[str, type]:
    return {name: type(part) for name, part in layer.named_modules() if not any(part.children())}


@functools.cache
def _has_products(dtype: torch.dtype) -> bool:
    """Whether this torch on this processor computes them: builds differ, so one is tried."""
    X, W = torch.ones(2, 16, dtype=dtype), torch.eye(16, dtype=dtype)
    try:
        product = Product(torch.ops.mkldnn._reorder_linear_weight(W), torch.zeros(16, dtype=dtype))
        return torch.equal(product.plus(product(X), X), X + X) and bool((product(X, "gelu") < X).all())
    except (AttributeError, RuntimeError):
        return False


def cast_copy(module: nn.Module, dtype: torch.dtype) -> nn.Module:
    """A copy for inference, with parameters of ``dtype``; those that have it are shared with the module.

    Only parameters are cast: buffers such as rotary frequencies need their precision.
    """
    cast = {
        id(p): p if p.dtype is dtype else nn.Parameter(p.detach().to(dtype), requires_grad=False)
        for p in module.parameters()
    }
    return copy.deepcopy(module, cast).eval()


def _layer(layer: Any, dtype: torch.dtype) -> Layer:
    own, out = layer.attention.self, layer.attention.output
    return Layer(
        _product([own.query, own.key, own.value], dtype),
        _product([out.dense], dtype),
        _norm(out.LayerNorm, dtype),
        _product([layer.intermediate.dense], dtype),
        _product([layer.output.dense], dtype),
        _norm(layer.output.LayerNorm, dtype),
    )


def _product(parts: list[nn.Linear], dtype: torch.dtype) -> Product:
    """Linear layers of one input, side by side."""
    weight = torch.cat([part.weight.detach().to(dtype) for part in parts])
    bias = torch.cat([part.bias.detach().to(dtype) for part in parts])
    return Product(torch.ops.mkldnn._reorder_linear_weight(weight), bias)


def _norm(norm: nn.LayerNorm, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    return norm.weight.detach().to(dtype), norm.bias.detach().to(dtype)
