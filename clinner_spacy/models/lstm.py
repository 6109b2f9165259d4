"""A torch LSTM in both directions over sequences of any lengths, kept without pickle.

thinc has an LSTM of its own, but the gradient of 8.3's is not that of its output, and its wrapper of torch's reads
padding, so that a sequence would depend on those beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from safetensors.torch import load, save
from thinc.api import ArgsKwargs, Model, PyTorchWrapper_v3
from thinc.types import Floats2d
from thinc.util import torch2xp, xp2torch
from torch import Tensor, cat, device, nn
from torch.nn.utils.rnn import pack_sequence, unpack_sequence

Sequences = tuple[Floats2d, list[int]]


def lstm(width: int, depth: int) -> Model[Sequences, Floats2d]:
    """Input: float (n, width), sequences one after the other, and the length of each. Output: float (n, width)."""
    model: Model[Sequences, Floats2d] = PyTorchWrapper_v3(
        Sequential(width, depth), convert_inputs=convert_inputs, serialize_model=to_bytes, deserialize_model=from_bytes
    )
    model.set_dim("nO", width)
    return model


class Sequential(nn.Module):
    """Half of the output's width is of each direction."""

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(width, width // 2, depth, bidirectional=True)

    def forward(self, X: Tensor, lengths: list[int]) -> Tensor:
        if not lengths:
            return X
        packed, _ = self.lstm(pack_sequence(X.split(lengths), enforce_sorted=False))
        return cat(unpack_sequence(packed))


def convert_inputs(model: Model, X: Sequences, is_train: bool) -> tuple[ArgsKwargs, Callable[[ArgsKwargs], Any]]:
    vectors, lengths = X
    shim: Any = model.shims[0]
    given = xp2torch(vectors, requires_grad=is_train, device=shim.device)
    return ArgsKwargs((given, lengths), {}), lambda gradient: torch2xp(gradient.args[0], ops=model.ops)


def to_bytes(module: nn.Module) -> bytes:
    return save(module.state_dict())


def from_bytes(module: nn.Module, data: bytes, where: device) -> nn.Module:
    module.load_state_dict(load(data))
    return module.to(where)
