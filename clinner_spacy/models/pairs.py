"""clinner.SpanPairs.v1: every candidate pair of a batch scored at once, over one encoder pass a document."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, cast

import torch
from spacy.tokens import Doc
from thinc.api import Model
from thinc.types import Floats2d
from thinc.util import torch2xp, xp2torch
from torch import Tensor

from clinner_spacy.encoders.forks import safe_in_forks
from clinner_spacy.encoders.torch_shim import ModuleShim
from clinner_spacy.errors import ClinnerError
from clinner_spacy.models.pair_scorer import PairScorer
from clinner_spacy.relations.batch import PairBatch, pair_batch
from clinner_spacy.relations.candidates import Candidates

#: Words of a sentence that are read in one go: all sentences of a batch take as much time as the longest.
MAX_SEGMENT = 128

SpanPairs = Model[list[Candidates], Floats2d]


def build_span_pairs(
    tok2vec: Model[list[Doc], list[Floats2d]],
    width: int = 96,
    depth: int = 1,
    hidden: int = 128,
    rows: int = 10000,
    nO: int | None = None,
) -> SpanPairs:
    """Score every relation label for every candidate pair.

    tok2vec: any model that gives a vector a word, a listener too. width, depth: of the LSTM, in both directions, over
    each sentence's words joined with the types of their spans. hidden: width of a pair's vector. rows: of each
    feature's hash table. nO: the number of labels; the component sets it. Output: float (n_pairs, nO), logits of all
    documents' pairs, one after the other. Raises ClinnerError if the width is odd.

    ``attrs["sees_all_pairs"]``: a pair's logits depend on the other pairs of its document.
    """
    if width % 2:
        raise ClinnerError(f"width={width} of clinner.SpanPairs.v1 is odd, but half of it is read in each direction.")
    return Model(
        "span_pairs",
        forward,
        init=init,
        dims={"nO": nO},
        attrs={"sees_all_pairs": True, "dropout_rate": 0.0},
        layers=[tok2vec],
        shims=[ModuleShim(partial(PairScorer, width=width, depth=depth, hidden=hidden, rows=rows))],
        refs={"tok2vec": tok2vec},
    )


def init(model: SpanPairs, X: list[Candidates] | None = None, Y: Floats2d | None = None) -> None:
    tok2vec, shim = model.get_ref("tok2vec"), _shim(model)
    tok2vec.initialize(X=[c.doc for c in X] if X else None)
    shim.fill(n_inputs=tok2vec.get_dim("nO"), n_labels=model.get_dim("nO"))


def forward(model: SpanPairs, X: list[Candidates], is_train: bool) -> tuple[Floats2d, Callable[[Floats2d], Any]]:
    tok2vec, shim, ops = model.get_ref("tok2vec"), _shim(model), model.ops
    vectors, backprop_vectors = tok2vec([c.doc for c in X], is_train)
    lengths = ops.asarray1i([len(vector) for vector in vectors])
    flat = xp2torch(ops.flatten(vectors), requires_grad=is_train, device=shim.device)
    batch = to_tensors(pair_batch(X, MAX_SEGMENT), shim.device)
    module: Any = shim.module.train(is_train)
    module.dropout.p = model.attrs["dropout_rate"]
    with safe_in_forks(shim.device), torch.inference_mode(not is_train):
        logits = module(flat, batch)

    def backprop(dY: Floats2d) -> list[Candidates]:
        logits.backward(xp2torch(dY, device=shim.device))
        gradient: Any = torch2xp(cast(Tensor, flat.grad), ops=ops)
        backprop_vectors(ops.unflatten(gradient, lengths))
        return X

    return cast(Floats2d, torch2xp(logits.detach(), ops=ops)), backprop


def to_tensors(batch: PairBatch, device: torch.device) -> PairBatch:
    """The same arrays as tensors on a device; the segments' lengths stay on the host."""
    tensors = PairBatch._make(map(torch.from_numpy, batch))
    return PairBatch(tensors.segments, *(tensor.to(device) for tensor in tensors[1:]))


def _shim(model: SpanPairs) -> ModuleShim:
    return cast(ModuleShim, model.shims[0])
