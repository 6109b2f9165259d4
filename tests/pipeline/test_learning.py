"""The component learns real notes by heart: every task, through the ordinary training calls."""

from __future__ import annotations

import random

import pytest
import spacy
from spacy.training import Example
from spacy.util import minibatch

from clinner_spacy.corpora.readers import create_multiclin_reader

from .conftest import tagger

SPELLING_CNN = {
    "@architectures": "spacy.Tok2Vec.v2",
    "embed": {"@architectures": "clinner.SpellingEmbed.v1", "width": 96, "rows": 5000},
    "encode": {"@architectures": "clinner.WindowEncoder.v1", "width": 96, "depth": 4},
}


@pytest.mark.corpus
def test_overfits_ten_documents(corpora):
    split = corpora / "MultiClinNER-es" / "MultiClinNER-es-train"
    spacy.util.fix_random_seed(0)
    nlp = spacy.blank("es")
    nlp.add_pipe("multiclin_ner", config={"checkpoint": None, "model": tagger(SPELLING_CNN, transitions=True)})
    examples = list(create_multiclin_reader([str(split)], limit=10)(nlp))
    optimizer = nlp.initialize(lambda: examples)
    optimizer.learn_rate = 0.003
    for _ in range(40):
        random.shuffle(examples)
        for batch in minibatch(examples, 2):
            nlp.update(batch, sgd=optimizer)
    scores = nlp.evaluate([Example(nlp.make_doc(e.text), e.reference) for e in examples])
    for task in ("disease", "symptom", "procedure"):
        assert scores[f"{task}_f"] > 0.95, (task, scores[f"{task}_f"])
