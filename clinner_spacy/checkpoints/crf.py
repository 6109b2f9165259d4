"""An encoder, a linear layer and one CRF over the pieces of the text: models of SU-FMI-AI and of the BSC's ner_lab.

Weights: the encoder under any one prefix, ``classifier.{weight,bias}`` and ``crf.*`` as pytorch-crf names them. Those
of ner_lab have no ``config.json``: ``encoding.json`` names the base model, the tags and the window, and two boolean
buffers say which transitions are forbidden.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from clinner_spacy.checkpoints.backbone import Checkpoint, read_json
from clinner_spacy.checkpoints.loaded import Loaded
from clinner_spacy.checkpoints.request import Request
from clinner_spacy.checkpoints.single_head import load_single_head
from clinner_spacy.encoders.hub import fetch_encoder
from clinner_spacy.errors import DAMAGE, ClinnerError
from clinner_spacy.ner.heads import Head

#: What ner_lab writes for a transition that must not be.
FORBIDDEN = -10_000.0

#: Its buffers: which transitions these are, and which tags cannot begin.
INVALID = ("invalid_transitions", "invalid_start_transitions")


def load_crf(path: Path, request: Request) -> Loaded:
    """Read a directory whose weights hold a CRF. Raises ClinnerError naming what is missing or does not fit."""
    checkpoint = Checkpoint(path, request.name)
    layers = checkpoint.layers("classifier")
    head = Head(layers, checkpoint.crf("crf", len(layers[-1][0])))
    return load_single_head(checkpoint, head, "token classification with a CRF", request)


def load_ner_lab(path: Path, request: Request) -> Loaded:
    """Read a directory that ner_lab wrote; the config of its encoder is at ``request.base_model``, by default where
    ``encoding.json`` says. Raises ClinnerError as :func:`load_crf` does."""
    request.refuse("labels", because="knows its labels")
    settings, name = request.settings, request.name
    described = read_json(path / "encoding.json")
    try:
        encoding, base = described["encoding"], request.base_model or str(described["model"]["base_model"])
        window, tags = int(encoding["max_length"]), {int(n): str(tag) for tag, n in encoding["label2id"].items()}
    except DAMAGE as error:
        raise ClinnerError(
            f"{path / 'encoding.json'} lacks base model, window or tags ({type(error).__name__}); fetch it again."
        ) from error
    folder = fetch_encoder(base, local_files_only=settings.local_files_only, weights=False)
    checkpoint = Checkpoint(path, name, read_json(folder / "config.json") | {"id2label": tags}, folder)
    layers = [checkpoint.linear("classifier", len(tags))]
    crf = checkpoint.crf("crf", len(tags))
    invalid = [checkpoint.weights.pop(key, None) for key in INVALID]
    pinned = [value if mask is None else _pin(value, mask, name) for value, mask in zip(crf, invalid, strict=False)]
    head = Head(layers, (*pinned, crf[-1]))
    if not settings.window:
        request = replace(request, settings=settings.with_changes({"window": window}))
    return load_single_head(checkpoint, head, "CRF of the BSC's ner_lab", request)


def _pin(value: Any, mask: Any, name: str) -> Any:
    forbidden = mask.numpy().astype(bool)
    if forbidden.shape != value.shape:
        raise ClinnerError(
            f"The forbidden transitions in {name} are {forbidden.shape}, not {value.shape}; fetch it again."
        )
    return np.where(forbidden, FORBIDDEN, value).astype(value.dtype)
