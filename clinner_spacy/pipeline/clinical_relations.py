"""The factory "clinical_relations": which of the spans found stand in which relation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example, validate_get_examples
from spacy.vocab import Vocab
from thinc.api import Model
from thinc.types import Floats2d

from clinner_spacy.checkpoints.pipeline_dir import about_and_settings, strings
from clinner_spacy.checkpoints.published import refuse_unused
from clinner_spacy.checkpoints.relations import load_relations
from clinner_spacy.corpora.extension import set_relations_extension
from clinner_spacy.encoders.settings import EncoderSettings, Precision
from clinner_spacy.errors import ClinnerError
from clinner_spacy.pipeline.marks import read_marks_alike
from clinner_spacy.pipeline.saved import SavedPipe
from clinner_spacy.relations.candidates import Candidates, Limits, WordSpan, asked_limits, find_candidates
from clinner_spacy.relations.decode import best_relations
from clinner_spacy.relations.gold import count_types, gold_candidates, gold_pairs, gold_spans, log_unreachable
from clinner_spacy.relations.labels import NULL, found_labels, found_pairs
from clinner_spacy.relations.loss import TrainingPairs, pair_loss, training_pairs
from clinner_spacy.relations.write import annotate_relations
from clinner_spacy.scoring.relations import SCORE_WEIGHTS


@Language.factory(
    "clinical_relations",
    requires=["doc.spans"],
    assigns=["doc._.relations"],
    default_config={
        "model": None,
        "checkpoint": None,
        "base_model": None,
        "revision": None,
        "labels": None,
        "types": {},
        "window": None,
        "precision": "auto",
        "device": None,
        "batch_tokens": None,
        "local_files_only": False,
        "spans_key": "sc",
        "pairs": None,
        "max_distance": 100,
        "within_sentence": True,
        "threshold": 0.5,
        "negatives": None,
        "scorer": {"@scorers": "clinner.relation_scorer.v1"},
    },
    default_score_weights=SCORE_WEIGHTS,
)
def make_clinical_relations(
    nlp: Language,
    name: str,
    *,
    model: Model[list[Candidates], Floats2d] | None,
    checkpoint: str | None,
    base_model: str | None,
    revision: str | None,
    labels: list[str] | None,
    types: dict[str, str],
    window: int | None,
    precision: Precision,
    device: str | None,
    batch_tokens: int | None,
    local_files_only: bool,
    spans_key: str,
    pairs: list[list[str]] | None,
    max_distance: int | None,
    within_sentence: bool,
    threshold: Any,  # checked by the component; a config would make a number of "0.5"
    negatives: float | None,
    scorer: Callable | None,
) -> ClinicalRelations:
    """Create the component; see :class:`ClinicalRelations` and, for the settings of published checkpoints from
    ``base_model`` to ``local_files_only``, :func:`clinner_spacy.checkpoints.relations.load_relations`.

    Raises ClinnerError if both a model and a checkpoint are given, for settings of published checkpoints beside a
    model, and if ``pairs`` holds something else than pairs.
    """
    read_marks_alike(nlp)
    if model is not None and checkpoint is not None:
        raise ClinnerError(f"Component {name!r} is given both a model and checkpoint={checkpoint!r}; set one to null.")
    settings = EncoderSettings(
        revision=revision,
        local_files_only=local_files_only,
        window=window,
        precision=precision,
        batch_tokens=batch_tokens,
        device=device,
    )
    from_checkpoint = {"base_model": base_model, "types": types}
    if model is not None:
        refuse_unused(from_checkpoint | settings.changed(), f"Component {name!r}, which is given a model,")
    component = ClinicalRelations(
        nlp.vocab,
        model,
        name,
        checkpoint=checkpoint,
        checkpoint_settings=from_checkpoint | {"labels": labels, "settings": settings},
        labels=labels,
        spans_key=spans_key,
        limits=asked_limits(max_distance, within_sentence, pairs),
        threshold=threshold,
        negatives=negatives,
        scorer=scorer,
    )
    component.meta = nlp.meta
    return component


class ClinicalRelations(SavedPipe):
    """Find relations between the spans of ``doc.spans[spans_key]``.

    They are added to the list ``doc._.relations`` as dicts ``{"head": i, "tail": j, "label": str, "score": float}``,
    head and tail as indices into the group; ``doc._.relations_of(span)`` gives those of a span. A pair has its best
    label if that is at least ``threshold`` probable.

    Candidates are ordered pairs of spans that share a sentence (unless ``within_sentence`` is false) and have at most
    ``max_distance`` words between them (None: any number). A model trained here keeps the (head label, tail label)
    pairs of its training data; ``pairs`` narrows them, or those of a published model, which has none of its own. The
    limits should be those that the model was trained with: its score of a pair may depend on the other pairs.

    negatives: how many pairs in no relation are learned from for each in one, drawn anew for each batch and weighted
    so that the loss stays the same in the mean; None for all.

    Weights named by ``checkpoint`` are read at first use or at ``nlp.initialize()``, never here.
    """

    def __init__(
        self,
        vocab: Vocab,
        model: Model[list[Candidates], Floats2d] | None,
        name: str = "clinical_relations",
        *,
        checkpoint: str | None = None,
        checkpoint_settings: dict[str, Any] | None = None,
        labels: Sequence[str] | None = None,
        spans_key: str = "sc",
        limits: Limits,
        threshold: float = 0.5,
        negatives: float | None = None,
        scorer: Callable | None = None,
    ) -> None:
        set_relations_extension()
        super().__init__(vocab, model, name, checkpoint, checkpoint_settings, threshold)
        self.cfg = {"labels": [], "null": False, "pairs": None, "about": {}}
        self.wanted_labels = labels
        self.spans_key = spans_key
        self.asked = limits
        self.negatives = negatives
        self.scorer = scorer
        self._random = np.random.default_rng(0)

    @property
    def labels(self) -> tuple[str, ...]:
        """The relations' labels, without the null label."""
        return tuple(label for label in self.cfg["labels"] if label != NULL)

    @property
    def label_data(self) -> dict[str, Any]:
        """What ``spacy init labels`` writes and ``initialize`` takes back."""
        return {"labels": list(self.labels), "pairs": self.cfg["pairs"]}

    @property
    def limits(self) -> Limits:
        """What makes two spans a candidate pair."""
        asked = replace(self.asked, pairs=None) if self._sees_all_pairs else self.asked
        return asked.narrowed(self.cfg["pairs"])

    @property
    def _sees_all_pairs(self) -> bool:
        """Whether the scores of a pair depend on the others, so that none may be left out before it is scored."""
        return self.model is not None and bool(self.model.attrs.get("sees_all_pairs"))

    def predict(self, docs: Iterable[Doc]) -> list[list[dict[str, Any]]]:
        """The relations of each document, without touching the documents."""
        docs = list(docs)
        spans = [[WordSpan(s.start, s.end, s.label_) for s in doc.spans.get(self.spans_key, ())] for doc in docs]
        return self.relate(docs, spans, self.threshold)

    def relate(
        self, docs: Iterable[Doc], spans: Sequence[Sequence[WordSpan]], threshold: float
    ) -> list[list[dict[str, Any]]]:
        """The relations between any spans of the documents, by their index, that score at least ``threshold``."""
        self.load()
        labels, null, limits, left = self.cfg["labels"], self.cfg["null"], self.limits, iter(spans)
        found: list[list[dict[str, Any]]] = []
        for batch in self._batches(docs):
            candidates = [find_candidates(doc, next(left), limits) for doc in batch]
            logits = np.zeros((0, len(labels)))
            if with_pairs := [c for c in candidates if len(c.heads)]:
                logits = self.model.ops.to_numpy(self.model.predict(with_pairs))
            found += best_relations(candidates, logits, labels, null, threshold, self.asked.pairs)
        return found

    def set_annotations(self, docs: Iterable[Doc], scores: Sequence[Sequence[dict[str, Any]]]) -> None:
        """Add relations to ``doc._.relations``; what stands there stays, and is not added twice."""
        for doc, found in zip(docs, scores, strict=True):
            annotate_relations(doc, found)

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Language | None = None,
        labels: dict[str, Any] | None = None,
    ) -> None:
        """Learn labels and (head label, tail label) pairs from the examples, or take them from ``labels``.

        A checkpoint named in the config is read and trained on; its labels stay as they are. Raises ClinnerError where
        no example holds a relation.
        """
        validate_get_examples(get_examples, "ClinicalRelations.initialize")
        self._random = np.random.default_rng(np.random.randint(2**31))  # numpy's own is what training.seed sets
        new = self.model is not None and not self.cfg["labels"]
        self.load()
        counts = count_types(get_examples(), self.spans_key)
        if new:
            names = labels["labels"] if labels else self.wanted_labels or found_labels(counts, self.spans_key)
            self._set_cfg(self.cfg | {"labels": [NULL, *names], "null": True, "pairs": None})
        if labels or counts:  # without, a checkpoint is only read
            pairs = labels["pairs"] if labels else found_pairs(counts, self.labels, self.asked.pairs)
            self._set_cfg(self.cfg | {"pairs": pairs})
        log_unreachable(get_examples(), self.spans_key, self.limits)
        if new:
            self.model.set_dim("nO", len(self.cfg["labels"]), force=True)
            self.model.attrs["span_labels"] = sorted({label for pair in self.cfg["pairs"] or () for label in pair})
            sample = [gold_candidates(eg, self.spans_key, self.limits) for eg in islice(get_examples(), 10)]
            self.model.initialize(X=[c for c in sample if c is not None and len(c.doc)] or None)

    def _learn(self, examples: list[Example]) -> float | None:
        """Between gold spans; a document without the span group was not annotated."""
        X, targets, weights = zip(*map(self._training_pairs, examples), strict=True) if examples else ((), (), ())
        if not any(len(c.doc) for c in X):
            return None
        scores, backprop = self.model.begin_update(list(X))
        ops = self.model.ops
        loss, gradient = pair_loss(ops.to_numpy(scores), np.concatenate(targets), np.concatenate(weights))
        backprop(ops.asarray2f(gradient))
        return loss

    def _training_pairs(self, example: Example) -> TrainingPairs:
        null = self.cfg["null"]
        candidates, targets = gold_pairs(example, self.spans_key, self.limits, self.cfg["labels"], null)
        return training_pairs(candidates, targets, null, self.negatives, self._random, self._sees_all_pairs)

    def score(self, examples: Iterable[Example], **kwargs: Any) -> dict[str, Any]:
        """Scores end to end, of what stands in the predicted Docs, and with the references' spans instead."""
        if self.scorer is None:
            return {}
        examples = list(examples)
        found = self.relate_gold(examples, self.threshold)
        return self.scorer(examples, spans_key=self.spans_key, labels=self.labels, with_gold_spans=found)

    def relate_gold(self, examples: Sequence[Example], threshold: float) -> list[list[dict[str, Any]]]:
        """Relations that score at least ``threshold`` between the gold spans of each example."""
        docs = [example.predicted for example in examples]
        return self.relate(docs, [gold_spans(example, self.spans_key) or [] for example in examples], threshold)

    def _read(self, checkpoint: str) -> None:
        loaded = load_relations(checkpoint, **self.checkpoint_settings)
        cfg = {"labels": loaded.labels, "null": False, "pairs": None, "about": loaded.info}
        self._set(loaded.model, loaded.architecture, cfg)

    def _checked(self, cfg: Any) -> dict[str, Any]:
        labels, null, pairs = strings(cfg["labels"]), cfg["null"], cfg["pairs"]
        if not isinstance(null, bool):
            raise TypeError(f"null={null!r}")
        pairs = None if pairs is None else [[head, tail] for head, tail in map(strings, pairs)]
        own = {"labels": labels, "null": null, "pairs": pairs, "architecture": cfg["architecture"]}
        return own | about_and_settings(cfg)

    def _check_size(self, model: Model, cfg: dict[str, Any], source: str) -> None:
        found, needed = model.get_dim("nO"), len(cfg["labels"])
        if found != needed:
            raise ClinnerError(f"{source} scores {found} labels where its cfg names {needed}; save the pipeline again.")
