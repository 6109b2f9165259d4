"""What both components have alike: weights that are read when needed, and their way to disk and back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import srsly
from spacy.pipeline import TrainablePipe
from spacy.tokens import Doc
from spacy.vocab import Vocab
from thinc.api import Model

from clinner_spacy.checkpoints.pipeline_dir import read_cfg
from clinner_spacy.checkpoints.published import rebuild
from clinner_spacy.encoders.settings import DEFAULTS
from clinner_spacy.errors import DAMAGE, ClinnerError
from clinner_spacy.files import replacing
from clinner_spacy.models.weights import model_from_bytes, model_to_bytes

#: Words that the model is given at a time; spaCy's batches count documents, however long they are.
MAX_WORDS = 50_000


class SavedPipe(TrainablePipe):
    """A component whose model is that of its config, of a checkpoint or of a saved pipeline.

    Saved are ``model.safetensors`` and ``cfg``: what the component knows of its labels and, for a checkpoint, the
    architecture that its model is rebuilt from.
    """

    cfg: dict[str, Any]

    def __init__(
        self, vocab: Vocab, model: Model | None, name: str, checkpoint: str | None, settings: dict[str, Any] | None
    ) -> None:
        self.vocab = vocab
        self.model: Any = model  # None until its weights are read
        self.name = name
        self.checkpoint = checkpoint
        self.checkpoint_settings = dict(settings or {})
        self.architecture: dict[str, Any] | None = None

    def load(self) -> None:
        """Read the weights that ``checkpoint`` names, if they are not here yet.

        Raises ClinnerError if there is neither a checkpoint nor a model, or if the checkpoint cannot be read.
        """
        if self.model is not None:
            return
        if self.checkpoint is None:
            raise ClinnerError(f"Component {self.name!r} has neither a model nor a checkpoint; set one in its config.")
        self._read(self.checkpoint)

    def to_disk(self, path: str | Path, *, exclude: Sequence[str] = ()) -> None:
        """Write ``cfg`` and ``model.safetensors`` into the directory ``path``."""
        self.load()
        path = Path(path)
        path.mkdir(parents=True, exist_ok=True)
        with replacing(path / "cfg") as file:
            file.write(srsly.json_dumps(self.cfg | {"architecture": self.architecture}, indent=2))
        with replacing(path / "model.safetensors", "wb") as file:
            file.write(model_to_bytes(self.model))

    def from_disk(self, path: str | Path, *, exclude: Sequence[str] = ()) -> Self:
        """Read what :meth:`to_disk` wrote. Raises ClinnerError naming the file that is missing or damaged."""
        cfg = read_cfg(Path(path), self._checked)
        weights = Path(path) / "model.safetensors"
        return self._restore(cfg, weights.read_bytes(), str(weights))

    def to_bytes(self, *, exclude: Sequence[str] = ()) -> bytes:
        """What :meth:`to_disk` writes, as one message."""
        self.load()
        cfg = self.cfg | {"architecture": self.architecture}
        return srsly.msgpack_dumps({"cfg": cfg, "model": model_to_bytes(self.model)})

    def from_bytes(self, bytes_data: bytes, *, exclude: Sequence[str] = ()) -> Self:
        """Read what :meth:`to_bytes` gave. Raises ClinnerError if it is damaged."""
        source = f"The state of component {self.name!r}"
        try:
            state = srsly.msgpack_loads(bytes_data)
            cfg, weights = self._checked(state["cfg"]), state["model"]
        except DAMAGE as error:
            raise ClinnerError(f"{source} is damaged ({type(error).__name__}); serialize it again.") from error
        return self._restore(cfg, weights, source)

    def _restore(self, cfg: dict[str, Any], weights: bytes, source: str) -> Self:
        architecture, model = cfg.pop("architecture"), self.model
        if architecture is not None:
            model = rebuild(architecture, self.checkpoint_settings.get("settings", DEFAULTS), source)
        elif model is None:
            raise ClinnerError(f"{source} belongs to a model that the config does not describe; add its [model] block.")
        model_from_bytes(model, weights, source)
        self._check_size(model, cfg, source)
        self._set(model, architecture, cfg)
        return self

    def _set(self, model: Model, architecture: dict[str, Any] | None, cfg: dict[str, Any]) -> None:
        self._set_cfg(cfg)
        self.model, self.architecture = model, architecture

    def _set_cfg(self, cfg: dict[str, Any]) -> None:
        self.cfg = cfg
        for label in self.labels:
            self.vocab.strings.add(label)

    # What each component knows of itself

    def _read(self, checkpoint: str) -> None:
        """Take what a checkpoint holds."""
        raise NotImplementedError

    def _checked(self, cfg: Any) -> dict[str, Any]:
        """A ``cfg`` as it was read, with the architecture. Raises one of ``DAMAGE`` if it is something else."""
        raise NotImplementedError

    def _check_size(self, model: Model, cfg: dict[str, Any], source: str) -> None:
        """Raise ClinnerError if the weights in ``source`` are not for the labels of ``cfg``."""
        raise NotImplementedError


def by_words(docs: Iterable[Doc], size: int) -> Iterator[list[Doc]]:
    """Documents in their order, in batches of up to ``size`` words; a longer one stands alone."""
    batch: list[Doc] = []
    words = 0
    for doc in docs:
        if batch and words + len(doc) > size:
            yield batch
            batch, words = [], 0
        batch.append(doc)
        words += len(doc)
    if batch:
        yield batch
