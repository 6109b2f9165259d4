"""clinner.EmbeddedWeights.v1: a word encoder that starts from the weights that come with the package."""

from __future__ import annotations

from spacy.tokens import Doc
from spacy.util import load_config, registry
from thinc.api import Model
from thinc.types import Floats2d

from clinner_spacy.errors import ClinnerError
from clinner_spacy.files import EMBEDDED
from clinner_spacy.models.weights import model_from_bytes, model_to_bytes

Tok2Vec = Model[list[Doc], list[Floats2d]]


def build_embedded_weights(tok2vec: Tok2Vec) -> Tok2Vec:
    """``tok2vec`` itself, which does not begin at random: it has learned to find diseases, symptoms and procedures.

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
    asked, there = _ngram_shapes(model), _ngram_shapes(own)
    if asked != there:
        raise ClinnerError(f"ngram_shape={asked} is not that of the embedded model; set it to {there}.")
    model_from_bytes(model, model_to_bytes(own), "The embedded model")


def _ngram_shapes(model: Tok2Vec) -> list[list[int]]:
    """Of its tables of n-gram vectors, which are not parameters to be learned, so that their shape is no dimension."""
    return [list(node.attrs["ngram_shape"]) for node in model.walk() if "ngram_shape" in node.attrs]
