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


def changed(layer: str, **settings):
    """The block with other settings of its "embed" or "encode"."""
    tok2vec = BLOCK["tok2vec"] | {layer: BLOCK["tok2vec"][layer] | settings}
    return registry.resolve({"model": BLOCK | {"tok2vec": tok2vec}})["model"]


def test_another_architecture_is_refused():
    with pytest.raises(ClinnerError, match="embedded model was saved from another architecture"):
        changed("encode", maxout_pieces=3).initialize()


@pytest.mark.parametrize(
    ("layer", "settings", "message"),
    [
        ("embed", {"ngram_shape": [50000, 96]}, r"ngram_shape=\[50000, 96\] is not that .*; set it to \[80000, 96\]"),
        ("embed", {"folded": False}, "folded=False is not that of the embedded model; set it to True"),
        ("encode", {"dilations": [1, 1, 1, 1, 1]}, r"dilations=\[1, 1, 1, 1, 1\] is not that of"),
    ],
)
def test_other_settings_than_it_learned_with_are_refused(layer, settings, message):
    with pytest.raises(ClinnerError, match=message):
        changed(layer, **settings).initialize()
