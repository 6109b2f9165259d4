"""Holds a torch encoder inside a thinc model: device, precision, updates by thinc's optimizer, bytes."""

from __future__ import annotations

import copy
from typing import Any, cast

import torch
from thinc.api import Model
from thinc.util import xp2torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from clinner_spacy.encoders.batches import Batch
from clinner_spacy.encoders.encoder import Encoder, freeze
from clinner_spacy.encoders.forks import safe_in_forks
from clinner_spacy.encoders.packed import PackedEncoder, can_pack, cast_copy, is_real
from clinner_spacy.encoders.precision import choose_device, choose_dtype
from clinner_spacy.encoders.saved import encoder_from_bytes, encoder_to_bytes
from clinner_spacy.encoders.settings import EncoderSettings
from clinner_spacy.encoders.torch_shim import TorchShim
from clinner_spacy.errors import ClinnerError
from clinner_spacy.first_use import first_use

#: Tokens the encoder reads in one call unless told otherwise; what a processor core's caches hold is read fastest.
BATCH_TOKENS = 8192
BATCH_TOKENS_CORE = 1024


class EncoderShim(TorchShim):
    """An encoder that may not be read yet. Weights are float32; inference runs on a copy of them, cast or packed."""

    def __init__(self, settings: EncoderSettings) -> None:
        super().__init__(None)
        self.settings = settings
        self.encoder: Encoder | None = None
        self._dtype: torch.dtype | None = None
        self._reader: nn.Module | PackedEncoder | None = None

    def fill(self, encoder: Encoder) -> None:
        """Take an encoder in, on the device that was asked for."""
        encoder.module.to(choose_device(self.settings.device))
        freeze(encoder, self.settings.freeze)
        self.encoder, self._model = encoder, encoder.module
        self._dtype = self._reader = None

    def use(self, settings: EncoderSettings) -> None:
        """Read with other settings from now on, such as another device."""
        self.settings = settings
        if self.encoder is not None:
            self.fill(self.encoder)

    def encoder_called(self, name: str) -> Encoder:
        """The encoder. Raises ClinnerError, naming it, if it has not been read yet."""
        if self.encoder is None:
            raise ClinnerError(f"The encoder {name!r} has not been read; initialize the pipeline or load a saved one.")
        return self.encoder

    # Reading

    def predict(self, batch: Batch) -> Tensor:
        """The vectors of a batch's readings, float (n_read, width), on the device, in the precision of inference."""
        device = self.device
        with safe_in_forks(device), torch.inference_mode(), torch.autocast(device.type, enabled=False):
            return read(self._for_inference(), *self._tensors(batch))

    @property
    def dtype(self) -> torch.dtype:
        """The type of the weights at inference."""
        if self._dtype is None:  # found out once, so that the log tells once
            self._dtype = choose_dtype(self.settings.precision, self.device)
        return self._dtype

    def batch_tokens(self, is_train: bool) -> int:
        """The tokens of a batch, padding included: those asked for, or what suits the device."""
        if self.settings.batch_tokens is not None:
            return self.settings.batch_tokens
        if is_train or self.device.type != "cpu":
            return BATCH_TOKENS
        return min(max(2, torch.get_num_threads()) * BATCH_TOKENS_CORE, BATCH_TOKENS)

    def trainable_vectors(self, batches: list[Batch]) -> Tensor:
        """The vectors of all batches' readings, float32 (n_read, width), with autograd's way back into the encoder.

        Of several batches only the inputs are kept: each is read once more when its gradient comes, with the same
        dropout, so that memory does not grow with the length of the documents.
        """
        if not any(parameter.requires_grad for parameter in self._model.parameters()):
            return torch.cat([self.predict(batch).float() for batch in batches])
        self._reader = None
        module = self._model.train()
        # fp16 would need its loss scaled; it is for inference on older cards.
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.dtype is torch.bfloat16):
            if len(batches) == 1:
                vectors = read(module, *self._tensors(batches[0]))
            else:
                parts = [checkpoint(read, module, *self._tensors(b), use_reentrant=False) for b in batches]
                vectors = torch.cat(parts)
        return vectors.float()

    def _tensors(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        ids, lengths, pieces = map(torch.from_numpy, (batch.ids, batch.lengths, batch.pieces))
        hidden = None if batch.hidden is None else torch.from_numpy(batch.hidden)
        return ids.to(self.device), lengths, pieces.to(self.device), hidden

    def _for_inference(self) -> nn.Module | PackedEncoder:
        reader = self._reader
        if reader is None:
            with first_use():
                reader = self._reader = self._reader or self._make_reader()
        return reader

    def _make_reader(self) -> nn.Module | PackedEncoder:
        if can_pack(self._model, self.device, self.dtype):
            return PackedEncoder(self._model, self.dtype)
        return cast_copy(self._model, self.dtype)

    def changed(self) -> None:
        self._reader = None

    # Moving and keeping

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_reader": None}  # packed weights can be neither copied nor pickled, only made anew

    def to_device(self, device_type: str, device_id: int) -> None:
        if self.settings.device is None:
            self._dtype = None
            super().to_device(device_type, device_id)

    def copy(self) -> EncoderShim:
        copied = EncoderShim(self.settings)
        if self.encoder is not None:
            copied.fill(copy.deepcopy(self.encoder))
        return copied

    def to_bytes(self) -> bytes:
        return encoder_to_bytes(self.encoder) if self.encoder is not None else b""

    def from_bytes(self, bytes_data: bytes) -> EncoderShim:
        if bytes_data:
            self.fill(encoder_from_bytes(bytes_data))
        return self


def backward(vectors: Tensor, gradient: Any) -> None:
    """Take the gradient of :meth:`EncoderShim.trainable_vectors` back into the encoder, unless that is frozen."""
    if vectors.requires_grad:
        torch.autograd.backward(vectors, xp2torch(gradient, device=vectors.device))


def shim_of(model: Model) -> EncoderShim:
    """The encoder inside a model of ours."""
    return cast(EncoderShim, model.shims[0])


def read(
    encoder: nn.Module | PackedEncoder, ids: Tensor, lengths: Tensor, pieces: Tensor, hidden: Tensor | None = None
) -> Tensor:
    """Encode windows, ids (n, length), and pick the vectors at ``pieces`` (n_read,) of them: (n_read, width).

    lengths: int (n,), pieces a window without padding, on the host. hidden: bool (n, length), on the host, True at
    pieces that no other may see.
    """
    if isinstance(encoder, PackedEncoder):
        return encoder(ids, lengths, pieces, hidden)
    seen = is_real(lengths, ids.shape[1])
    if hidden is not None:
        seen &= ~hidden
    mask = None if seen.all() else seen.long().to(ids.device)
    return encoder(input_ids=ids, attention_mask=mask)[0].flatten(0, 1)[pieces]
