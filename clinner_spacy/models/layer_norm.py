"""Layer norm as PyTorch computes it: thinc's own adds 1e-8 to the variance where PyTorch adds 1e-5."""

from __future__ import annotations

from collections.abc import Callable

from thinc.api import Model
from thinc.types import Floats2d

EPSILON = 1e-5


def TorchLayerNorm(nI: int | None = None) -> Model[Floats2d, Floats2d]:
    """Rows of mean 0 and variance 1, then scaled (param "G") and shifted ("b"): float (n, width) -> (n, width)."""
    return Model("torch_layer_norm", forward, init=init, dims={"nI": nI, "nO": nI}, params={"G": None, "b": None})


def init(model: Model[Floats2d, Floats2d], X: Floats2d | None = None, Y: Floats2d | None = None) -> None:
    if X is not None:
        model.set_dim("nI", X.shape[1])
        model.set_dim("nO", X.shape[1])
    model.set_param("G", model.ops.alloc1f(model.get_dim("nI")) + 1)
    model.set_param("b", model.ops.alloc1f(model.get_dim("nI")))


def forward(
    model: Model[Floats2d, Floats2d], X: Floats2d, is_train: bool
) -> tuple[Floats2d, Callable[[Floats2d], Floats2d]]:
    xp = model.ops.xp
    G, b = model.get_param("G"), model.get_param("b")
    scale = 1 / xp.sqrt(X.var(axis=1, keepdims=True) + EPSILON)
    normal = (X - X.mean(axis=1, keepdims=True)) * scale

    def backprop(dY: Floats2d) -> Floats2d:
        model.inc_grad("G", (dY * normal).sum(axis=0))
        model.inc_grad("b", dY.sum(axis=0))
        d = dY * G
        return (d - d.mean(axis=1, keepdims=True) - normal * (d * normal).mean(axis=1, keepdims=True)) * scale

    return normal * G + b, backprop
