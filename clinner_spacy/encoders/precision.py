"""Where the encoder runs and with how many bits."""

from __future__ import annotations

import logging
import platform
from pathlib import Path

import torch
from thinc.util import get_torch_default_device

from clinner_spacy.encoders.settings import Precision
from clinner_spacy.errors import ClinnerError

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}

logger = logging.getLogger("clinner_spacy")


def choose_device(device: str | None) -> torch.device:
    """The device named, or the one where thinc's ops are. Raises ClinnerError if it is not there."""
    if device is None:
        return get_torch_default_device()
    try:
        chosen = torch.device(device)
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError) as error:
        raise ClinnerError(
            f"The device {device!r} cannot be used on this machine; leave `device` out or name another."
        ) from error
    return chosen


def choose_dtype(precision: Precision, device: torch.device) -> torch.dtype:
    """The type of the weights at inference: ``"auto"`` is bf16 where the device computes in it, else fp32."""
    if precision != "auto":
        return DTYPES[precision]
    if device.type == "cuda":
        has_bf16 = torch.cuda.get_device_capability(device) >= (8, 0)
    else:
        has_bf16 = device.type == "cpu" and _cpu_multiplies_bf16()
    logger.info("precision=auto: the encoder runs in %s on %s.", "bf16" if has_bf16 else "fp32", device.type)
    return torch.bfloat16 if has_bf16 else torch.float32


def exact_half(value: torch.Tensor, *dtypes: torch.dtype) -> torch.Tensor:
    """Float32 numbers in the first of ``dtypes`` that changes none of them; any other tensor, and what none of the
    types holds, as it is."""
    if value.dtype is not torch.float32:
        return value
    halves = (value.to(dtype) for dtype in dtypes)
    return next((half for half in halves if torch.equal(half.float(), value)), value)


def _cpu_multiplies_bf16() -> bool:
    """True on processors with bf16 matrix or dot-product instructions (AMX, AVX512-BF16, Arm's BF16)."""
    if platform.system() != "Linux":
        return False
    words = set(Path("/proc/cpuinfo").read_text(encoding="ascii", errors="ignore").split())
    return bool(words & {"amx_bf16", "avx512_bf16", "bf16"})
