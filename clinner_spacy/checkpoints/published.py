"""A published encoder and its heads -> a model of ours, and the config block that it can be rebuilt from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from spacy.util import registry
from thinc.api import Model

from clinner_spacy.encoders.hub import known_about
from clinner_spacy.encoders.settings import EncoderSettings
from clinner_spacy.errors import ClinnerError
from clinner_spacy.ner.heads import Head
from clinner_spacy.ner.tagset import TagSet


def assemble(
    name: str,
    encoder: Any,
    heads: Sequence[tuple[np.ndarray, np.ndarray]],
    tasks: dict[str, list[str]],
    settings: EncoderSettings,
    columns: list[int] | None = None,
    orphans: Literal["drop", "open"] = "drop",
    reading: Mapping[str, Any] | None = None,
) -> tuple[Model, dict[str, Any]]:
    """The model and its architecture.

    name: of the encoder, for the record. encoder: a :class:`~clinner_spacy.encoders.encoder.Encoder`. heads: weight
    (n_tags, width) and bias (n_tags,) of each task, in the order of ``tasks``, whose rows are the task's tags in
    canonical order unless ``columns`` says otherwise. orphans: see
    :func:`~clinner_spacy.models.multitask.build_multitask_tagger`. reading: ``words`` and ``context`` of the encoder.
    """
    from clinner_spacy.models.transformer import fill

    tagset = TagSet(tasks)
    architecture: dict[str, Any] = {
        "@architectures": "clinner.MultiTaskTagger.v1",
        "nO": tagset.n_columns,
        "merge": "vote",
        "orphans": orphans,
        "tok2vec": _encoder_block(name, settings, reading or {}),
    }
    if columns is not None:
        architecture["columns"] = columns
    model = registry.resolve({"model": architecture})["model"]
    fill(model.get_ref("tok2vec"), encoder)
    model.set_param("W", model.ops.asarray2f(np.concatenate([weight for weight, _ in heads])))
    model.set_param("b", model.ops.asarray1f(np.concatenate([bias for _, bias in heads])))
    model.attrs["widths"] = [part.stop - part.start for part in tagset.columns.values()]
    return model, _elsewhere(architecture)


def assemble_published(
    name: str,
    encoder: Any,
    heads: Sequence[Head],
    tasks: dict[str, list[str]],
    settings: EncoderSettings,
    reading: Mapping[str, Any],
    **published: Any,
) -> tuple[Model, dict[str, Any]]:
    """As :func:`assemble`, of heads with layers or a CRF of their own.

    published: settings of :func:`~clinner_spacy.models.published_tagger.build_published_tagger`.
    """
    from clinner_spacy.models.published_tagger import set_heads
    from clinner_spacy.models.transformer import fill

    tagset = TagSet(tasks)
    architecture: dict[str, Any] = {
        "@architectures": "clinner.PublishedTagger.v1",
        "nO": tagset.n_columns,
        "heads": len(heads),
        "layers": len(heads[0].layers),
        **published,
        "tok2vec": _encoder_block(name, settings, reading),
    }
    model = registry.resolve({"model": architecture})["model"]
    fill(model.get_ref("tok2vec"), encoder)
    set_heads(model, heads, [part.stop - part.start for part in tagset.columns.values()])
    return model, _elsewhere(architecture)


def _encoder_block(name: str, settings: EncoderSettings, reading: Mapping[str, Any]) -> dict[str, Any]:
    own = {key: value for key, value in reading.items() if value is not None}
    return {"@architectures": "clinner.Transformer.v1", "name": named(name), **settings.changed(), **own}


def _elsewhere(architecture: dict[str, Any]) -> dict[str, Any]:
    """The device belongs to this machine, not to the weights: a saved pipeline goes where thinc's arrays are."""
    return architecture | {"tok2vec": architecture["tok2vec"] | {"device": None}}


def about(family: str, name: str, model: Model, path: Path) -> dict[str, Any]:
    """What ``multiclin info`` says of a checkpoint in the directory ``path``: its family of formats, encoder, what it
    tags in which windows, and what its card says."""
    from clinner_spacy.encoders.shim import shim_of

    tok2vec = model.get_ref("tok2vec")
    encoder = shim_of(tok2vec).encoder_called(tok2vec.attrs["name"])
    known = {"format": family, "name": named(name), "encoder": encoder.config.model_type}
    return {**known, **about_units(model), **known_about(path)}


def about_units(model: Model) -> dict[str, Any]:
    """What a tagger's encoder tags, and how it cuts long texts, for ``multiclin info``."""
    from clinner_spacy.encoders.shim import shim_of
    from clinner_spacy.models.transformer import window_size

    tok2vec = model.get_ref("tok2vec")
    shim, name, context = shim_of(tok2vec), tok2vec.attrs["name"], tok2vec.attrs["context"]
    encoder = shim.encoder_called(name)
    size, overlap = window_size(shim.settings, encoder, name)
    blocks = None if context is None else f"{size - 2 * context} pieces with {context} of context on both sides"
    return {
        "units": {"doc": "words of the Doc", "pieces": "pieces of the raw text"}.get(
            tok2vec.attrs["words"], f"words ({tok2vec.attrs['words']})"
        ),
        "windows": blocks or f"{size + encoder.n_special} pieces, {overlap} of them shared with the next",
    }


def named(checkpoint: str) -> str:
    """What a saved pipeline calls where it came from: a hub name as it is, a path without the builder's folders."""
    path = Path(checkpoint)
    return path.resolve().name if path.exists() else checkpoint


#: What reads texts, and the settings that may change from one use of saved weights to the next.
READERS = ("clinner.Transformer.v1", "clinner.EntityMarkers.v1")
ASKED = ("window", "overlap", "precision", "device", "batch_tokens")


def rebuild(architecture: dict[str, Any], settings: EncoderSettings, source: str) -> Model:
    """The model of a saved architecture, without its weights, and with the settings that are other than the defaults.

    Raises ClinnerError, naming the ``source`` of both, if the architecture describes no model, or none for settings.
    """
    asked = {name: value for name, value in settings.changed().items() if name in ASKED}
    try:
        model = registry.resolve({"model": as_asked(architecture, asked)})["model"]
    except ClinnerError:  # a setting
        raise
    except Exception as error:  # what is in the file may break anything
        reason = " ".join(str(error).split())[:120]
        raise ClinnerError(
            f"{source} is saved with an architecture that makes no model here ({reason}); "
            "install what it names, or save it again."
        ) from error
    if not any(repr(reader) in str(architecture) for reader in READERS):
        refuse_unused(asked, f"The model in {source}, which has no transformer,")
    return model


def as_asked(architecture: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    """A saved architecture with the settings ``asked`` for where it reads texts by them."""
    if architecture["@architectures"] in READERS:
        return architecture | asked
    if "tok2vec" in architecture:
        return architecture | {"tok2vec": as_asked(architecture["tok2vec"], asked)}
    if "*" in architecture:
        return architecture | {"*": {name: as_asked(member, asked) for name, member in architecture["*"].items()}}
    return architecture


def refuse_unused(settings: Mapping[str, Any], what: str) -> None:
    """Raise ClinnerError for a setting that was given, since ``what`` would pay it no heed."""
    for name, value in settings.items():
        if value not in (None, [], {}):
            raise ClinnerError(f"{what} has no use for {name}={value!r}; leave it out.")
