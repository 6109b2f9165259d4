"""Published weights -> a ready model; one module a format."""

from clinner_spacy.checkpoints.load import load_checkpoint
from clinner_spacy.checkpoints.loaded import Loaded

__all__ = ["Loaded", "load_checkpoint"]
