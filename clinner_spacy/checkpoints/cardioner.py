"""The models of CardioNER.nl (UMCU, DataTools4Heart), told by the name of their class; its code is never run.

Over one encoder stands a Sequential of linear layers with ReLU between (``classifier.<n>.*``), with or without a CRF;
or, for each of the config's ``entity_types`` E, dense layers that follow one another with GELU (``E_dense_<n>``), a
classifier (``E_classifier``) of three tags, O, B and I, and maybe a CRF (``E_crf``); or labels each true or not.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clinner_spacy.checkpoints.backbone import Checkpoint
from clinner_spacy.checkpoints.loaded import Loaded
from clinner_spacy.checkpoints.published import about, assemble_published
from clinner_spacy.checkpoints.request import Request
from clinner_spacy.checkpoints.single_head import load_single_head, named_rows
from clinner_spacy.checkpoints.tasks import choose_tasks
from clinner_spacy.checkpoints.token_classification import layout, tags_of
from clinner_spacy.errors import ClinnerError
from clinner_spacy.ner.heads import Head

SINGLE = ("TokenClassificationModel", "TokenClassificationModelCRF")
MULTIHEAD = ("TokenClassificationModelMultiHead", "TokenClassificationModelMultiHeadCRF")
MULTILABEL = ("MultiLabelTokenClassificationModelCustom", "MultiLabelTokenClassificationModelHF")

TAGS = 3

#: What ``multiclin info`` calls them.
FAMILY = "CardioNER.nl, "


def class_of(config: dict[str, Any]) -> str | None:
    """The class of CardioNER.nl that a config names, or None."""
    auto_map = config.get("auto_map")
    architectures = config.get("architectures")
    named = architectures if isinstance(architectures, list) else []
    named = [*named, *(auto_map.values() if isinstance(auto_map, dict) else ())]
    names = [str(name).split(".")[-1] for name in named]
    return next((name for name in names if name in (*SINGLE, *MULTIHEAD, *MULTILABEL)), None)


def load_cardioner(path: Path, request: Request) -> Loaded:
    """Read a directory. Raises ClinnerError naming what is missing or does not fit."""
    checkpoint = Checkpoint(path, request.name)
    kind = class_of(checkpoint.config) or ""
    if kind in SINGLE:
        layers = checkpoint.layers("classifier")
        head = Head(layers, checkpoint.crf("crf", len(layers[-1][0])) if kind.endswith("CRF") else None)
        return load_single_head(checkpoint, head, FAMILY + kind, request)
    if kind in MULTIHEAD:
        request.refuse("labels", because="names its entity types")
        heads, tasks, published = _one_a_type(checkpoint, request.task, kind.endswith("CRF"))
    else:
        heads, tasks, published = _one_a_label(checkpoint, request.task, request.labels)
    model, architecture = assemble_published(
        request.name,
        checkpoint.encoder(),
        heads,
        tasks,
        request.settings,
        {"words": request.words or "pieces"},
        **published,
    )
    return Loaded(model, tasks, architecture, about(FAMILY + kind, request.name, model, path))


Heads = tuple[list[Head], dict[str, list[str]], dict[str, Any]]


def _one_a_type(checkpoint: Checkpoint, task: Any, crf: bool) -> Heads:
    """The heads of the entity types that are asked for, their tasks, and how they are computed."""
    types, n_layers = (checkpoint.config.get(key) for key in ("entity_types", "number_of_layers_per_head"))
    n_layers = 1 if n_layers is None else n_layers
    if not isinstance(types, list) or not types or not isinstance(n_layers, int):
        raise ClinnerError(f"{checkpoint.path / 'config.json'} names no entity_types or layers a head; fetch it again.")
    heads = {str(label).lower(): (str(label), _dense_head(checkpoint, str(label), n_layers, crf)) for label in types}
    chosen = choose_tasks(heads, task, checkpoint.name)
    tasks = {key: [label] for key, (label, _) in chosen.items()}
    return [head for _, head in chosen.values()], tasks, {"decode": "crf" if crf else "softmax", "activation": "gelu"}


def _dense_head(checkpoint: Checkpoint, label: str, n_layers: int, crf: bool) -> Head:
    classifier = checkpoint.linear(f"{label}_classifier", TAGS)
    width = classifier[0].shape[1]
    dense = [checkpoint.linear(f"{label}_dense_{n}", width, width) for n in range(n_layers)]
    return Head([*dense, classifier], checkpoint.crf(f"{label}_crf", TAGS) if crf else None)


def _one_a_label(checkpoint: Checkpoint, task: Any, labels: Sequence[str] | None) -> Heads:
    """The head with the rows of the tasks that are asked for; each label of the tags is a task of its own."""
    layers = checkpoint.layers("classifier")
    tags = tags_of(named_rows(checkpoint.config), len(layers[-1][0]), labels, checkpoint.name)
    names, columns = layout([*tags, "O"], checkpoint.name)
    chosen = choose_tasks({name.lower(): name for name in names}, task, checkpoint.name)
    place = {names.index(name): n for n, name in enumerate(chosen.values())}
    # A label's columns among all are 2n + 1 and 2n + 2; as a task of its own it has them behind an O.
    own = {row: ((column - 1) // 2, (column - 1) % 2) for row, column in enumerate(columns[:-1]) if column}
    rows = [row for row, (label, _) in own.items() if label in place]
    weight, bias = layers[-1]
    head = Head([*layers[:-1], (weight[rows], bias[rows])])
    published = {
        "decode": "sigmoid",
        "activation": "relu",
        "columns": [3 * place[own[r][0]] + 1 + own[r][1] for r in rows],
    }
    return [head], {key: [name] for key, name in chosen.items()}, published
