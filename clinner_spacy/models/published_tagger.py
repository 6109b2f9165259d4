"""clinner.PublishedTagger.v1: the heads that published models have over an encoder, computed as their publishers do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from spacy.tokens import Doc
from thinc.api import Model
from thinc.types import Floats2d
from thinc.util import xp2torch
from torch import Tensor
from torch.nn.functional import gelu, relu

from clinner_spacy.encoders.forks import safe_in_forks
from clinner_spacy.errors import ClinnerError
from clinner_spacy.ner.chain import CRF, Chain
from clinner_spacy.ner.heads import Head
from clinner_spacy.ner.merge import fold, merge_readings
from clinner_spacy.ner.orphans import open_orphans
from clinner_spacy.ner.published import crf_log_probabilities, sigmoid_log_probabilities

Docs = list[Doc]
Scores = list[Floats2d]

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"gelu": gelu, "relu": relu}


def build_published_tagger(
    tok2vec: Model[Docs, Scores],
    nO: int,
    decode: Literal["softmax", "crf", "sigmoid"] = "softmax",
    heads: int = 1,
    layers: int = 1,
    activation: Literal["gelu", "relu"] = "gelu",
    merge: Literal["center", "vote"] = "center",
    columns: list[int] | None = None,
    orphans: Literal["drop", "open"] = "open",
) -> Model[Docs, Scores]:
    """Score every tag of every task for every unit with heads that have been trained elsewhere and stay as they are.

    tok2vec: a ``clinner.Transformer.v1``. nO: the columns of all tasks. decode: what a head's numbers are: "softmax",
    tags of which one is true; "crf", the same with a linear chain over the whole window, special tokens and pads too;
    "sigmoid", labels each true or not. heads: one, or one a task. layers: matrix products a head, ``activation``
    between them. merge, columns, orphans: see :func:`~clinner_spacy.models.multitask.build_multitask_tagger`; a CRF
    reads a word in one window only ("center"). Output: log-probabilities (n_units, nO) a document, rows of NaN where
    nothing was read.
    """
    if decode == "crf" and merge != "center":
        raise ClinnerError(
            f'merge={merge!r} has no effect on decode="crf", where one window tags a word; leave it out.'
        )
    names = [f"{head}.{part}{n}" for head in range(heads) for n in range(layers) for part in ("W", "b")]
    names += [f"{head}.{name}" for head in range(heads) for name in CRF if decode == "crf"]
    return Model(
        "published_tagger",
        forward,
        params=dict.fromkeys(names),
        attrs={
            "n_columns": nO,
            "decode": decode,
            "heads": heads,
            "layers": layers,
            "activation": activation,
            "widths": [],
            "merge": merge,
            "columns": columns,
            "orphans": orphans,
            "published": True,
        },
        layers=[tok2vec],
        refs={"tok2vec": tok2vec},
    )


def set_heads(model: Model[Docs, Scores], heads: Sequence[Head], widths: Sequence[int]) -> None:
    """Put published heads into the model. widths: columns a task."""
    ops: Any = model.ops  # its array types are not numpy's
    for n, head in enumerate(heads):
        for m, (weight, bias) in enumerate(head.layers):
            model.set_param(f"{n}.W{m}", ops.asarray_f(weight))
            model.set_param(f"{n}.b{m}", ops.asarray_f(bias))
        for name, value in zip(CRF, head.crf or (), strict=False):
            model.set_param(f"{n}.{name}", ops.asarray_f(value))
    model.attrs["widths"] = list(widths)


def forward(model: Model[Docs, Scores], docs: Docs, is_train: bool) -> tuple[Scores, Callable[[Scores], Docs]]:
    if is_train:
        raise ClinnerError("Published heads such as these cannot be trained; train new ones on the encoder.")
    attrs, ops = model.attrs, model.ops
    lengths = [len(doc) for doc in docs]
    Y: Any = np.full((sum(lengths), attrs["n_columns"]), np.nan, dtype=np.float32)
    words, scores = tag_windows(model, docs) if attrs["decode"] == "crf" else tag_readings(model, docs)
    Y[words] = scores
    if attrs["orphans"] == "open":
        open_orphans(Y, lengths, attrs["widths"])
    return ops.unflatten(ops.asarray2f(Y), ops.asarray1i(lengths)), lambda d_scores: docs


def tag_readings(model: Model[Docs, Scores], docs: Docs) -> tuple[NDArray[np.int64], NDArray]:
    """Units and their log-probabilities where each reading is tagged by itself, then merged."""
    tok2vec, attrs = model.get_ref("tok2vec"), model.attrs
    word, parts = tok2vec.attrs["read"](tok2vec, docs, attrs["merge"] == "vote", False)
    if not len(word):
        return word, np.empty((0, attrs["n_columns"]))
    logits = torch.cat(head_logits(model, parts), dim=1)
    columns = attrs["columns"]
    if attrs["decode"] == "sigmoid":
        logits, columns = sigmoid_log_probabilities(logits, columns, attrs["widths"]), None
    words, scores = merge_readings(word, logits, attrs["widths"], columns)
    return words, scores.cpu().numpy()


def tag_windows(model: Model[Docs, Scores], docs: Docs) -> tuple[NDArray[np.int64], NDArray]:
    """Units and their log-probabilities where a CRF tags whole windows."""
    tok2vec, attrs = model.get_ref("tok2vec"), model.attrs
    word, lengths, parts = tok2vec.attrs["positions"](tok2vec, docs)
    if not len(word):
        return word, np.empty((0, attrs["n_columns"]))
    read = np.flatnonzero(word >= 0)
    scores = []
    for n, logits in enumerate(head_logits(model, parts)):
        chain = Chain(*(np.asarray(model.ops.to_numpy(model.get_param(f"{n}.{name}")), dtype=float) for name in CRF))
        scores.append(crf_log_probabilities(logits.double().cpu().numpy(), lengths, chain)[read])
    found = np.concatenate(scores, axis=1)
    if attrs["columns"] is not None:
        found = fold(torch.from_numpy(found), attrs["columns"], attrs["n_columns"]).numpy()
    return word[read], found


def head_logits(model: Model[Docs, Scores], parts: Iterator[tuple[Tensor, Tensor]]) -> list[Tensor]:
    """What each head gives for all vectors, in the order of their places, float (n, n_tags), on their device.

    Raises ClinnerError if the encoder's own numbers overflow or are none.
    """
    order, vectors = next(parts)
    heads = list(_heads(model, vectors.device))
    with safe_in_forks(vectors.device), torch.inference_mode():
        scored = [(order, [_apply(head, vectors, model.attrs["activation"]) for head in heads])]
        for order, vectors in parts:
            scored.append((order, [_apply(head, vectors, model.attrs["activation"]) for head in heads]))
        places = torch.cat([order for order, _ in scored]).argsort()
        logits = [torch.cat(of_head)[places] for of_head in zip(*(found for _, found in scored), strict=True)]
        if not all(torch.isfinite(of_head).all() for of_head in logits):
            raise ClinnerError(
                f"The encoder {model.get_ref('tok2vec').attrs['name']!r} gives no finite numbers in this precision; "
                'use precision="fp32" or "bf16", or check its weights.'
            )
    return logits


def _heads(model: Model[Docs, Scores], device: torch.device) -> Iterator[list[tuple[Tensor, Tensor]]]:
    for n in range(model.attrs["heads"]):
        names = [(f"{n}.W{m}", f"{n}.b{m}") for m in range(model.attrs["layers"])]
        yield [tuple(xp2torch(model.get_param(name), device=device) for name in pair) for pair in names]  # type: ignore[misc]


def _apply(head: list[tuple[Tensor, Tensor]], X: Tensor, activation: str) -> Tensor:
    for n, (W, b) in enumerate(head):
        X = torch.addmm(b, ACTIVATIONS[activation](X) if n else X, W.T)
    return X
