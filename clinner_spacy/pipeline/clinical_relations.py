"""The factory "clinical_relations": which of the spans found stand in which relation."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example, validate_examples, validate_get_examples
from spacy.vocab import Vocab
from thinc.api import Model, Optimizer, set_dropout_rate
from thinc.types import Floats2d

from clinner_spacy.checkpoints.pipeline_dir import strings
from clinner_spacy.checkpoints.relations import load_relations
from clinner_spacy.corpora.extension import set_relations_extension
from clinner_spacy.errors import ClinnerError
from clinner_spacy.pipeline.saved import MAX_WORDS, SavedPipe, by_words
from clinner_spacy.relations.candidates import Candidates, Limits, Place, find_candidates
from clinner_spacy.relations.decode import PairRelation, best_relations
from clinner_spacy.relations.gold import gold_spans, gold_targets, lost, relations_of_doc
from clinner_spacy.relations.loss import keep_some, pair_loss

DEFAULT_SPANS_KEY = "sc"

#: The label of pairs in no relation, the first one of models trained here.
NULL = ""

#: What the scores during training are made of when a config does not say.
SCORE_WEIGHTS = {
    **{"relations_gold_f": 1.0, "relations_gold_p": 0.0, "relations_gold_r": 0.0, "relations_gold_per_type": None},
    **{"relations_f": 0.0, "relations_p": 0.0, "relations_r": 0.0, "relations_per_type": None},
}

logger = logging.getLogger("spacy")


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
        "spans_key": DEFAULT_SPANS_KEY,
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
    precision: Literal["auto", "fp32", "bf16", "fp16"],
    device: str | None,
    batch_tokens: int | None,
    local_files_only: bool,
    spans_key: str,
    pairs: list[list[str]] | None,
    max_distance: int | None,
    within_sentence: bool,
    threshold: float,
    negatives: float | None,
    scorer: Callable | None,
) -> ClinicalRelations:
    """Create the component; see :class:`ClinicalRelations`, and
    :func:`clinner_spacy.checkpoints.relations.load_relations` for the settings from ``base_model`` to
    ``local_files_only``, which are for published checkpoints.

    Raises ClinnerError if both a model and a checkpoint are given, or ``pairs`` holds something else than pairs.
    """
    if model is not None and checkpoint is not None:
        raise ClinnerError(f"Component {name!r} is given both a model and checkpoint={checkpoint!r}; set one to null.")
    return ClinicalRelations(
        nlp.vocab,
        model,
        name,
        checkpoint=checkpoint,
        checkpoint_settings={
            "base_model": base_model,
            "revision": revision,
            "labels": labels,
            "types": types,
            "window": window,
            "precision": precision,
            "device": device,
            "batch_tokens": batch_tokens,
            "local_files_only": local_files_only,
        },
        labels=labels,
        spans_key=spans_key,
        pairs=pairs,
        max_distance=max_distance,
        within_sentence=within_sentence,
        threshold=threshold,
        negatives=negatives,
        scorer=scorer,
    )


class ClinicalRelations(SavedPipe):
    """Find relations between the spans of ``doc.spans[spans_key]``.

    They are added to the list ``doc._.relations`` as dicts ``{"head": i, "tail": j, "label": str, "score": float}``,
    head and tail as indices into the group; ``doc._.relations_of(span)`` gives those of a span. A pair has its best
    label if that is at least ``threshold`` probable.

    Candidates are ordered pairs of spans that share a sentence (unless ``within_sentence`` is false) and have at most
    ``max_distance`` words between them (None: any number). A model trained here keeps the (head label, tail label)
    pairs of its training data; ``pairs`` narrows them, or those of a published model, which has none of its own. The
    limits belong to what a model has learned from: it may look at a pair among the others.

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
        spans_key: str = DEFAULT_SPANS_KEY,
        pairs: Sequence[Sequence[str]] | None = None,
        max_distance: int | None = 100,
        within_sentence: bool = True,
        threshold: float = 0.5,
        negatives: float | None = None,
        scorer: Callable | None = None,
    ) -> None:
        set_relations_extension()
        if pairs is not None and any(isinstance(pair, str) or len(pair) != 2 for pair in pairs):
            raise ClinnerError(f"pairs={list(pairs)} of component {name!r} must be a list of [head label, tail label].")
        if max_distance is not None and max_distance < 0:
            raise ClinnerError(f"max_distance={max_distance} of component {name!r} is below 0; raise it or set null.")
        super().__init__(vocab, model, name, checkpoint, checkpoint_settings)
        self.cfg = {"labels": [], "null": False, "pairs": None}
        self.wanted_labels = labels
        self.spans_key = spans_key
        self.pairs = None if pairs is None else frozenset((head, tail) for head, tail in pairs)
        self.max_distance = max_distance
        self.within_sentence = within_sentence
        self.threshold = threshold
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
        known = None if self.cfg["pairs"] is None else frozenset((head, tail) for head, tail in self.cfg["pairs"])
        asked = None if self._together else self.pairs
        pairs = asked if known is None else known if asked is None else known & asked
        return Limits(self.max_distance, self.within_sentence, pairs)

    @property
    def _together(self) -> bool:
        """Whether the model looks at a pair among all others, so that none may be left out before it has."""
        return self.model is not None and bool(self.model.attrs.get("together"))

    # Prediction

    def predict(self, docs: Iterable[Doc]) -> list[list[PairRelation]]:
        """The relations of each document, without touching the documents."""
        docs = list(docs)
        spans = [[Place(s.start, s.end, s.label_) for s in doc.spans.get(self.spans_key, ())] for doc in docs]
        return self.relate(docs, spans, self.threshold)

    def relate(
        self, docs: Iterable[Doc], spans: Sequence[Sequence[Place]], threshold: float
    ) -> list[list[PairRelation]]:
        """The relations between any spans of the documents, by their index, that score at least ``threshold``."""
        self.load()
        places = iter(spans)
        return [found for batch in by_words(docs, MAX_WORDS) for found in self._relate(batch, places, threshold)]

    def _relate(
        self, docs: Sequence[Doc], spans: Iterator[Sequence[Place]], threshold: float
    ) -> list[list[PairRelation]]:
        candidates = [find_candidates(doc, next(spans), self.limits) for doc in docs]
        with_pairs = [c for c in candidates if len(c.heads)]
        if not with_pairs:
            return [[] for _ in docs]
        scores = self.model.ops.to_numpy(self.model.predict(with_pairs))
        found = best_relations(candidates, scores, self.cfg["labels"], self.cfg["null"], threshold)
        if self.pairs is None:
            return found
        return [
            [r for r in relations if (c.spans[r.head].label, c.spans[r.tail].label) in self.pairs]
            for c, relations in zip(candidates, found, strict=True)
        ]

    def set_annotations(self, docs: Iterable[Doc], scores: Sequence[Sequence[PairRelation]]) -> None:
        """Add relations to ``doc._.relations``; what stands there stays, and is not added twice."""
        for doc, found in zip(docs, scores, strict=True):
            old = list(doc._.relations or ())
            known = {(r["head"], r["tail"], r["label"]) for r in old}
            doc._.relations = old + [r._asdict() for r in found if (r.head, r.tail, r.label) not in known]

    # Training

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
        seen = self._seen(get_examples())
        new = self.model is not None and not self.cfg["labels"]
        self.load()
        if new:
            names = labels["labels"] if labels else self.wanted_labels or sorted({label for label, _, _ in seen})
            if not names:
                raise ClinnerError(
                    f"The training data of component {self.name!r} has no relations between spans of "
                    f'doc.spans["{self.spans_key}"]; read a corpus that has, such as brat with R lines.'
                )
            self._set_cfg({"labels": [NULL, *names], "null": True, "pairs": None})
        if labels:
            self._set_cfg(self.cfg | {"pairs": labels["pairs"]})
        elif seen:  # without, a checkpoint is only read
            pairs = sorted({(h, t) for label, h, t in seen if label in self.labels})
            asked = [list(pair) for pair in pairs if self.pairs is None or pair in self.pairs]
            self._set_cfg(self.cfg | {"pairs": asked})
        self._report_lost(get_examples())
        if new:
            self.model.set_dim("nO", len(self.cfg["labels"]), force=True)
            self.model.attrs["span_labels"] = sorted({label for pair in self.cfg["pairs"] for label in pair})
            sample = [self._candidates(example) for _, example in zip(range(10), get_examples(), strict=False)]
            self.model.initialize(X=[c for c in sample if c is not None and len(c.doc)] or None)

    def _seen(self, examples: Iterable[Example]) -> Counter[tuple[str, str, str]]:
        """How often a label stands between spans of two labels."""
        seen: Counter[tuple[str, str, str]] = Counter()
        for example in examples:
            spans = gold_spans(example, self.spans_key) or []
            for r in relations_of_doc(example.reference, len(spans)):
                seen[r["label"], spans[r["head"]].label, spans[r["tail"]].label] += 1
        return seen

    def _report_lost(self, examples: Iterable[Example]) -> None:
        n_lost = n_relations = 0
        for example in examples:
            candidates = self._candidates(example)
            if candidates is not None:
                relations = relations_of_doc(example.reference, len(candidates.spans))
                n_relations += len(relations)
                n_lost += lost(candidates, relations)
        if n_lost:
            logger.info(
                "Component %r: %d of %d gold relations are not between candidates (max_distance, within_sentence, "
                "pairs) and cannot be found.",
                *(self.name, n_lost, n_relations),
            )

    def _candidates(self, example: Example) -> Candidates | None:
        """Pairs of gold spans; None where none were annotated."""
        spans = gold_spans(example, self.spans_key)
        return None if spans is None else find_candidates(example.predicted, spans, self.limits)

    def update(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Optimizer | None = None,
        losses: dict[str, float] | None = None,
    ) -> dict[str, float]:
        """Learn from a batch, between gold spans; a document without the span group was not annotated."""
        losses = {} if losses is None else losses
        losses.setdefault(self.name, 0.0)
        examples = list(examples)
        validate_examples(examples, "ClinicalRelations.update")
        self.load()
        X, targets, weights = zip(*map(self._lesson, examples), strict=True) if examples else ((), (), ())
        if not any(len(c.doc) for c in X):
            return losses
        set_dropout_rate(self.model, drop)
        scores, backprop = self.model.begin_update(list(X))
        ops = self.model.ops
        loss, gradient = pair_loss(ops.to_numpy(scores), np.concatenate(targets), np.concatenate(weights))
        backprop(ops.asarray2f(gradient))
        if sgd not in (None, False):
            self.finish_update(sgd)
        losses[self.name] += loss
        return losses

    def _lesson(self, example: Example) -> tuple[Candidates, NDArray[np.float32], NDArray[np.float32]]:
        """Pairs to learn from, their targets (n_pairs, n_labels) and weights (n_pairs,).

        A Doc without any stays in its batch: a shared encoder must see the same Docs in all its listeners.
        """
        labels, null = self.cfg["labels"], self.cfg["null"]
        candidates = self._candidates(example)
        if candidates is None:
            nothing = find_candidates(example.predicted, [], self.limits)
            return nothing, gold_targets(nothing, [], labels, null), np.zeros(0, dtype=np.float32)
        relations = relations_of_doc(example.reference, len(candidates.spans))
        targets = gold_targets(candidates, relations, labels, null)
        if null:
            kept, weights = keep_some(targets, self.negatives, self._random)
            if self._together:  # the others are seen, but teach nothing
                left_out = np.delete(np.arange(len(targets)), kept)
                targets[left_out] = 0.0
                every = np.zeros(len(targets), dtype=np.float32)
                every[kept] = weights
                return candidates, targets, every
        else:  # what is in no relation has nothing to teach
            kept = np.flatnonzero(targets.any(axis=1))
            weights = np.ones(len(kept), dtype=np.float32)
        candidates = candidates._replace(heads=candidates.heads[kept], tails=candidates.tails[kept])
        return candidates, targets[kept], weights

    def score(self, examples: Iterable[Example], **kwargs: Any) -> dict[str, Any]:
        """Scores end to end, of what stands in the predicted Docs, and with the references' spans instead."""
        if self.scorer is None:
            return {}
        examples = list(examples)
        return self.scorer(
            examples,
            spans_key=self.spans_key,
            labels=self.labels,
            with_gold_spans=self.relate_gold(examples, self.threshold),
        )

    def relate_gold(self, examples: Sequence[Example], threshold: float) -> list[list[dict[str, Any]]]:
        """Relations that score at least ``threshold`` between the gold spans of each example, as dicts."""
        spans = [gold_spans(example, self.spans_key) or [] for example in examples]
        found: list[list[dict[str, Any]]] = []
        for n in range(0, len(examples), 32):
            docs = [example.predicted for example in examples[n : n + 32]]
            found += [[r._asdict() for r in doc] for doc in self.relate(docs, spans[n : n + 32], threshold)]
        return found

    # Saving and loading

    def _read(self, checkpoint: str) -> None:
        loaded = load_relations(checkpoint, **self.checkpoint_settings)
        self._set(loaded.model, loaded.architecture, {"labels": loaded.labels, "null": False, "pairs": None})

    def _checked(self, cfg: Any) -> dict[str, Any]:
        labels, null, pairs = strings(cfg["labels"]), cfg["null"], cfg["pairs"]
        if not isinstance(null, bool):
            raise TypeError(f"null={null!r}")
        pairs = None if pairs is None else [[head, tail] for head, tail in map(strings, pairs)]
        return {"labels": labels, "null": null, "pairs": pairs, "architecture": cfg["architecture"]}

    def _check_size(self, model: Model, cfg: dict[str, Any], source: str) -> None:
        found, needed = model.get_dim("nO"), len(cfg["labels"])
        if found != needed:
            raise ClinnerError(f"{source} scores {found} labels where its cfg names {needed}; save the pipeline again.")
