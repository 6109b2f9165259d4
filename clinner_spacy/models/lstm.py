"""A torch LSTM in both directions over sequences of any lengths, kept without pickle.

thinc has an LSTM of its own, but the gradient of 8.3's is not that of its output; its wrapper of torch's reads padding,
so that a sequence would depend on those beside it, and leaves its weights out when an optimizer's averages are used.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from thinc.api import ArgsKwargs, Model
from thinc.shims import PyTorchShim
from thinc.types import Floats2d
from thinc.util import torch2xp, xp2torch
from torch import Tensor, cat, device, nn
from torch.nn.utils.rnn import pack_sequence, unpack_sequence

from clinner_spacy.encoders.averages import using
from clinner_spacy.encoders.forks import safe_in_forks

Sequences = tuple[Floats2d, list[int]]


def lstm(width: int, depth: int) -> Model[Sequences, Floats2d]:
    """Input: float (n, width), sequences one after the other, and the length of each. Output: float (n, width).

    width: even, since half of the output is of each direction.
    """
    shim = Shim(Sequential(width, depth), serialize_model=to_bytes, deserialize_model=from_bytes)
    return Model("lstm", forward, dims={"nO": width}, shims=[shim])


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


class Shim(PyTorchShim):
    @contextlib.contextmanager
    def use_params(self, params: dict[Any, Any]) -> Iterator[None]:
        with using(self._model, self.id, params):
            yield


def forward(
    model: Model[Sequences, Floats2d], X: Sequences, is_train: bool
) -> tuple[Floats2d, Callable[[Floats2d], Any]]:
    vectors, lengths = X
    shim: Any = model.shims[0]
    given = ArgsKwargs((xp2torch(vectors, requires_grad=is_train, device=shim.device), lengths), {})
    with safe_in_forks(shim.device):
        Y, backprop_torch = shim(given, is_train)

    def backprop(dY: Floats2d) -> Any:
        gradient = xp2torch(dY, device=shim.device)
        return torch2xp(backprop_torch(ArgsKwargs(((Y,),), {"grad_tensors": gradient})).args[0], ops=model.ops)

    found: Any = torch2xp(Y, ops=model.ops)
    return found, backprop


def to_bytes(module: nn.Module) -> bytes:
    return save(module.state_dict())


def from_bytes(module: nn.Module, data: bytes, where: device) -> nn.Module:
    try:
        module.load_state_dict(load(data))
    except (RuntimeError, SafetensorError) as error:  # thinc's models raise ValueError
        raise ValueError(f"the LSTM is another ({type(error).__name__})") from error
    return module.to(where)
