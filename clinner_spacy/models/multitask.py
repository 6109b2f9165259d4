"""clinner.MultiTaskTagger.v1: any encoder, one matrix product for the heads of all tasks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, cast

from spacy.tokens import Doc
from thinc.api import Model
from thinc.types import Floats1d, Floats2d

from clinner_spacy.errors import ClinnerError
from clinner_spacy.ner.heads import silenced

Docs = list[Doc]
Scores = list[Floats2d]


def build_multitask_tagger(
    tok2vec: Model[Docs, Scores],
    transitions: bool = False,
    nO: int | None = None,
    columns: list[int] | None = None,
    stray: Literal["drop", "open"] = "drop",
) -> Model[Docs, Scores]:
    """Score every tag of every task for every word.

    tok2vec: any model that gives a vector a word. transitions: learn, beside, how likely a tag is to follow another
    (param "T", used within each task's columns); without, a word's best tag is taken by itself. nO: the number of
    columns; the component sets it (:func:`clinner_spacy.ner.heads.resize_heads`). Output: a float matrix
    (n_words, nO) of logits a document.

    An encoder that reads long texts in windows keeps the heads at its side and merges what the windows say: it sets
    ``attrs["score_words"](tok2vec, docs, W, b, attrs)``, which is called instead when not training;
    ``attrs["widths"]``, the number of columns a task, is set with them.

    Two settings serve published heads read by such an encoder. columns: the column of each row of the heads, where
    their tags are not BIO (several rows of a column: the best counts). stray: what an I that continues nothing means,
    "drop" or "open".
    """
    return Model(
        "multitask_tagger",
        forward,
        init=init,
        params={"W": None, "b": None, "T": None},
        attrs={
            **{"n_columns": nO or 0, "transitions": transitions, "widths": [], "columns": columns, "stray": stray},
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
    tok2vec = model.get_ref("tok2vec")
    W, b = cast(Floats2d, model.get_param("W")), cast(Floats1d, model.get_param("b"))
    if not is_train:
        b = silenced(model.ops, b, model.attrs["untrained"])
    score_words = tok2vec.attrs.get("score_words")
    if score_words is not None and not is_train:
        return score_words(tok2vec, docs, W, b, model.attrs), lambda d_scores: docs
    if model.attrs["columns"] is not None:
        raise ClinnerError(
            "These heads score other tags than B, I and O and cannot be trained; train new ones on the encoder."
        )
    ops = model.ops
    vectors, backprop_vectors = tok2vec(docs, is_train)
    lengths = ops.asarray1i([len(vector) for vector in vectors])
    X = ops.flatten(vectors) if vectors else ops.alloc2f(0, W.shape[1])
    Y = ops.gemm(X, W, trans2=True) + b

    def backprop(d_scores: Scores) -> Docs:
        dY = ops.flatten(d_scores)
        model.inc_grad("W", ops.gemm(dY, X, trans1=True))
        model.inc_grad("b", dY.sum(axis=0))
        return backprop_vectors(ops.unflatten(ops.gemm(dY, W), lengths))

    return ops.unflatten(Y, lengths), backprop
