"""What every checkpoint format gives: a model ready to predict, and what is known about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from spacy.tokens import Doc
from thinc.api import Model
from thinc.types import Floats2d

from clinner_spacy.ner.calibration import BetaMap


@dataclass
class Loaded:
    """``model`` scores the tags of ``tasks`` (task -> labels); ``architecture`` is the config block it can be rebuilt
    from with no network, its weights aside; ``info`` is what ``multiclin info`` prints; ``calibration`` maps
    the scores of calibrated tasks."""

    model: Model[list[Doc], list[Floats2d]]
    tasks: dict[str, list[str]]
    architecture: dict[str, Any]
    info: dict[str, Any] = field(default_factory=dict)
    calibration: dict[str, BetaMap] = field(default_factory=dict)
