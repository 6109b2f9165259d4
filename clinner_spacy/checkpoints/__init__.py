"""Published weights -> a ready model; one module a format."""

from clinner_spacy.checkpoints.load import known_tasks, load_checkpoint
from clinner_spacy.checkpoints.loaded import Loaded

__all__ = ["Loaded", "known_tasks", "load_checkpoint"]
