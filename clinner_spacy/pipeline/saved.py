"""What both components have alike: weights that are read when needed, and their way to disk and back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import srsly
from spacy.pipeline import TrainablePipe
from spacy.tokens import Doc
from spacy.training import Example, validate_examples
from spacy.vocab import Vocab
from thinc.api import Model, Optimizer, set_dropout_rate

from clinner_spacy.checkpoints.pipeline_dir import read_bytes, read_cfg
from clinner_spacy.checkpoints.published import rebuild
from clinner_spacy.encoders.settings import DEFAULTS
from clinner_spacy.errors import ClinnerError
from clinner_spacy.files import replacing
from clinner_spacy.first_use import first_use
from clinner_spacy.models.weights import model_from_bytes, model_to_bytes
from clinner_spacy.ner.threshold import checked_number
from clinner_spacy.pipeline.words import KeepsWords

#: Words that the model is given at a time; spaCy's batches count documents, however long they are.
MAX_WORDS = 50_000

#: Settings that choose among the weights of a checkpoint, or say what they are; saved weights are chosen.
FIXED = ("base_model", "task", "labels", "types", "words")


class SavedPipe(KeepsWords, TrainablePipe):
    """A component whose model is that of its config, of a checkpoint or of a saved pipeline.

    Saved are ``model.safetensors`` and ``cfg``: what the component knows of its labels and weights, its settings and
    threshold and, for a checkpoint, the architecture that its model is rebuilt from. ``exclude`` takes the names
    "model" and "cfg" wherever something is written or read.
    """

    cfg: dict[str, Any]

    def __init__(
        self,
        vocab: Vocab,
        model: Model | None,
        name: str,
        checkpoint: str | list[str] | None,
        settings: dict[str, Any] | None,
        threshold: Any,
    ) -> None:
        self.vocab = vocab
        self.model: Any = model  # None until its weights are read
        self.name = name
        self.checkpoint = checkpoint
        self.checkpoint_settings = dict(settings or {})
        self.architecture: dict[str, Any] | None = None
        self.threshold = threshold
        self.configured = self._fixed() | {"threshold": threshold}
        self.meta: dict[str, Any] = {}  # of the pipeline; the factory sets it

    @property
    def threshold(self) -> Any:
        """The probability from which on something is written. Raises ClinnerError when set to no number from 0 to 1."""
        return self._threshold

    @threshold.setter
    def threshold(self, value: Any) -> None:
        self._threshold = self._checked_threshold(value)

    def _checked_threshold(self, value: Any) -> Any:
        return checked_number(value, "threshold", self.name)

    def _fixed(self) -> dict[str, Any]:
        """The settings that chose among the weights of a checkpoint."""
        revision = self.checkpoint_settings.get("settings", DEFAULTS).revision
        return {key: self.checkpoint_settings.get(key) for key in FIXED} | {"revision": revision}

    def load(self) -> None:
        """Read the weights that ``checkpoint`` names, if they are not here yet; of several threads one reads them.

        Raises ClinnerError if there is neither a checkpoint nor a model, or if the checkpoint cannot be read.
        """
        if self.model is not None:
            return
        with first_use():
            if self.model is not None:
                return
            if self.checkpoint is None:
                raise ClinnerError(
                    f"Component {self.name!r} has neither a model nor a checkpoint; set one in its config."
                )
            self._read(self.checkpoint)

    def _batches(self, docs: Iterable[Doc]) -> Iterator[list[Doc]]:
        """Documents that are read now, in batches of up to ``MAX_WORDS`` words."""
        for batch in by_words(docs, MAX_WORDS):
            self._remember(batch)
            yield batch

    def update(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Optimizer | None = None,
        losses: dict[str, float] | None = None,
    ) -> dict[str, float]:
        """Learn from a batch; a document whose reference says nothing of what is learned here is left out of it."""
        losses = {} if losses is None else losses
        losses.setdefault(self.name, 0.0)
        examples = list(examples)
        validate_examples(examples, f"{type(self).__name__}.update")
        self._remember(example.predicted for example in examples)
        self.load()
        set_dropout_rate(self.model, drop)
        loss = self._learn(examples)
        if loss is not None:
            losses[self.name] += loss
            if sgd not in (None, False):
                self.finish_update(sgd)
        return losses

    def to_disk(self, path: str | Path, *, exclude: Sequence[str] = ()) -> None:
        """Write ``cfg`` and ``model.safetensors`` into the directory ``path``.

        Warns if texts were read outside a memory zone: then spaCy writes their words beside.
        """
        self._warn_of_words()
        self.load()
        path = Path(path)
        path.mkdir(parents=True, exist_ok=True)
        if "cfg" not in exclude:
            with replacing(path / "cfg") as file:
                file.write(json.dumps(self._state(), indent=2, ensure_ascii=False))
        if "model" not in exclude:
            with replacing(path / "model.safetensors", "wb") as file:
                file.write(model_to_bytes(self.model))
        self._correct_meta(path.parent / "meta.json")

    def from_disk(self, path: str | Path, *, exclude: Sequence[str] = ()) -> Self:
        """Read what :meth:`to_disk` wrote. Raises ClinnerError naming the file that is missing or damaged."""
        cfg = self._state() if "cfg" in exclude else read_cfg(Path(path), self._checked)
        weights = Path(path) / "model.safetensors"
        return self._restore(cfg, None if "model" in exclude else read_bytes(weights), str(weights))

    def to_bytes(self, *, exclude: Sequence[str] = ()) -> bytes:
        """What :meth:`to_disk` writes, as one message. Warns as it does."""
        self._warn_of_words()
        self.load()
        state: dict[str, Any] = {} if "cfg" in exclude else {"cfg": self._state()}
        if "model" not in exclude:
            state["model"] = model_to_bytes(self.model)
        return srsly.msgpack_dumps(state)

    def from_bytes(self, bytes_data: bytes, *, exclude: Sequence[str] = ()) -> Self:
        """Read what :meth:`to_bytes` gave. Raises ClinnerError if it is damaged."""
        source = f"The state of component {self.name!r}"
        try:
            state = srsly.msgpack_loads(bytes_data)
            cfg = self._state() if "cfg" in exclude else self._checked(state["cfg"])
            weights = None if "model" in exclude else bytes(memoryview(state["model"]))
        except Exception as error:  # what is in the message may break anything
            raise ClinnerError(f"{source} is damaged ({type(error).__name__}); serialize it again.") from error
        return self._restore(cfg, weights, source)

    def _state(self) -> dict[str, Any]:
        return self.cfg | {
            "architecture": self.architecture,
            "settings": self.configured,
            "threshold": self.threshold,
        }

    def _restore(self, cfg: dict[str, Any], weights: bytes | None, source: str) -> Self:
        architecture, model = cfg.pop("architecture"), self.model
        settings, threshold = cfg.pop("settings"), cfg.pop("threshold")
        if threshold is not None and settings.get("threshold") == self.configured["threshold"]:
            self.threshold = threshold  # set on the component; a config may have another since
        if weights is not None:
            self._refuse_another_choice(settings, source)
            if architecture is not None:
                model = rebuild(architecture, self.checkpoint_settings.get("settings", DEFAULTS), source)
            elif model is None:
                raise ClinnerError(
                    f"{source} belongs to a model that the config does not describe; add its [model] block."
                )
            model_from_bytes(model, weights, source)
        if model is not None and (weights is not None or self.labels):
            self._check_size(model, cfg, source)
        self._set(model, architecture, cfg)
        return self

    def _refuse_another_choice(self, saved: dict[str, Any], source: str) -> None:
        """Raise ClinnerError for settings that the config has since, where saved weights were chosen by others."""
        for key, given in self._fixed().items():
            if key in saved and given and given != saved[key]:
                raise ClinnerError(
                    f"{key}={given!r} of component {self.name!r} has no use for {source}, which is saved with "
                    f"{key}={saved[key]!r}; leave it out."
                )

    def _set(self, model: Model, architecture: dict[str, Any] | None, cfg: dict[str, Any]) -> None:
        # The model last: another thread that sees it must find what belongs to it, too.
        self.architecture = architecture
        self._set_cfg(cfg)
        self.model = model
        self._add_licence(self.meta)

    def _set_cfg(self, cfg: dict[str, Any]) -> None:
        self.cfg = cfg
        for label in self.labels:
            self.vocab.strings.add(label)

    def _add_licence(self, meta: dict[str, Any]) -> bool:
        """Add the licence of the weights to those of a pipeline; whether it was not there."""
        licence, known = self.cfg["about"].get("license"), str(meta.get("license") or "")
        licence = ", ".join(map(str, licence)) if isinstance(licence, list) else str(licence or "")
        if licence in known:
            return False
        meta["license"] = f"{known}, {licence}" if known else licence
        return True

    def _correct_meta(self, path: Path) -> None:
        """spaCy writes ``meta.json`` before its components, some of whose weights are only read to be written."""
        if path.is_file():
            meta = srsly.read_json(path)
            if isinstance(meta, dict) and self.name in meta.get("pipeline", ()) and self._add_licence(meta):
                with replacing(path) as file:
                    file.write(srsly.json_dumps(meta, indent=2))

    # What each component knows of itself

    def _read(self, checkpoint: Any) -> None:
        """Take what a checkpoint holds."""
        raise NotImplementedError

    def _learn(self, examples: list[Example]) -> float | None:
        """Add to the model's gradients what a batch says; its loss, or None if nothing is to be learned from it."""
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
