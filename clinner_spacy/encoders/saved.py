"""An encoder <-> bytes: config, tokenizer and weights, with no pickle and no network."""

from __future__ import annotations

import srsly
import torch
from safetensors.torch import load, save
from tokenizers import Tokenizer
from transformers import AutoConfig

from clinner_spacy.encoders.config_size import check_counts
from clinner_spacy.encoders.encoder import Encoder, brief, build_module, plain
from clinner_spacy.encoders.pieces import PieceTokenizer, without_panics
from clinner_spacy.encoders.precision import exact_half
from clinner_spacy.errors import ClinnerError


def encoder_to_bytes(encoder: Encoder) -> bytes:
    """Config, tokenizer and weights (safetensors) in one message; those that half precision holds exactly in it."""
    weights = {name: value.detach().cpu() for name, value in encoder.module.state_dict().items()}
    halves = torch.float16, torch.bfloat16  # a publisher may have stored them so
    state = {
        "tagger": encoder.tagger,
        "config": encoder.config.to_json_string(use_diff=False),
        "tokenizer": encoder.pieces.tokenizer.to_str(),
        "weights": save({name: exact_half(value, *halves).contiguous() for name, value in weights.items()}),
    }
    if encoder.pieces.published is not encoder.pieces.tokenizer:
        state["published"] = encoder.pieces.published.to_str()
    return srsly.msgpack_dumps(state)


def encoder_from_bytes(data: bytes) -> Encoder:
    """The inverse of :func:`encoder_to_bytes`, in whatever version of transformers is installed.

    Raises ClinnerError if the data are damaged or that version does not know the encoder.
    """
    try:
        state = srsly.msgpack_loads(data)
        fields, tagger, weights = srsly.json_loads(state["config"]), state["tagger"], load(state["weights"])
        with without_panics():
            published = Tokenizer.from_str(state["published"]) if "published" in state else None
            pieces = PieceTokenizer(Tokenizer.from_str(state["tokenizer"]), published)
    except Exception as error:  # tokenizers raises bare Exception
        raise ClinnerError(f"The saved encoder is damaged ({type(error).__name__}); save it again.") from error
    try:
        check_counts(fields)
        config = plain(AutoConfig.for_model(**fields))
    except Exception as error:  # what is in the config may break anything
        kind = fields.get("model_type") if isinstance(fields, dict) else None
        raise ClinnerError(
            f"The saved encoder is of type {kind!r}, which this version of transformers does not know; update "
            f"transformers, or save it again ({brief(error)})."
        ) from error
    return Encoder(build_module(config, bool(tagger), weights, "The saved encoder"), config, pieces, bool(tagger))
