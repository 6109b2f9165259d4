"""What a config asks for, before anything is made as large: one number in it may ask for all memory there is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from clinner_spacy.errors import ClinnerError

#: More than any encoder has of what transformers makes one by one, whatever the weights.
MOST = {"num_hidden_layers": 1_000, "num_layers": 1_000, "encoder_layers": 1_000, "num_labels": 100_000}


def check_counts(fields: Mapping[str, Any]) -> None:
    """Raise ValueError if a config, as it was read, counts more layers or labels than any encoder has."""
    for name, most in MOST.items():
        if isinstance(fields.get(name), int | float) and fields[name] > most:
            raise ValueError(f"it has {name}={fields[name]} where {most} is the most")


def check_size(factory: Any, config: Any, path: Path) -> None:
    """Raise ClinnerError if the model of a config has more numbers than the files of weights beside it have bytes."""
    with torch.device("meta"):  # only shapes
        described = sum(part.numel() for part in factory.from_config(config, trust_remote_code=False).parameters())
    there = sum(file.stat().st_size for file in path.iterdir() if file.suffix in (".safetensors", ".bin"))
    if described > there:
        raise ClinnerError(
            f"{path / 'config.json'} describes an encoder of {described:,} numbers, but the weights beside it have "
            f"{there:,} bytes; fetch both again."
        )
