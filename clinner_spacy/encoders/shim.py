"""Holds a torch encoder inside a thinc model: device, precision, updates by thinc's optimizer, bytes."""

from __future__ import annotations

import contextlib
import copy
import ctypes
import functools
import platform
from collections.abc import Callable, Iterator
from typing import Any, cast

import torch
from thinc.api import Model, Optimizer, get_current_ops
from thinc.shims import Shim
from thinc.util import torch2xp, xp2torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from clinner_spacy.encoders.averages import using
from clinner_spacy.encoders.batches import Batch
from clinner_spacy.encoders.encoder import Encoder, encoder_from_bytes, encoder_to_bytes, freeze
from clinner_spacy.encoders.forks import check_fork
from clinner_spacy.encoders.packed import PackedEncoder, can_pack, cast_copy, is_real
from clinner_spacy.encoders.precision import choose_device, choose_dtype
from clinner_spacy.errors import ClinnerError
from clinner_spacy.first_use import FIRST_USE

#: mallopt's number for the size from which a block is mapped by itself; see mallopt(3).
M_MMAP_THRESHOLD = -3

#: Tokens the encoder reads in one call unless told otherwise; what a processor core's caches hold is read fastest.
BATCH_TOKENS = 8192
BATCH_TOKENS_CORE = 1024


class EncoderShim(Shim):
    """An encoder that may not be read yet. Weights are float32; inference runs on a copy of them, cast or packed."""

    def __init__(self, precision: str, device: str | None, frozen: bool | int) -> None:
        super().__init__(None)
        self.encoder: Encoder | None = None
        self.precision = precision
        self.device_name = device
        self.frozen = frozen
        self._reader: nn.Module | PackedEncoder | None = None

    def fill(self, encoder: Encoder) -> None:
        """Take an encoder in, on the device that was asked for."""
        encoder.module.to(choose_device(self.device_name))
        freeze(encoder, self.frozen)
        self.encoder, self._model, self._reader = encoder, encoder.module, None

    def encoder_called(self, name: str) -> Encoder:
        """The encoder. Raises ClinnerError, naming it, if it has not been read yet."""
        if self.encoder is None:
            raise ClinnerError(f"The encoder {name!r} has not been read; initialize the pipeline or load a saved one.")
        return self.encoder

    @property
    def device(self) -> torch.device:
        return next(self._model.parameters()).device

    # Reading

    def predict(self, batch: Batch) -> Tensor:
        """The vectors of a batch's readings, float (n_read, width), on the device, in the precision of inference."""
        check_fork(self.device)
        with torch.inference_mode(), torch.autocast(self.device.type, enabled=False):
            return read(self._for_inference(), *self._tensors(batch))

    def batch_tokens(self, asked: int | None, is_train: bool) -> int:
        """The tokens of a batch, padding included: those asked for, or what suits the device."""
        if asked or is_train or self.device.type != "cpu":
            return asked or BATCH_TOKENS
        return min(max(2, torch.get_num_threads()) * BATCH_TOKENS_CORE, BATCH_TOKENS)

    def begin_update(self, batches: list[Batch]) -> tuple[Tensor, Callable[[Any], None]]:
        """The vectors of all batches' readings, float32 (n_read, width), and how to take their gradient back.

        Of several batches only the inputs are kept: each is read once more when its gradient comes, with the same
        dropout, so that memory does not grow with the length of the documents.
        """
        if not any(parameter.requires_grad for parameter in self._model.parameters()):
            return torch.cat([self.predict(batch).float() for batch in batches]), lambda gradient: None
        self._reader = None
        if self.device.type == "cpu":
            _return_memory()
        module = self._model.train()
        dtype = choose_dtype(self.precision, self.device)
        # fp16 would need its loss scaled; it is for inference on older cards.
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=dtype is torch.bfloat16):
            if len(batches) == 1:
                vectors = read(module, *self._tensors(batches[0]))
            else:
                parts = [checkpoint(read, module, *self._tensors(b), use_reentrant=False) for b in batches]
                vectors = torch.cat(parts)
        vectors = vectors.float()
        return vectors, lambda gradient: torch.autograd.backward(vectors, xp2torch(gradient, device=self.device))

    def _tensors(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        ids, lengths, pieces = map(torch.from_numpy, (batch.ids, batch.lengths, batch.pieces))
        return ids.to(self.device), lengths, pieces.to(self.device)

    def _for_inference(self) -> nn.Module | PackedEncoder:
        reader = self._reader
        if reader is None:
            with FIRST_USE:
                reader = self._reader = self._reader or self._make_reader()
        return reader

    def _make_reader(self) -> nn.Module | PackedEncoder:
        dtype = choose_dtype(self.precision, self.device)
        packed = self.encoder is not None and can_pack(self.encoder.config, self.device, dtype)
        return PackedEncoder(self._model, dtype) if packed else cast_copy(self._model, dtype)

    # Learning

    def finish_update(self, optimizer: Optimizer) -> None:
        for name, parameter in self._model.named_parameters():
            if parameter.grad is not None:
                # Without CuPy the optimizer works on the host, wherever the weights are.
                ops = get_current_ops()
                value: Any = torch2xp(parameter.data, ops=ops)
                gradient: Any = torch2xp(parameter.grad, ops=ops)
                value, _ = optimizer((self.id, name), value, gradient)
                # In place: a new tensor around the optimizer's array would hold on to the old one, step after step.
                parameter.data.copy_(xp2torch(value, device=parameter.device))
                parameter.grad = None
                self._reader = None

    @contextlib.contextmanager
    def use_params(self, params: dict[Any, Any]) -> Iterator[None]:
        """Compute with other weights for a while, such as an optimizer's averages, keyed by (shim id, name)."""
        swapped = False
        try:
            with using(self._model, self.id, params) as swapped:
                self._reader = None if swapped else self._reader
                yield
        finally:
            self._reader = None if swapped else self._reader

    # Moving and keeping

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_reader": None}  # packed weights can be neither copied nor pickled, only made anew

    def to_device(self, device_type: str, device_id: int) -> None:
        if self._model is not None and self.device_name is None:
            self._model.to("cpu" if device_type == "cpu" else f"cuda:{device_id}")
            self._reader = None

    def copy(self) -> EncoderShim:
        copied = EncoderShim(self.precision, self.device_name, self.frozen)
        if self.encoder is not None:
            copied.fill(copy.deepcopy(self.encoder))
        return copied

    def to_bytes(self) -> bytes:
        return encoder_to_bytes(self.encoder) if self.encoder is not None else b""

    def from_bytes(self, bytes_data: bytes) -> EncoderShim:
        if bytes_data:
            self.fill(encoder_from_bytes(bytes_data))
        return self


def shim_of(model: Model) -> EncoderShim:
    """The encoder inside a model of ours."""
    return cast(EncoderShim, model.shims[0])


@functools.cache
def _return_memory() -> None:
    """Have glibc give large blocks back to the system once they are free.

    Batches of ever new shapes otherwise fragment its heap: 330 steps with a small encoder held 8.6 GB, mostly unused.
    """
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, 1 << 20)


def read(encoder: nn.Module | PackedEncoder, ids: Tensor, lengths: Tensor, pieces: Tensor) -> Tensor:
    """Encode windows, ids (n, length), and pick the vectors at ``pieces`` (n_read,) of them: (n_read, width).

    lengths: int (n,), pieces a window without padding, on the host.
    """
    if isinstance(encoder, PackedEncoder):
        return encoder(ids, lengths, pieces)
    full = int(lengths.min()) == ids.shape[1]
    mask = None if full else is_real(lengths, ids.shape[1]).long().to(ids.device)
    return encoder(input_ids=ids, attention_mask=mask)[0].flatten(0, 1)[pieces]
