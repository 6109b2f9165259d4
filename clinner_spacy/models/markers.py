"""clinner.EntityMarkers.v1: one encoder pass a candidate pair, its spans between typed markers.

The published medspaner models (https://huggingface.co/medspaner, ``...-re-ct``): ``<S:TYPE>`` … ``</S:TYPE>`` stand
around the subject (the head), ``<O:TYPE>`` … ``</O:TYPE>`` around the object (the tail), each a single added token.
The element-wise maximum over the pieces from opening to closing marker, both included, subject first, then object,
goes through layer norm, dropout and a linear layer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, cast

import numpy as np
from thinc.api import Dropout, Linear, Model, chain
from thinc.types import Floats2d
from thinc.util import torch2xp

from clinner_spacy.encoders.batches import Batch
from clinner_spacy.encoders.encoder import Encoder, read_encoder
from clinner_spacy.encoders.precision import Precision
from clinner_spacy.encoders.shim import EncoderShim, shim_of
from clinner_spacy.errors import ClinnerError
from clinner_spacy.models.layer_norm import TorchLayerNorm
from clinner_spacy.relations.candidates import Candidates, Ints
from clinner_spacy.relations.marked import Marked, add_markers, batch_marked, mark_pairs, marker_ids

#: Pairs marked and read at once when predicting, so that memory does not grow with the number of spans.
CHUNK = 8192


@dataclass(frozen=True)
class Settings:
    """How pairs are read; see :func:`build_entity_markers`."""

    name: str
    revision: str | None
    local_files_only: bool
    types: Mapping[str, str]
    window: int | None
    batch_tokens: int | None


def build_entity_markers(
    name: str,
    revision: str | None = None,
    types: dict[str, str] | None = None,
    window: int | None = None,
    precision: Precision = "auto",
    batch_tokens: int | None = None,
    freeze: bool | int = False,
    device: str | None = None,
    local_files_only: bool = False,
    nO: int | None = None,
) -> Model[list[Candidates], Floats2d]:
    """Score every relation label for every candidate pair.

    name, revision, precision, freeze, device, local_files_only: as in
    :func:`clinner_spacy.models.transformer.build_transformer`. types: span label -> the code in its markers, by default
    the label itself; codes that the tokenizer lacks are added when the model is initialized. window: pieces of a pair's
    text read, special tokens included; of a longer text what is between the two spans, then what is nearest around
    them. batch_tokens: as for clinner.Transformer.v1. nO: the number of labels; the component sets it, and
    ``attrs["span_labels"]``, the labels that get markers at initialization. Output: float (n_pairs, nO), logits of all
    documents' pairs, one after the other.
    """
    if batch_tokens is not None and batch_tokens < 1:
        raise ClinnerError(f"batch_tokens={batch_tokens} is below 1; leave it out or raise it.")
    head: Model = chain(TorchLayerNorm(), Dropout(0.0), Linear(nO=nO))
    return Model(
        "entity_markers",
        forward,
        init=init,
        dims={"nO": nO},
        attrs={
            "settings": Settings(name, revision, local_files_only, dict(types or {}), window, batch_tokens),
            "span_labels": [],
        },
        layers=[head],
        shims=[EncoderShim(precision, device, freeze)],
    )


def init(
    model: Model[list[Candidates], Floats2d], X: list[Candidates] | None = None, Y: Floats2d | None = None
) -> None:
    settings = model.attrs["settings"]
    if shim_of(model).encoder is None:
        from clinner_spacy.encoders.hub import fetch_encoder

        fill(model, read_encoder(fetch_encoder(settings.name, settings.revision, settings.local_files_only)))
    add_types(model, model.attrs["span_labels"])
    width = cast(Encoder, shim_of(model).encoder).width
    model.layers[0].initialize(X=model.ops.alloc2f(1, 2 * width), Y=model.ops.alloc2f(1, model.get_dim("nO")))


def fill(model: Model[list[Candidates], Floats2d], encoder: Encoder) -> None:
    """Put an encoder into the model."""
    window_size(model.attrs["settings"], encoder)
    shim_of(model).fill(encoder)


def add_types(model: Model[list[Candidates], Floats2d], labels: Iterable[str]) -> None:
    """Make the markers of span labels known to the tokenizer, with new rows among the encoder's embeddings."""
    shim, settings = shim_of(model), model.attrs["settings"]
    encoder = cast(Encoder, shim.encoder)
    add_markers(encoder.pieces.tokenizer, [settings.types.get(label, label) for label in labels])
    if encoder.pieces.size > encoder.config.vocab_size:
        module: Any = encoder.module
        module.resize_token_embeddings(encoder.pieces.size, mean_resizing=False)
        encoder.config.vocab_size = encoder.pieces.size
        shim.fill(encoder)


def window_size(settings: Settings, encoder: Encoder) -> int:
    """Pieces of a pair's text, markers included. Raises ClinnerError if the encoder cannot read so many or too few."""
    window = encoder.window(settings.window, settings.name)
    if window < encoder.n_special + 8:
        raise ClinnerError(f"window={window} leaves no room for two spans and their markers; raise it.")
    return window - encoder.n_special


def forward(
    model: Model[list[Candidates], Floats2d], X: list[Candidates], is_train: bool
) -> tuple[Floats2d, Callable[[Floats2d], list[Candidates]]]:
    shim, head = shim_of(model), model.layers[0]
    ops: Any = model.ops  # its array types are none of numpy's
    if not is_train:
        every = mark_all(model, X)
        parts = []
        while part := list(islice(every, CHUNK)):
            parts.append(_predict(model, part))
        return ops.xp.vstack(parts) if parts else ops.alloc2f(0, model.get_dim("nO")), lambda dY: X
    marked = list(mark_all(model, X))
    if not marked:
        return ops.alloc2f(0, model.get_dim("nO")), lambda dY: X
    batches, order = fill_batches(model, marked, is_train)
    lengths = ops.asarray1i(_lengths(marked, order))
    vectors, backprop_vectors = shim.begin_update(batches)
    pooled, which = ops.reduce_max(cast(Floats2d, torch2xp(vectors, ops=ops)), lengths)
    by_length, backprop_head = head(ops.reshape2f(pooled, len(order), -1), is_train)

    def backprop(dY: Any) -> list[Candidates]:
        d_pooled = ops.reshape2f(ops.as_contig(backprop_head(ops.as_contig(dY[order]))), 2 * len(order), -1)
        backprop_vectors(ops.backprop_reduce_max(d_pooled, which, lengths))
        return X

    return _in_order(ops, by_length, order), backprop


def _predict(model: Model[list[Candidates], Floats2d], marked: list[Marked]) -> Floats2d:
    """Logits of some pairs, pooled batch by batch: only a vector a span stays from each."""
    shim = shim_of(model)
    ops: Any = model.ops
    batches, order = fill_batches(model, marked, is_train=False)
    pooled, done = [], 0
    for batch in batches:
        lengths = _lengths(marked, order[done : done + len(batch.ids)])
        done += len(batch.ids)
        vectors = cast(Floats2d, torch2xp(shim.predict(batch).float(), ops=ops))
        pooled.append(ops.reduce_max(vectors, ops.asarray1i(lengths))[0])
    by_length = model.layers[0].predict(ops.reshape2f(ops.xp.vstack(pooled), len(order), -1))
    return _in_order(ops, by_length, order)


def mark_all(model: Model[list[Candidates], Floats2d], X: list[Candidates]) -> Iterator[Marked]:
    """The pieces of each pair with markers around its spans, one pair after the other."""
    settings = model.attrs["settings"]
    encoder = shim_of(model).encoder_called(settings.name)
    labels = sorted({c.spans[n].label for c in X for n in np.union1d(c.heads, c.tails).tolist()})
    markers = marker_ids(encoder.pieces.tokenizer, labels, settings.types, settings.name)
    return mark_pairs(X, encoder.pieces, markers, window_size(settings, encoder))


def fill_batches(
    model: Model[list[Candidates], Floats2d], marked: list[Marked], is_train: bool
) -> tuple[list[Batch], Ints]:
    """Batches for the encoder, and the order in which they hold the pairs."""
    shim, settings = shim_of(model), model.attrs["settings"]
    encoder = shim.encoder_called(settings.name)
    return batch_marked(marked, encoder, shim.batch_tokens(settings.batch_tokens, is_train))


def _lengths(marked: list[Marked], order: Ints) -> Ints:
    """int (2 * n_pairs,): pieces pooled for head and tail of each pair."""
    return np.asarray([len(part) for n in order.tolist() for part in (marked[n].head, marked[n].tail)], dtype=np.int64)


def _in_order(ops: Any, by_length: Floats2d, order: Ints) -> Floats2d:
    Y = ops.alloc2f(*by_length.shape)
    Y[order] = by_length
    return Y
