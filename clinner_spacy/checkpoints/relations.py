"""Published relation extractors: an encoder with typed markers and a head over the pooled pair.

The medspaner format: encoder keys ``bert.*`` or ``deberta.*`` (any one prefix), ``layer_norm.{weight,bias}`` over twice
the encoder's width, ``linear.{weight,bias}`` to the labels; the markers are added tokens of the tokenizer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spacy.util import registry
from thinc.api import Model
from thinc.types import Floats2d

from clinner_spacy.checkpoints.published import named
from clinner_spacy.checkpoints.token_classification import row_names
from clinner_spacy.encoders.hub import WEIGHTS, fetch_encoder, known_about, shards_of
from clinner_spacy.encoders.settings import DEFAULTS, EncoderSettings
from clinner_spacy.encoders.torch_files import check_finite, read_state
from clinner_spacy.errors import ClinnerError
from clinner_spacy.relations.candidates import Candidates

HEAD = ("layer_norm.weight", "layer_norm.bias", "linear.weight", "linear.bias")


@dataclass
class LoadedRelations:
    """``model`` scores ``labels`` for candidate pairs; ``architecture`` is the config block it can be rebuilt from with
    no network, its weights aside; ``codes`` are the types it has markers for."""

    model: Model[list[Candidates], Floats2d]
    labels: list[str]
    codes: list[str]
    architecture: dict[str, Any]
    info: dict[str, Any] = field(default_factory=dict)


def load_relations(
    checkpoint: str,
    *,
    base_model: str | None = None,
    labels: Sequence[str] | None = None,
    types: Mapping[str, str] | None = None,
    settings: EncoderSettings = DEFAULTS,
) -> LoadedRelations:
    """Read a published model.

    checkpoint: a directory with config, tokenizer and weights, a file of weights (``.safetensors``, ``.pt``, ``.bin``),
        or a repository of the hub, at ``settings.revision``.
    base_model: where config and tokenizer are, if not beside the weights.
    labels: in the order of the head's rows, where the config does not tell.
    types: span label -> the code in its markers, where they differ.
    settings: of the encoder.

    Raises ClinnerError if weights, tokenizer and labels do not fit together or cannot be read, and for a code without
    markers, with the list of those there are.
    """
    from clinner_spacy.encoders.encoder import Encoder, build_module, check_tokenizer, read_config, read_pieces
    from clinner_spacy.models.markers import fill
    from clinner_spacy.relations.marked import known_codes, marker_ids

    path = Path(checkpoint)
    folder = path.parent if path.is_file() else fetch_encoder(checkpoint, settings.revision, settings.local_files_only)
    weights, head = split_state(read_weights(path if path.is_file() else folder), checkpoint)
    base = fetch_encoder(base_model, None, settings.local_files_only, weights=False) if base_model else folder
    config = read_config(base)
    if "embeddings.word_embeddings.weight" in weights:  # a base model lacks the rows of the markers
        config.vocab_size = len(weights["embeddings.word_embeddings.weight"])
    encoder = Encoder(build_module(config, False, weights, checkpoint), config, read_pieces(base))
    codes = known_codes(encoder.pieces.tokenizer)
    if not codes:
        raise ClinnerError(f"The tokenizer in {base} has no markers <S:TYPE>; name the model's own in `base_model`.")
    check_tokenizer(encoder.pieces, config, config.vocab_size, base)
    marker_ids(encoder.pieces.tokenizer, types or {}, types or {}, checkpoint)
    advice = "set `labels` to the names of its relations, in the order of its rows"
    names = row_names(config, len(head["linear.bias"]), labels, checkpoint, "relations", advice)
    architecture = {
        "@architectures": "clinner.EntityMarkers.v1",
        "name": named(checkpoint),
        "types": dict(types or {}),
        **settings.changed(),
        "nO": len(names),
    }
    model = registry.resolve({"model": architecture})["model"]
    fill(model, encoder)
    set_head(model, head)
    info = {"format": "relations between markers", "name": named(checkpoint), "encoder": config.model_type}
    # The device belongs to this machine, not to the weights.
    return LoadedRelations(model, names, codes, architecture | {"device": None}, info | known_about(folder))


def read_weights(path: Path) -> dict[str, Any]:
    """The tensors of a file, or of the one file of weights in a directory. Raises ClinnerError if there is none."""
    if path.is_dir():
        there = [path / name for name in WEIGHTS if (path / name).is_file()]
        there = there or [file for file in path.iterdir() if file.suffix in (".pt", ".pth")]
        if not there or (len(there) > 1 and there[0].name not in WEIGHTS):
            raise ClinnerError(f"{path} has no {' or '.join(WEIGHTS)}; name another checkpoint.")
        path = there[0]
    if path.suffix == ".json":
        return {k: value for shard in shards_of(path) for k, value in read_weights(path.parent / shard).items()}
    if path.suffix != ".safetensors":
        return read_state(path)
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise ClinnerError(f"{path} is no safetensors file or is damaged; fetch it again.") from error


def split_state(state: Mapping[str, Any], source: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The encoder's tensors without their prefix, and the head's. Raises ClinnerError naming what does not fit."""
    missing = [key for key in HEAD if key not in state]
    prefixes = sorted({key.split(".", 1)[0] for key in state if key not in HEAD})
    if missing or len(prefixes) != 1:
        what = f"lacks {', '.join(missing)}" if missing else f"has the parts {', '.join(prefixes) or 'of a head only'}"
        raise ClinnerError(
            f"{source} {what}: one encoder (bert.*, deberta.*), layer_norm.* and linear.* are read; name another."
        )
    encoder = {key.split(".", 1)[-1]: value for key, value in state.items() if key not in HEAD}
    head = {key: state[key] for key in HEAD}
    shapes = {key: tuple(value.shape) for key, value in head.items()}
    (*_, n_labels), (*_, width) = shapes["linear.bias"] or (0,), shapes["linear.weight"] or (0,)
    if list(shapes.values()) != [(width,), (width,), (n_labels, width), (n_labels,)]:
        raise ClinnerError(f"The head in {source} has shapes that do not fit together, {shapes}; fetch it again.")
    if not all(value.is_floating_point() for value in head.values()):
        raise ClinnerError(f"The head in {source} is quantized; name a checkpoint in floating point.")
    check_finite(head, f"The head in {source}")
    return encoder, {key: value.float() for key, value in head.items()}


def set_head(model: Model[list[Candidates], Floats2d], head: Mapping[str, Any]) -> None:
    """Put layer norm and linear layer into an EntityMarkers model."""
    from clinner_spacy.encoders.shim import shim_of

    norm, _, linear = model.layers[0].layers
    encoder: Any = shim_of(model).encoder
    width = head["linear.weight"].shape[1]
    if width != 2 * encoder.width:
        raise ClinnerError(
            f"The head in {model.attrs['name']} is for vectors of {width} numbers, but two spans have "
            f"{2 * encoder.width}; name the model's own encoder in `base_model`."
        )
    norm.set_dim("nI", width)
    norm.set_dim("nO", width)
    linear.set_dim("nI", width)
    for layer, name, key in zip((norm, norm, linear, linear), ("G", "b", "W", "b"), HEAD, strict=True):
        layer.set_param(name, model.ops.asarray_f(head[key].numpy()))
