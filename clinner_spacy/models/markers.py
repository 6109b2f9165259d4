"""clinner.EntityMarkers.v1: one encoder pass a candidate pair, its spans between typed markers.

The published medspaner models (https://huggingface.co/medspaner, ``...-re-ct``): ``<S:TYPE>`` … ``</S:TYPE>`` stand
around the subject (the head), ``<O:TYPE>`` … ``</O:TYPE>`` around the object (the tail), each a single added token.
The element-wise maximum over the pieces from opening to closing marker, both included, subject first, then object,
goes through layer norm, dropout and a linear layer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, cast

import numpy as np
from thinc.api import Dropout, Linear, Model, chain
from thinc.types import Floats2d
from thinc.util import torch2xp

from clinner_spacy.encoders.batches import Batch
from clinner_spacy.encoders.encoder import Encoder, read_encoder
from clinner_spacy.encoders.hub import fetch_encoder
from clinner_spacy.encoders.settings import EncoderSettings, Precision
from clinner_spacy.encoders.shim import EncoderShim, backward, shim_of
from clinner_spacy.errors import ClinnerError
from clinner_spacy.models.layer_norm import TorchLayerNorm
from clinner_spacy.relations.candidates import Candidates, Ints
from clinner_spacy.relations.marked import Marked, add_markers, batch_marked, mark_pairs, marker_ids

#: Pairs marked and read at once when predicting, so that memory does not grow with the number of spans.
CHUNK = 8192


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

    name: a directory with config, tokenizer and weights, or a repository of the Hugging Face hub. revision, precision,
    batch_tokens, freeze, device, local_files_only: see
    :class:`~clinner_spacy.encoders.settings.EncoderSettings`. types: span label -> the code in its markers, by default
    the label itself; codes that the tokenizer lacks are added when the model is initialized. window: pieces of a pair's
    text read, special tokens included; of a longer text what is between the two spans, then what is nearest around
    them. nO: the number of labels; the component sets it, and
    ``attrs["span_labels"]``, the labels that get markers at initialization. Output: float (n_pairs, nO), logits of all
    documents' pairs, one after the other.
    """
    settings = EncoderSettings(
        revision=revision,
        local_files_only=local_files_only,
        window=window,
        precision=precision,
        batch_tokens=batch_tokens,
        device=device,
        freeze=freeze,
    )
    head: Model = chain(TorchLayerNorm(), Dropout(0.0), Linear(nO=nO))
    return Model(
        "entity_markers",
        forward,
        init=init,
        dims={"nO": nO},
        attrs={"name": name, "types": dict(types or {}), "span_labels": []},
        layers=[head],
        shims=[EncoderShim(settings)],
    )


def init(
    model: Model[list[Candidates], Floats2d], X: list[Candidates] | None = None, Y: Floats2d | None = None
) -> None:
    shim = shim_of(model)
    if shim.encoder is None:
        folder = fetch_encoder(model.attrs["name"], shim.settings.revision, shim.settings.local_files_only)
        fill(model, read_encoder(folder))
    add_types(model, model.attrs["span_labels"])
    width = cast(Encoder, shim_of(model).encoder).width
    model.layers[0].initialize(X=model.ops.alloc2f(1, 2 * width), Y=model.ops.alloc2f(1, model.get_dim("nO")))


def fill(model: Model[list[Candidates], Floats2d], encoder: Encoder) -> None:
    """Put an encoder into the model."""
    shim = shim_of(model)
    window_size(shim.settings, encoder, model.attrs["name"])
    shim.fill(encoder)


def add_types(model: Model[list[Candidates], Floats2d], labels: Iterable[str]) -> None:
    """Make the markers of span labels known to the tokenizer, with new rows among the encoder's embeddings."""
    shim, types = shim_of(model), model.attrs["types"]
    encoder = cast(Encoder, shim.encoder)
    add_markers(encoder.pieces.tokenizer, [types.get(label, label) for label in labels])
    if encoder.pieces.size > encoder.config.vocab_size:
        module: Any = encoder.module
        module.resize_token_embeddings(encoder.pieces.size, mean_resizing=False)
        encoder.config.vocab_size = encoder.pieces.size
        shim.fill(encoder)


def window_size(settings: EncoderSettings, encoder: Encoder, name: str) -> int:
    """Pieces of a pair's text, markers included. Raises ClinnerError if the encoder cannot read so many or too few."""
    window = encoder.window(cast(int | None, settings.window), name)
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
    vectors = shim.trainable_vectors(batches)
    pooled, which = ops.reduce_max(cast(Floats2d, torch2xp(vectors.detach(), ops=ops)), lengths)
    by_length, backprop_head = head(ops.reshape2f(pooled, len(order), -1), is_train)

    def backprop(dY: Any) -> list[Candidates]:
        d_pooled = ops.reshape2f(ops.as_contig(backprop_head(ops.as_contig(dY[order]))), 2 * len(order), -1)
        backward(vectors, ops.backprop_reduce_max(d_pooled, which, lengths))
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
    name, shim = model.attrs["name"], shim_of(model)
    encoder = shim.encoder_called(name)
    labels = sorted({c.spans[n].label for c in X for n in np.union1d(c.heads, c.tails).tolist()})
    markers = marker_ids(encoder.pieces.tokenizer, labels, model.attrs["types"], name)
    return mark_pairs(X, encoder.pieces, markers, window_size(shim.settings, encoder, name))


def fill_batches(
    model: Model[list[Candidates], Floats2d], marked: list[Marked], is_train: bool
) -> tuple[list[Batch], Ints]:
    """Batches for the encoder, and the order in which they hold the pairs."""
    shim = shim_of(model)
    return batch_marked(marked, shim.encoder_called(model.attrs["name"]), shim.batch_tokens(is_train))


def _lengths(marked: list[Marked], order: Ints) -> Ints:
    """int (2 * n_pairs,): pieces pooled for head and tail of each pair."""
    return np.asarray([len(part) for n in order.tolist() for part in (marked[n].head, marked[n].tail)], dtype=np.int64)


def _in_order(ops: Any, by_length: Floats2d, order: Ints) -> Floats2d:
    Y = ops.alloc2f(*by_length.shape)
    Y[order] = by_length
    return Y
