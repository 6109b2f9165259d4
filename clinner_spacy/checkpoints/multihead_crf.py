"""The Multi-Head CRF of IEETA: one encoder, and a dense layer, a classifier and a CRF a class, over pieces of the text.

Weights: the encoder under a prefix of its own (``roberta.*``, ``bert.*``), and for each class C of the config's
``classes`` ``C_dense_i``, ``C_classifier`` and ``C_crf``, with three tags: O, B, I. Of the dense layers only the last
one counts, for each is applied to the encoder's output and not to the one before. Jonker et al. (2024), "Multi-head CRF
classifier for biomedical multi-class named entity recognition on Spanish clinical notes".
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clinner_spacy.checkpoints.backbone import Checkpoint
from clinner_spacy.checkpoints.loaded import Loaded
from clinner_spacy.checkpoints.published import about, assemble_published
from clinner_spacy.checkpoints.request import Request
from clinner_spacy.checkpoints.tasks import choose_tasks
from clinner_spacy.errors import ClinnerError
from clinner_spacy.ner.heads import Head

TAGS = 3


def is_multihead_crf(config: dict[str, Any]) -> bool:
    return config.get("model_type") == "crf-tagger"


def load_multihead_crf(path: Path, request: Request) -> Loaded:
    """Read the directory of a Multi-Head CRF. Raises ClinnerError naming what is missing or does not fit."""
    request.refuse("labels", because="names its classes")
    name, words = request.name, request.words
    checkpoint = Checkpoint(path, name)
    if words not in (None, "pieces"):
        raise ClinnerError(f"{name} tags the pieces of the raw text, not words={words!r}; leave words out.")
    classes, n_layers = checkpoint.config.get("classes"), checkpoint.config.get("number_of_layer_per_head", 1)
    context = checkpoint.config.get("context_size", 32)
    if not isinstance(classes, list) or not classes or not all(isinstance(n, int) for n in (n_layers, context)):
        raise ClinnerError(
            f"{path / 'config.json'} names no classes, layers or context of a Multi-Head CRF; fetch it again."
        )
    heads = {str(label).lower(): (str(label), _take_head(checkpoint, str(label), n_layers)) for label in classes}
    chosen = choose_tasks(heads, request.task, name)
    encoder = checkpoint.encoder()
    tasks = {key: [label] for key, (label, _) in chosen.items()}
    # The first special token is one of the pieces of context.
    reading = {"words": "pieces", "context": max(context - 1, 0)}
    model, architecture = assemble_published(
        name, encoder, [head for _, head in chosen.values()], tasks, request.settings, reading, decode="crf"
    )
    return Loaded(model, tasks, architecture, about("Multi-Head CRF (IEETA)", name, model, path))


def _take_head(checkpoint: Checkpoint, label: str, n_layers: int) -> Head:
    classifier = checkpoint.linear(f"{label}_classifier", TAGS)
    width = classifier[0].shape[1]
    dense = [checkpoint.linear(f"{label}_dense_{n}", width, width) for n in range(n_layers)]
    return Head([*dense[-1:], classifier], checkpoint.crf(f"{label}_crf", TAGS))
