"""A torch module inside a thinc model: on the device of thinc's ops, trained by thinc's optimizer, kept as safetensors.

thinc's own shim keeps torch's pickle and leaves its weights out when an optimizer's averages are used.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import srsly
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from thinc.api import Optimizer, get_current_ops
from thinc.shims import Shim
from thinc.util import torch2xp, xp2torch
from torch import nn

from clinner_spacy.encoders.precision import choose_device


class TorchShim(Shim):
    """Trains the torch module ``_model`` with thinc's optimizer; how it is kept is for subclasses to say."""

    @property
    def device(self) -> torch.device:
        return next(self._model.parameters()).device

    def changed(self) -> None:
        """Called when the module has other weights than before; for what was computed from them."""

    def finish_update(self, optimizer: Optimizer) -> None:
        learned = [(name, p) for name, p in self._model.named_parameters() if p.grad is not None]
        for name, parameter in learned:
            # Without CuPy the optimizer works on the host, wherever the weights are.
            ops = get_current_ops()
            value: Any = torch2xp(parameter.data, ops=ops)
            gradient: Any = torch2xp(parameter.grad, ops=ops)
            value, _ = optimizer((self.id, name), value, gradient)
            # In place: a new tensor around the optimizer's array would hold on to the old one, step after step.
            parameter.data.copy_(xp2torch(value, device=parameter.device))
            parameter.grad = None
        if learned:
            self.changed()

    @contextlib.contextmanager
    def use_params(self, params: dict[Any, Any]) -> Iterator[None]:
        """Compute with other weights for a while, such as an optimizer's averages, keyed by (shim id, name)."""
        own = dict(self._model.named_parameters()) if self._model is not None else {}
        replaced = {name: own[name].data for name in own if (self.id, name) in params}
        try:
            for name, value in replaced.items():
                own[name].data = xp2torch(params[self.id, name], device=value.device)
            if replaced:
                self.changed()
            yield
        finally:
            for name, value in replaced.items():
                own[name].data = value
            if replaced:
                self.changed()

    def to_device(self, device_type: str, device_id: int) -> None:
        if self._model is not None:
            self._model.to("cpu" if device_type == "cpu" else f"cuda:{device_id}")
            self.changed()


class ModuleShim(TorchShim):
    """A module that is built once its sizes are known: by :meth:`fill`, or when saved weights are read.

    build: makes the module from its sizes, given by name.
    """

    def __init__(self, build: Callable[..., nn.Module]) -> None:
        super().__init__(None)
        self.build = build
        self.sizes: dict[str, int] = {}

    def fill(self, **sizes: int) -> None:
        """Build the module, with new weights."""
        self.sizes = sizes
        self._model = self.build(**sizes).to(choose_device(None))

    @property
    def module(self) -> nn.Module:
        return self._model

    def to_bytes(self) -> bytes:
        if self._model is None:
            return b""
        return save(self._model.state_dict(), metadata={"sizes": srsly.json_dumps(self.sizes)})

    def from_bytes(self, bytes_data: bytes) -> ModuleShim:
        """Raises ValueError, as thinc's models do, where the weights are those of another module."""
        if bytes_data:
            try:
                header = srsly.json_loads(bytes_data[8 : 8 + int.from_bytes(bytes_data[:8], "little")])
                self.fill(**srsly.json_loads(header["__metadata__"]["sizes"]))
                self._model.load_state_dict(load(bytes_data))
            except (RuntimeError, SafetensorError, LookupError, TypeError) as error:
                raise ValueError(f"the weights are those of another module ({type(error).__name__})") from error
        return self
