"""Which format a checkpoint has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clinner_spacy.checkpoints.loaded import Loaded
from clinner_spacy.checkpoints.pipeline_dir import EMBEDDED, is_pipeline_dir, load_pipeline_dir
from clinner_spacy.errors import ClinnerError


def load_checkpoint(checkpoint: str, **settings: Any) -> Loaded:
    """Read ``checkpoint``: "embedded", or the directory of a spaCy pipeline that holds a "multiclin_ner"."""
    path = EMBEDDED if checkpoint == "embedded" else Path(checkpoint)
    if is_pipeline_dir(path):
        return load_pipeline_dir(path)
    raise ClinnerError(f"checkpoint={checkpoint!r} is none of the formats known.")
