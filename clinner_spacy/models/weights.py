"""A thinc model's parameters <-> safetensors.

Parameters and the state of wrapped torch modules are tensors; what else a model needs to come back (its dims and
attrs) is msgpack in the file's metadata. No pickle. Parameters may be stored in half precision; in memory they are
float32 again.
"""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import srsly
from safetensors import SafetensorError
from safetensors.numpy import load, save
from thinc.api import Model

from clinner_spacy.errors import DAMAGE, ClinnerError


def model_to_bytes(model: Model) -> bytes:
    """Serialize an initialized model; its structure is not stored (see :func:`model_from_bytes`)."""
    state = model.to_dict()
    tensors: dict[str, np.ndarray] = {}
    for n, params in enumerate(state.pop("params")):
        for name, value in params.items():
            if value is not None:  # safetensors writes memory as it lies, of a transposed array the wrong numbers
                tensors[f"{n}.{name}"] = np.ascontiguousarray(model.ops.to_numpy(value))
    for n, shims in enumerate(state.pop("shims")):
        tensors |= {f"{n}.shim.{m}": np.frombuffer(shim, dtype=np.uint8) for m, shim in enumerate(shims)}
    return save(tensors, metadata={"thinc": base64.b64encode(srsly.msgpack_dumps(state)).decode("ascii")})


def model_from_bytes(model: Model, data: bytes, source: str) -> Model:
    """Fill a model of the same structure in place.

    source: what to call the data in an error, e.g. its path. Raises ClinnerError if the data is no such file or belongs
    to another architecture.
    """
    try:
        tensors = load(data)
        header = srsly.json_loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        state: dict[str, Any] = srsly.msgpack_loads(base64.b64decode(header["__metadata__"]["thinc"]))
    except (SafetensorError, *DAMAGE) as error:
        kind = type(error).__name__
        raise ClinnerError(f"{source} is no saved model or is damaged ({kind}); save it again.") from error
    state["params"], state["shims"] = [], []
    for n, node in enumerate(model.walk()):
        own = {key.split(".", 1)[1]: value for key, value in tensors.items() if key.split(".", 1)[0] == str(n)}
        state["shims"].append([own.pop(f"shim.{m}").tobytes() for m in range(len(node.shims)) if f"shim.{m}" in own])
        state["params"].append({name: _as_parameter(own.get(name)) for name in node.param_names})
    try:
        return model.from_dict(state)
    except ClinnerError as error:  # of an encoder within, which does not know where it is kept
        raise ClinnerError(f"{source}: {error}") from error
    except DAMAGE as error:
        raise ClinnerError(f"{source} was saved from another architecture than the configured one: {error}") from error


def _as_parameter(value: np.ndarray | None) -> np.ndarray | None:
    return value.astype(np.float32) if value is not None and value.dtype == np.float16 else value
