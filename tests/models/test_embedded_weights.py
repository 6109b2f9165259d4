from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import spacy
from spacy.util import load_config, registry

from clinner_spacy.errors import ClinnerError
from clinner_spacy.models.weights import model_from_bytes, model_to_bytes

CONFIG = Path(__file__).parents[2] / "configs" / "relations.cfg"
BLOCK = load_config(CONFIG)["components"]["clinical_relations"]["model"]["tok2vec"]


def test_it_starts_as_the_embedded_model_and_is_saved_like_any_other():
    nlp = spacy.blank("es")
    embedded = nlp.add_pipe("multiclin_ner")
    docs = [nlp.make_doc("Dolor torácico opresivo; se realiza coronariografía.")]
    model = registry.resolve({"model": BLOCK})["model"]
    model.initialize(X=docs)
    embedded.load()
    (expected,) = embedded.model.get_ref("tok2vec").predict(docs)
    assert np.array_equal(model.predict(docs)[0], expected)
    again = registry.resolve({"model": BLOCK})["model"]
    model_from_bytes(again, model_to_bytes(model), "test")
    assert np.array_equal(again.predict(docs)[0], expected)


def test_another_architecture_is_refused():
    encode = BLOCK["tok2vec"]["encode"] | {"depth": 2}
    model = registry.resolve({"model": BLOCK | {"tok2vec": BLOCK["tok2vec"] | {"encode": encode}}})["model"]
    with pytest.raises(ClinnerError, match="embedded model was saved from another architecture"):
        model.initialize()


def test_another_table_of_ngrams_is_refused():
    embed = BLOCK["tok2vec"]["embed"] | {"ngram_shape": [50000, 96]}
    model = registry.resolve({"model": BLOCK | {"tok2vec": BLOCK["tok2vec"] | {"embed": embed}}})["model"]
    with pytest.raises(ClinnerError, match=r"ngram_shape=\[\[50000, 96\]\] is not that of the embedded model"):
        model.initialize()
