"""Files of weights, looked at before they are read: never code, never more than the file itself holds."""

from __future__ import annotations

import math
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clinner_spacy.errors import ClinnerError

#: The number that files of torch before 1.6 begin with, inside its pickle.
OLD_MAGIC = 0x1950A86A20F9469CFC6C.to_bytes(10, "little")

#: How safetensors' names of floating-point types begin: F32, BF16, F8_E4M3.
FLOATING = ("F", "BF")


def read_state(path: Path) -> dict[str, Any]:
    """The tensors of a ``.pt`` file by name. Raises ClinnerError if it holds anything but plain tensors."""
    import torch

    if not is_torch_file(path):
        raise ClinnerError(f"{path} is no PyTorch file; fetch it again.")
    check_sizes(path)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ClinnerError(
            f"{path} holds a pickled module or other objects, which could run code when read; where you trust it, "
            "convert it with torch.save(torch.load(path, weights_only=False).state_dict(), new_path)."
        ) from error
    except Exception as error:  # what is in the file may break anything
        raise ClinnerError(f"{path} is a damaged PyTorch file ({type(error).__name__}); fetch it again.") from error
    for wrapper in ("state_dict", "model_state_dict"):
        if isinstance(state, Mapping) and isinstance(state.get(wrapper), Mapping):
            state = state[wrapper]
    if not isinstance(state, Mapping) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise ClinnerError(
            f"{path} holds no state_dict but a {type(state).__name__}; save the model's state_dict() instead."
        )
    for name, value in state.items():
        if not _is_plain(value):
            raise ClinnerError(
                f"{path} holds {name!r} without its numbers (sparse, quantized, meta or expanded); save it as a plain "
                "tensor."
            )
    return {str(key).removeprefix("module.").removeprefix("model."): value for key, value in state.items()}


def _is_plain(value: Any) -> bool:
    """True for a tensor that has a number in memory for each of its elements."""
    import torch

    if value.layout is not torch.strided or value.is_quantized or value.is_meta or value.is_nested:
        return False
    return value.numel() * value.element_size() <= value.untyped_storage().nbytes()


def is_torch_file(path: Path) -> bool:
    """True if a file begins as torch.save writes it: a zip archive, before 1.6 a pickled number. Raises ClinnerError
    if it cannot be read."""
    try:
        with path.open("rb") as file:
            start = file.read(32)
    except OSError as error:
        raise ClinnerError(f"{path} cannot be read: {error.strerror}; check it.") from error
    return start.startswith(b"PK\x03\x04") or OLD_MAGIC in start


def check_sizes(path: Path) -> None:
    """Raise ClinnerError for an archive that would be larger unpacked than it is: torch packs nothing, a bomb does."""
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(part.file_size for part in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise ClinnerError(f"{path} is a damaged PyTorch file ({type(error).__name__}); fetch it again.") from error
    if size > path.stat().st_size:
        raise ClinnerError(
            f"{path} is compressed: its {path.stat().st_size:,} bytes would become {size:,}; where you trust it, "
            "save it again with torch.save, which does not compress."
        )


def check_numbers(path: Path) -> None:
    """Raise ClinnerError if a safetensors file has weights in whole numbers: transformers would read them as they are,
    without the scale that makes them weights."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 - it is no dict
                if name.endswith((".weight", ".bias")) and not file.get_slice(name).get_dtype().startswith(FLOATING):
                    raise ClinnerError(f"{path} holds {name} in whole numbers; take the weights before quantization.")
    except (SafetensorError, OSError) as error:
        raise ClinnerError(f"{path} is no safetensors file or is damaged; fetch it again.") from error


def check_finite(weights: Mapping[str, Any], source: str) -> None:
    """Raise ClinnerError if a number is NaN or infinite: such an encoder would find nothing, and not say why."""
    for name, value in weights.items():
        if value.is_floating_point() and value.numel() and not math.isfinite(sum(map(float, value.float().aminmax()))):
            raise ClinnerError(f"{source} has weights that are no finite numbers ({name}); fetch or save it again.")
