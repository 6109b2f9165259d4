from __future__ import annotations

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import SpanGroup
from spacy.training import Example

#: Every task is annotated in the first and third note; symptoms are unknown in the second.
NOTES = [
    (
        "Paciente con fiebre y diabetes mellitus tipo 2.",
        {"symptom": ["fiebre"], "disease": ["diabetes mellitus tipo 2"], "procedure": []},
    ),
    ("Se realiza biopsia de pulmón.", {"procedure": ["biopsia de pulmón"], "disease": []}),
    (
        "Refiere tos \n y dolor torácico tras la TAC.",
        {"symptom": ["tos", "dolor torácico"], "procedure": ["TAC"], "disease": []},
    ),
]

HASH_EMBED_CNN = {
    "@architectures": "spacy.HashEmbedCNN.v2",
    "width": 32,
    "depth": 2,
    "embed_size": 500,
    "window_size": 1,
    "maxout_pieces": 3,
    "subword_features": True,
    "pretrained_vectors": None,
}


def tagger(tok2vec: dict = HASH_EMBED_CNN, **settings) -> dict:
    return {"@architectures": "clinner.MultiTaskTagger.v1", "tok2vec": tok2vec, **settings}


def gold(nlp: Language, text: str, mentions: dict[str, list[str]]) -> Example:
    reference = nlp.make_doc(text)
    for task, found in mentions.items():
        starts = [text.index(mention) for mention in found]
        spans = [reference.char_span(s, s + len(m), task.upper()) for s, m in zip(starts, found, strict=True)]
        reference.spans[task] = SpanGroup(reference, name=task, spans=spans)
    return Example(nlp.make_doc(text), reference)


def train(nlp: Language, examples: list[Example], steps: int = 60) -> Language:
    spacy.util.fix_random_seed(0)
    optimizer = nlp.initialize(lambda: examples)
    for _ in range(steps):
        nlp.update(examples, sgd=optimizer)
    return nlp


@pytest.fixture(scope="session")
def nlp() -> Language:
    """A Spanish pipeline that has learned the three notes by heart."""
    nlp = spacy.blank("es")
    nlp.add_pipe("multiclin_ner", config={"checkpoint": None, "model": tagger()})
    return train(nlp, [gold(nlp, *note) for note in NOTES])
