"""One head over an encoder, with layers or a CRF of its own, whose rows are the tags of one task."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from clinner_spacy.checkpoints.backbone import Checkpoint
from clinner_spacy.checkpoints.loaded import Loaded
from clinner_spacy.checkpoints.published import about, assemble_published
from clinner_spacy.checkpoints.request import Request
from clinner_spacy.checkpoints.token_classification import layout, only_task, tags_of
from clinner_spacy.ner.heads import Head


def load_single_head(checkpoint: Checkpoint, head: Head, family: str, request: Request) -> Loaded:
    """A checkpoint whose head has been taken out of its weights; by default it tags pieces of the raw text.

    family: what ``multiclin info`` calls its format. Raises ClinnerError if its tags make no scheme.
    """
    name = checkpoint.name
    tags = tags_of(named_rows(checkpoint.config), len(head.layers[-1][1]), request.labels, name)
    names, columns = layout(tags, name)
    tasks = {only_task(request.task, names, name): names}
    canonical: list[int] | None = columns
    if sorted(columns) == list(range(1 + 2 * len(names))):
        head, canonical = in_order(head, [columns.index(column) for column in range(len(columns))]), None
    model, architecture = assemble_published(
        name,
        checkpoint.encoder(),
        [head],
        tasks,
        request.settings,
        {"words": request.words or "pieces"},
        decode="crf" if head.crf else "softmax",
        activation="relu",
        columns=canonical,
    )
    return Loaded(model, tasks, architecture, about(family, name, model, checkpoint.path))


def in_order(head: Head, rows: Sequence[int]) -> Head:
    """The head with its tags in another order: the one at ``rows[n]`` becomes the n-th."""
    weight, bias = head.layers[-1]
    layers = [*head.layers[:-1], (weight[rows], bias[rows])]
    if head.crf is None:
        return Head(layers)
    transitions, start, end = head.crf
    return Head(layers, (transitions[np.ix_(rows, rows)], start[rows], end[rows]))


def named_rows(config: dict[str, Any]) -> Any:
    """Something with the ``id2label`` of a config, its keys numbers."""
    given = config.get("id2label")
    tags = given.items() if isinstance(given, dict) else ()
    return SimpleNamespace(id2label={int(n): tag for n, tag in tags if str(n).isdecimal()})
