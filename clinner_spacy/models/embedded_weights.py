"""clinner.EmbeddedWeights.v1: a word encoder that starts from the weights that come with the package."""

from __future__ import annotations

from typing import Any

from spacy.tokens import Doc
from spacy.util import load_config, registry
from thinc.api import Model
from thinc.types import Floats2d

from clinner_spacy.errors import ClinnerError
from clinner_spacy.files import EMBEDDED
from clinner_spacy.models.weights import model_from_bytes, model_to_bytes

#: Settings that change what weights mean, but not their shapes.
SETTINGS = ("ngram_shape", "folded", "dilations")

Tok2Vec = Model[list[Doc], list[Floats2d]]


def build_embedded_weights(tok2vec: Tok2Vec) -> Tok2Vec:
    """``tok2vec`` itself, which does not begin at random: it has learned of diseases, symptoms, procedures and drugs.

    tok2vec: of the embedded model's architecture, written out (as in ``configs/relations.cfg``), so that a pipeline
    trained from it can be read whatever model a later version comes with. Where it is another, initializing it raises
    ClinnerError.
    """
    tok2vec.init = init
    return tok2vec


def init(model: Tok2Vec, X: list[Doc] | None = None, Y: list[Floats2d] | None = None) -> None:
    block = load_config(EMBEDDED / "config.cfg")["components"]["multiclin_ner"]["model"]
    weights = EMBEDDED / "multiclin_ner" / "model.safetensors"
    tagger = model_from_bytes(registry.resolve({"model": block})["model"], weights.read_bytes(), str(weights))
    own = tagger.get_ref("tok2vec")
    asked = _settings(model)
    for name, there in _settings(own).items():
        if name in asked and asked[name] != there:
            raise ClinnerError(f"{name}={asked[name]} is not that of the embedded model; set it to {there}.")
    model_from_bytes(model, model_to_bytes(own), "The embedded model")


def _settings(model: Tok2Vec) -> dict[str, Any]:
    """Those of ``SETTINGS`` that its layers have."""
    return {name: node.attrs[name] for node in model.walk() for name in SETTINGS if name in node.attrs}
