"""The component behind "multiclin_ner": documents in, mentions of several tasks out, and how it learns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example, validate_get_examples
from spacy.vocab import Vocab
from thinc.api import Model
from thinc.types import Floats2d

from clinner_spacy.checkpoints import Loaded, known_tasks, load_checkpoint
from clinner_spacy.checkpoints.pipeline_dir import check_columns, checked_cfg
from clinner_spacy.encoders.units import units_of
from clinner_spacy.errors import ClinnerError
from clinner_spacy.ner.calibration import BetaMap
from clinner_spacy.ner.decode import on_words, predictions
from clinner_spacy.ner.gold import UNKNOWN, gold_tags
from clinner_spacy.ner.heads import mark_trained, resize_heads
from clinner_spacy.ner.loss import tagging_loss
from clinner_spacy.ner.tagset import TagSet
from clinner_spacy.ner.threshold import Threshold, check_labels, checked_threshold
from clinner_spacy.ner.write import Prediction, annotate_ents, annotate_spans
from clinner_spacy.pipeline.saved import SavedPipe

Annotate = Literal["spans", "ents", "both"]

DEFAULT_SPANS_KEY = "sc"


class MultiClinNER(SavedPipe):
    """Find clinical spans of several tasks; see the README for what each setting does.

    Spans of every task go to ``doc.spans[spans_key]``, overlapping ones too, with one probability a span in its
    ``attrs["scores"]`` (how probable it is to be right, if its task is calibrated; else the mean over the span's words
    of the probability of the tag chosen there), and a flat choice of them to ``doc.ents``: the best score first, then
    the longer.

    threshold: the least score of a span, from 0 to 1: one for all labels, or a dict with that of some labels.

    Weights named by ``checkpoint`` are read at first use or at ``nlp.initialize()``, never here, so that a pipeline
    loaded from disk reads its own.
    """

    def __init__(
        self,
        vocab: Vocab,
        model: Model[list[Doc], list[Floats2d]] | None,
        name: str = "multiclin_ner",
        *,
        checkpoint: str | list[str] | None = None,
        checkpoint_settings: dict[str, Any] | None = None,
        tasks: dict[str, list[str]] | None = None,
        spans_key: str = DEFAULT_SPANS_KEY,
        annotate: Annotate = "both",
        threshold: Threshold = 0.0,
        scorer: Callable | None = None,
    ) -> None:
        self.cfg = {"tasks": dict(tasks or {}), "about": {}, "calibration": {}}
        super().__init__(vocab, model, name, checkpoint, checkpoint_settings, threshold)
        self.spans_key = spans_key
        self._check_names(tasks or {})
        self.annotate = annotate
        self.scorer = scorer

    @property
    def tagset(self) -> TagSet:
        return TagSet(self.cfg["tasks"])

    @property
    def tasks(self) -> dict[str, list[str]]:
        """Task name -> its labels; of a published checkpoint, once its weights are read."""
        if self.model is None and not self.cfg["tasks"]:
            return known_tasks(self.checkpoint, self.checkpoint_settings.get("task"))
        return {task: list(labels) for task, labels in self.cfg["tasks"].items()}

    @property
    def labels(self) -> tuple[str, ...]:
        """Every label of every task."""
        return TagSet(self.tasks).labels

    @property
    def label_data(self) -> dict[str, list[str]]:
        """What ``spacy init labels`` writes and ``initialize`` takes back."""
        return self.tasks

    @property
    def about(self) -> dict[str, Any]:
        """What is known about a checkpoint, its licence above all."""
        return self.cfg["about"]

    @property
    def calibration(self) -> dict[str, BetaMap]:
        """Task -> the map of its spans' scores to the probability that they are right, where that is known."""
        return self.cfg["calibration"]

    @calibration.setter
    def calibration(self, maps: dict[str, BetaMap]) -> None:
        self._set_cfg(self.cfg | {"calibration": dict(maps)})

    def take(self, loaded: Loaded) -> None:
        """Put a checkpoint's model, tasks and calibration into the component."""
        cfg = {"tasks": loaded.tasks, "about": loaded.info, "calibration": loaded.calibration}
        self._set(loaded.model, loaded.architecture, cfg)

    # Prediction

    def predict(self, docs: Iterable[Doc]) -> list[list[Prediction]]:
        """The spans of each document, in text order, without touching the documents."""
        self.load()
        tagset, transitions, ops = self.tagset, self._transitions(), self.model.ops
        found: list[list[Prediction]] = []
        for batch in self._batches(docs):
            units = units_of(self.model, batch)
            tagged = batch if units is None else [of_doc.doc for of_doc in units]
            if not any(map(len, tagged)):
                found += [[] for _ in batch]
                continue
            scores = [ops.to_numpy(score) for score in self.model.predict(tagged)]
            spans = predictions(tagged, scores, tagset, self.threshold, transitions, self.calibration)
            found += spans if units is None else list(map(on_words, batch, units, spans))
        return found

    def set_annotations(self, docs: Iterable[Doc], scores: Sequence[Sequence[Prediction]]) -> None:
        """Write predicted spans to the documents."""
        for doc, found in zip(docs, scores, strict=True):
            if self.annotate != "ents":
                annotate_spans(doc, found, self.spans_key)
            if self.annotate != "spans":
                annotate_ents(doc, found)

    # Training

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Language | None = None,
        labels: dict[str, list[str]] | None = None,
    ) -> None:
        """Set the tasks and the sizes of the heads, from ``labels`` or from the span groups of the examples.

        A checkpoint named in the config is read and trained on: its tasks keep their weights, new ones are added.
        """
        validate_get_examples(get_examples, "MultiClinNER.initialize")
        annotated = self._tasks_of(get_examples(), {})
        if not annotated:
            raise ClinnerError(
                f"The training data of component {self.name!r} has no span group but {self.spans_key!r}; store gold "
                'spans under their task, as in doc.spans["disease"].'
            )
        tasks = labels or self.tasks  # those of the config, or of a model trained before
        if self.model is None:
            self.load()
            tasks = labels or self._tasks_of(get_examples(), self.tasks)
        tasks = tasks or annotated
        if not set(tasks) & set(annotated):
            raise ClinnerError(
                f"Component {self.name!r} has the tasks {', '.join(tasks)}, the training data {', '.join(annotated)}; "
                "let them agree."
            )
        self._resize({task: list(names) for task, names in tasks.items()})
        self.calibration = {}  # of weights that are about to change
        if self.model.has_param("W") is not True:
            sample = [example.predicted for _, example in zip(range(10), get_examples(), strict=False)]
            self.model.initialize(X=[doc for doc in sample if len(doc)] or None)

    def _tasks_of(self, examples: Iterable[Example], known: dict[str, list[str]]) -> dict[str, list[str]]:
        """Known tasks and labels in their order, then those of the examples' span groups in alphabetical order."""
        found: dict[str, set[str]] = {}
        for example in examples:
            for key, group in example.reference.spans.items():
                if key != self.spans_key:
                    found.setdefault(key, set()).update(span.label_ for span in group)
        tasks = {task: list(labels) for task, labels in known.items()}
        for task in sorted(task for task, labels in found.items() if labels):
            old = tasks.get(task, [])
            tasks[task] = old + sorted(found[task].difference(old))
        return tasks

    def _check_names(self, tasks: dict[str, list[str]]) -> None:
        """Raise ClinnerError for a task or label that no file can hold, or a task named as the group of all spans."""
        TagSet(tasks)
        if self.spans_key in tasks:
            raise ClinnerError(
                f"Task {self.spans_key!r} has the name of the span group that component {self.name!r} writes to; give "
                "the task another name, or set spans_key."
            )

    def _resize(self, tasks: dict[str, list[str]]) -> None:
        old = self.tagset
        same = {task: beta for task, beta in self.calibration.items() if tasks.get(task) == old.tasks.get(task)}
        self._set_cfg(self.cfg | {"tasks": tasks, "calibration": same})
        resize_heads(self.model, old, self.tagset)

    def add_task(self, task: str, labels: Sequence[str]) -> None:
        """Add a task, or labels to one; heads that are there keep their weights, new labels are never predicted until
        a document that has them was learned from."""
        self.load()
        known = self.tasks.get(task, [])
        self._resize(self.tasks | {task: [*known, *(label for label in labels if label not in known)]})

    def add_label(self, label: str, task: str | None = None) -> int:
        """Add a label to a task (by default to one of the label's own name in lower case); 0 if it is there already."""
        task = task or label.lower()
        if label in self.tasks.get(task, []):
            return 0
        self.add_task(task, [label])
        return 1

    def _learn(self, examples: list[Example]) -> float | None:
        """A task whose span group is absent from a reference learns nothing from that document."""
        examples = [example for example in examples if len(example.predicted)]
        if not examples:
            return None
        self.calibration.clear()  # it was fitted to other weights
        docs = [example.predicted for example in examples]
        units = units_of(self.model, docs)
        scores, backprop = self.model.begin_update(docs if units is None else [of_doc.doc for of_doc in units])
        loss, gradient = self.get_loss(examples, scores)
        backprop(gradient)
        return loss

    def get_loss(self, examples: Iterable[Example], scores: Sequence[Floats2d]) -> tuple[float, list[Floats2d]]:
        """The summed cross entropy of all annotated tasks and its gradient, a matrix a document."""
        tagset, ops = self.tagset, self.model.ops
        examples = list(examples)
        units = units_of(self.model, [example.predicted for example in examples])
        bounds = [None] * len(examples) if units is None else [of_doc.bounds for of_doc in units]
        tags = np.concatenate([gold_tags(e, tagset, of_doc) for e, of_doc in zip(examples, bounds, strict=True)])
        lengths = np.asarray([len(score) for score in scores])
        logits = np.concatenate([ops.to_numpy(score) for score in scores])
        tags[np.isnan(logits[:, 0])] = UNKNOWN  # words that the encoder cannot read
        mark_trained(self.model, tagset, tags)
        loss, gradient, d_transitions = tagging_loss(logits, tags, lengths, tagset, self._transitions())
        if d_transitions is not None:
            self.model.inc_grad("T", ops.asarray2f(d_transitions))
        return loss, ops.unflatten(ops.asarray2f(gradient), ops.asarray1i(lengths))

    def _transitions(self) -> NDArray[np.floating] | None:
        return self.model.ops.to_numpy(self.model.get_param("T")) if self.model.has_param("T") else None

    def score(self, examples: Iterable[Example], **kwargs: Any) -> dict[str, Any]:
        """Strict and character-overlap scores by task and label, over the tasks that each reference holds."""
        if self.scorer is None:
            return {}
        return self.scorer(list(examples), tasks=self.tasks, spans_key=self.spans_key)

    # Saving and loading

    def _checked_threshold(self, value: Any) -> Threshold:
        threshold = checked_threshold(value, self.name)
        check_labels(threshold, self.tagset.labels, self.name)  # none while those of the model are not known
        return threshold

    def _set_cfg(self, cfg: dict[str, Any]) -> None:
        self._check_names(cfg["tasks"])
        check_labels(self.threshold, TagSet(cfg["tasks"]).labels, self.name)
        super()._set_cfg(cfg)

    def _read(self, checkpoint: str | list[str]) -> None:
        self.take(load_checkpoint(checkpoint, **self.checkpoint_settings))

    def _checked(self, cfg: Any) -> dict[str, Any]:
        return checked_cfg(cfg)

    def _check_size(self, model: Model, cfg: dict[str, Any], source: str) -> None:
        check_columns(model, cfg["tasks"], source)
