"""clinner.MultiTaskTagger.v1: any encoder, one matrix product for the heads of all tasks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, cast

import numpy as np
import torch
from spacy.tokens import Doc
from thinc.api import Model
from thinc.types import Floats1d, Floats2d
from thinc.util import torch2xp, xp2torch

from clinner_spacy.encoders.forks import safe_in_forks
from clinner_spacy.errors import ClinnerError
from clinner_spacy.ner.heads import silenced
from clinner_spacy.ner.merge import merge_readings
from clinner_spacy.ner.orphans import open_orphans

Docs = list[Doc]
Scores = list[Floats2d]


def build_multitask_tagger(
    tok2vec: Model[Docs, Scores],
    transitions: bool = False,
    nO: int | None = None,
    merge: Literal["center", "vote"] = "center",
    columns: list[int] | None = None,
    orphans: Literal["drop", "open"] = "drop",
) -> Model[Docs, Scores]:
    """Score every tag of every task for every word.

    tok2vec: any model that gives a vector a word. transitions: learn, beside, how likely a tag is to follow another
    (param "T", used within each task's columns); without, a word's best tag is taken by itself. nO: the number of
    columns; the component sets it (:func:`clinner_spacy.ner.heads.resize_heads`). Output: a float matrix
    (n_words, nO) of logits a document.

    Three settings are for an encoder that reads long texts in windows (``clinner.Transformer.v1``), and refused for
    others. merge: what counts for a word that several windows hold: "center", the window in which it has most context,
    or "vote", each window's best tag, as the publisher of the DT4H models does. columns: the column of each row of the
    heads, where a published model's tags are not BIO (several rows of a column: the best counts). orphans: what an I
    that continues nothing means, "drop" or "open". Scores are then log-probabilities, and the rows of words without a
    piece are NaN: nothing was read there.
    """
    given = {"merge": merge != "center", "columns": columns is not None, "orphans": orphans != "drop"}
    useless = [name for name, is_given in given.items() if is_given and "read" not in tok2vec.attrs]
    if useless:
        raise ClinnerError(
            f"{useless[0]} is for an encoder that reads in windows, {tok2vec.name} does not; leave it out."
        )
    return Model(
        "multitask_tagger",
        forward,
        init=init,
        params={"W": None, "b": None, "T": None},
        attrs={
            "n_columns": nO or 0,
            "transitions": transitions,
            "widths": [],
            "merge": merge,
            "columns": columns,
            "orphans": orphans,
            "untrained": [],  # columns of labels that nothing has been learned of
        },
        layers=[tok2vec],
        refs={"tok2vec": tok2vec},
    )


def init(model: Model[Docs, Scores], X: Docs | None = None, Y: Scores | None = None) -> None:
    tok2vec = model.get_ref("tok2vec")
    tok2vec.initialize(X=X)
    n_columns, width = model.attrs["n_columns"], tok2vec.get_dim("nO")
    model.set_param("W", model.ops.alloc2f(n_columns, width))
    model.set_param("b", model.ops.alloc1f(n_columns))
    if model.attrs["transitions"]:
        model.set_param("T", model.ops.alloc2f(n_columns, n_columns))


def forward(model: Model[Docs, Scores], docs: Docs, is_train: bool) -> tuple[Scores, Callable[[Scores], Docs]]:
    if is_train and model.attrs["columns"] is not None:
        raise ClinnerError(
            "These heads score other tags than B, I and O and cannot be trained; train new ones on the encoder."
        )
    score = score_readings if "read" in model.get_ref("tok2vec").attrs else score_vectors
    return score(model, docs, is_train)


def score_vectors(model: Model[Docs, Scores], docs: Docs, is_train: bool) -> tuple[Scores, Callable[[Scores], Docs]]:
    """The logits of encoders that give one vector a word."""
    W, b = _heads(model, is_train)
    ops = model.ops
    vectors, backprop_vectors = model.get_ref("tok2vec")(docs, is_train)
    lengths = ops.asarray1i([len(vector) for vector in vectors])
    # Flattening copies, and a document by itself may be huge.
    X = vectors[0] if len(vectors) == 1 else ops.flatten(vectors) if vectors else ops.alloc2f(0, W.shape[1])
    Y = ops.gemm(X, W, trans2=True) + b

    def backprop(d_scores: Scores) -> Docs:
        dY = ops.flatten(d_scores)
        model.inc_grad("W", ops.gemm(dY, X, trans1=True))
        model.inc_grad("b", dY.sum(axis=0))
        return backprop_vectors(ops.unflatten(ops.gemm(dY, W), lengths))

    return ops.unflatten(Y, lengths), backprop


def score_readings(model: Model[Docs, Scores], docs: Docs, is_train: bool) -> tuple[Scores, Callable[[Scores], Docs]]:
    """The log-probabilities of encoders that read in windows: each reading is scored, then merged, on their device.

    Raises ClinnerError if the encoder's own numbers overflow or are none.
    """
    tok2vec, attrs, ops = model.get_ref("tok2vec"), model.attrs, model.ops
    lengths = [len(doc) for doc in docs]
    widths = attrs["widths"] or [attrs["n_columns"]]
    Y: Any = np.full((sum(lengths), sum(widths)), np.nan, dtype=np.float32)
    word, parts = tok2vec.attrs["read"](tok2vec, docs, attrs["merge"] == "vote", is_train)
    if not len(word):
        return ops.unflatten(ops.asarray2f(Y), ops.asarray1i(lengths)), lambda d_scores: docs
    order, vectors = next(parts)
    W, b = (xp2torch(param, requires_grad=is_train, device=vectors.device) for param in _heads(model, is_train))
    with safe_in_forks(vectors.device), torch.set_grad_enabled(is_train):
        scored = [(order, torch.addmm(b, vectors, W.T))]
        scored += [(order, torch.addmm(b, vectors, W.T)) for order, vectors in parts]
        logits = torch.cat([logits for _, logits in scored])[torch.cat([order for order, _ in scored]).argsort()]
        if not torch.isfinite(logits).all():
            raise ClinnerError(
                f"The encoder {tok2vec.attrs['name']!r} gives no finite numbers in this precision; "
                'use precision="fp32" or "bf16", or check its weights.'
            )
        words, scores = merge_readings(word, logits, widths, attrs["columns"])
    Y[words] = scores.detach().cpu().numpy()
    if attrs["orphans"] == "open" and not is_train:
        open_orphans(Y, lengths, widths)

    def backprop(d_scores: Scores) -> Docs:
        gradient: Any = ops.flatten(d_scores)
        scores.backward(xp2torch(gradient[words], device=scores.device))
        for name, head in (("W", W), ("b", b)):
            model.inc_grad(name, cast(Floats2d, torch2xp(cast(torch.Tensor, head.grad), ops=ops)))
        return docs

    return ops.unflatten(ops.asarray2f(Y), ops.asarray1i(lengths)), backprop


def _heads(model: Model[Docs, Scores], is_train: bool) -> tuple[Floats2d, Floats1d]:
    """Weight and bias; when predicting, labels that nothing has been learned of cannot win."""
    W, b = cast(Floats2d, model.get_param("W")), cast(Floats1d, model.get_param("b"))
    return W, b if is_train else silenced(model.ops, b, model.attrs["untrained"])
