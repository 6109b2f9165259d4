"""The factory "multiclin_ner": clinical spans of several tasks from one encoder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from spacy.language import Language
from spacy.tokens import Doc
from thinc.api import Model
from thinc.types import Floats2d

from clinner_spacy.checkpoints.published import refuse_unused
from clinner_spacy.encoders.settings import EncoderSettings, Precision
from clinner_spacy.encoders.units import Words
from clinner_spacy.errors import ClinnerError
from clinner_spacy.files import EMBEDDED_NAME
from clinner_spacy.pipeline.marks import read_marks_alike
from clinner_spacy.pipeline.tagger import DEFAULT_SPANS_KEY, Annotate, MultiClinNER


@Language.factory(
    "multiclin_ner",
    assigns=["doc.spans", "doc.ents"],
    default_config={
        "model": None,
        "checkpoint": EMBEDDED_NAME,
        "base_model": None,
        "revision": None,
        "task": None,
        "labels": None,
        "words": None,
        "window": None,
        "overlap": None,
        "precision": "auto",
        "device": None,
        "batch_tokens": None,
        "local_files_only": False,
        "tasks": {},
        "spans_key": DEFAULT_SPANS_KEY,
        "annotate": "both",
        "threshold": 0.0,
        "scorer": {"@scorers": "clinner.span_scorer.v1"},
    },
    default_score_weights={"spans_sc_f": 1.0, "spans_sc_p": 0.0, "spans_sc_r": 0.0, "spans_sc_char_f": 0.0},
)
def make_multiclin_ner(
    nlp: Language,
    name: str,
    *,
    model: Model[list[Doc], list[Floats2d]] | None,
    checkpoint: str | list[str] | None,
    base_model: str | None,
    revision: str | None,
    task: str | list[str] | None,
    labels: list[str] | None,
    words: Words | None,
    window: int | Literal["sentence"] | None,
    overlap: int | None,
    precision: Precision,
    device: str | None,
    batch_tokens: int | None,
    local_files_only: bool,
    tasks: dict[str, list[str]],
    spans_key: str,
    annotate: Annotate,
    threshold: Any,  # a Threshold; as such spaCy would make a number of "0.5" before it could be refused
    scorer: Callable | None,
) -> MultiClinNER:
    """Create the component; see :class:`MultiClinNER`, and :func:`clinner_spacy.checkpoints.load_checkpoint` for the
    settings from ``base_model`` to ``local_files_only``, which are for published checkpoints.

    Raises ClinnerError if both a model and a checkpoint other than the default are given, and for settings of
    published checkpoints where there is none.
    """
    read_marks_alike(nlp)
    if model is None and checkpoint is not None and tasks:
        raise ClinnerError(f"Component {name!r} is given tasks and a checkpoint, which has its own; choose with task.")
    if model is not None and checkpoint not in (None, EMBEDDED_NAME):
        raise ClinnerError(f"Component {name!r} is given both a model and checkpoint={checkpoint!r}; set one to null.")
    settings = EncoderSettings(
        revision=revision,
        local_files_only=local_files_only,
        window=window,
        overlap=overlap,
        precision=precision,
        batch_tokens=batch_tokens,
        device=device,
    )
    from_checkpoint = {"base_model": base_model, "labels": labels, "words": words}
    given = from_checkpoint | settings.changed()
    if model is not None:
        refuse_unused(given | {"task": task}, f"Component {name!r}, which is given a model,")
    elif checkpoint == EMBEDDED_NAME:
        refuse_unused(given, f"The embedded model of component {name!r}")
    component = MultiClinNER(
        nlp.vocab,
        model,
        name,
        checkpoint=checkpoint if model is None else None,
        checkpoint_settings=from_checkpoint | {"task": task, "lang": nlp.lang, "settings": settings},
        tasks=tasks,
        spans_key=spans_key,
        annotate=annotate,
        threshold=threshold,
        scorer=scorer,
    )
    component.meta = nlp.meta
    return component
