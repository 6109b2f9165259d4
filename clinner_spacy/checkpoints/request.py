"""What is asked of a checkpoint: every reader of a format takes a path and one of these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clinner_spacy.checkpoints.published import refuse_unused
from clinner_spacy.encoders.settings import DEFAULTS, EncoderSettings


@dataclass(frozen=True)
class Request:
    """A checkpoint's name as the user wrote it, and the settings of
    :func:`~clinner_spacy.checkpoints.load.load_checkpoint`, whose docstring describes them."""

    name: str
    base_model: str | None = None
    task: str | Sequence[str] | None = None
    labels: Sequence[str] | None = None
    lang: str | None = None
    words: str | None = None
    settings: EncoderSettings = DEFAULTS

    @property
    def revision(self) -> str | None:
        return self.settings.revision

    def refuse(self, *settings: str, because: str) -> None:
        """Raise ClinnerError if one of these settings was given.

        because: why it has no effect, said of the checkpoint, as "has an encoder of its own".
        """
        refuse_unused({name: getattr(self, name) for name in settings}, f"{self.name} {because} and")
