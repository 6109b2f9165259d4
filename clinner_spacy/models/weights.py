"""A thinc model's parameters <-> safetensors.

Parameters and the state of wrapped torch modules are tensors; what else a model needs to come back (its dims and
attrs) is msgpack in the file's metadata, beside a checksum of it all. No pickle. Parameters that half precision holds
exactly are stored so; in memory they are float32 again.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import srsly
import torch
from safetensors.numpy import load, save
from thinc.api import Model

from clinner_spacy.encoders.precision import exact_half
from clinner_spacy.errors import ClinnerError

#: Parameters that an architecture may do without; what it has of them it checks itself.
OPTIONAL = ("T", "ngrams")


def model_to_bytes(model: Model) -> bytes:
    """Serialize an initialized model; its structure is not stored (see :func:`model_from_bytes`)."""
    state = model.to_dict()
    tensors: dict[str, np.ndarray] = {}
    for n, params in enumerate(state.pop("params")):
        tensors |= {f"{n}.{name}": model.ops.to_numpy(value) for name, value in params.items() if value is not None}
    for n, shims in enumerate(state.pop("shims")):
        tensors |= {f"{n}.shim.{m}": np.frombuffer(shim, dtype=np.uint8) for m, shim in enumerate(shims)}
    return pack(tensors, state)


def pack(tensors: Mapping[str, np.ndarray], state: dict[str, Any]) -> bytes:
    """Tensors and state in one safetensors file."""
    # safetensors writes memory as it lies, of a transposed array the wrong numbers.
    stored = {name: _thinned(np.ascontiguousarray(value)) for name, value in tensors.items()}
    about = srsly.msgpack_dumps(state)
    # One value, since safetensors writes several in no order, and the same model should give the same bytes.
    return save(stored, metadata={"thinc": f"{_checksum(stored, about)} {base64.b64encode(about).decode('ascii')}"})


def unpack(data: bytes, source: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The inverse of :func:`pack`. Raises ClinnerError if the data are something else or not what was packed."""
    try:
        tensors = load(data)
        metadata = srsly.json_loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
        checksum, _, text = metadata["thinc"].rpartition(" ")
        about = base64.b64decode(text, validate=True)
        state: dict[str, Any] = srsly.msgpack_loads(about)
    except Exception as error:  # what is in the file may break anything
        kind = type(error).__name__
        raise ClinnerError(f"{source} is no saved model or is damaged ({kind}); save it again.") from error
    if checksum not in ("", _checksum(tensors, about)):  # "": written before there were checksums
        raise ClinnerError(f"{source} is damaged: its checksum is not that of what it holds; save it again.")
    return tensors, state


def model_from_bytes(model: Model, data: bytes, source: str) -> Model:
    """Fill a model of the same structure in place.

    source: what to call the data in an error, e.g. its path. Raises ClinnerError if the data is no such file, is
    damaged, belongs to another architecture, or has parameters that are missing, of other shapes or no finite numbers.
    """
    tensors, state = unpack(data, source)
    known: set[str] = set()
    state["params"], state["shims"] = [], []
    for n, node in enumerate(model.walk()):
        shims = [f"{n}.shim.{m}" for m in range(len(node.shims))]
        state["shims"].append([tensors[key].tobytes() for key in shims if key in tensors])
        state["params"].append({name: _as_parameter(tensors.get(f"{n}.{name}")) for name in node.param_names})
        known.update(shims, (f"{n}.{name}" for name in node.param_names))
    wrong = [f"{name} has no place" for name in tensors if name not in known]
    wrong += [f"{name} is missing" for name in known if ".shim." in name and name not in tensors]
    try:
        model.from_dict(state)
    except ClinnerError as error:  # of an encoder within, which does not know where it is kept
        raise ClinnerError(f"{source}: {error}") from error
    except Exception as error:  # what is in the file may break anything
        reason = " ".join(str(error).split())[:200]
        raise ClinnerError(f"{source} was saved from another architecture than the configured one: {reason}") from error
    wrong += [what for n, node in enumerate(model.walk()) for what in _faults(f"{n}.", node)]
    if wrong:
        raise ClinnerError(f"{source} does not fit the architecture it is for: {wrong[0]}; save the pipeline again.")
    return model


def _faults(prefix: str, node: Model) -> list[str]:
    """What is wrong with the parameters of one layer, whose sizes are its dims."""
    faults = []
    dims = {node.get_dim(dim) for dim in node.dim_names if node.has_dim(dim)}
    for name in node.param_names:
        value: Any = node.get_param(name) if node.has_param(name) else None
        if value is None:
            faults += [] if name in OPTIONAL else [f"{prefix}{name} is missing"]
        elif value.dtype != np.float32:
            faults.append(f"{prefix}{name} is {value.dtype} where float32 is needed")
        elif not node.ops.xp.isfinite(value).all():
            faults.append(f"{prefix}{name} holds numbers that are not finite")
        elif dims and (value.ndim > 1 or name in ("G", "b")) and name not in OPTIONAL and set(value.shape) - dims:
            faults.append(f"{prefix}{name} is {value.shape}, the layer is of {sorted(dims)}")
    return faults


def _thinned(value: np.ndarray) -> np.ndarray:
    """A parameter in half precision if that changes none of its numbers."""
    return exact_half(torch.from_numpy(value), torch.float16).numpy() if value.dtype == np.float32 else value


def _as_parameter(value: np.ndarray | None) -> np.ndarray | None:
    return value.astype(np.float32) if value is not None and value.dtype == np.float16 else value


def _checksum(tensors: Mapping[str, np.ndarray], about: bytes) -> str:
    """SHA-256 of names, types, shapes and numbers, and of what is kept about the model."""
    checksum = hashlib.sha256(about)
    for name in sorted(tensors):
        value = np.ascontiguousarray(tensors[name])
        checksum.update(f"{name} {value.dtype.str} {value.shape}".encode())
        checksum.update(value.data.cast("B") if value.size else b"")
    return checksum.hexdigest()
