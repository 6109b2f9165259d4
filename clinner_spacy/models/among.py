"""A pair among others: what the other pairs of its head, those of its tail, and it the other way round look like.

A relation is seldom alone: the words that one drug's dose is read from tell of the next one's, a head that has found
its tail needs no other, and of two events only one comes first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from thinc.api import Linear, Model
from thinc.types import Floats2d

from clinner_spacy.models.scatter import add_up

Ints = NDArray[np.int64]
Pairs = tuple[Floats2d, Ints, Ints]


def among(width: int) -> Model[Pairs, Floats2d]:
    """Add to each pair what the others say.

    Input: float (n_pairs, width), one vector a pair, and its head and tail, int (n_pairs,) each; all pairs of these
    spans must be there. Others are seen by their element-wise maximum.
    """
    return Model("among", forward, init=init, dims={"nO": width}, layers=[Linear(nO=width, nI=3 * width)])


def init(model: Model[Pairs, Floats2d], X: Pairs | None = None, Y: Floats2d | None = None) -> None:
    model.layers[0].initialize()


def forward(model: Model[Pairs, Floats2d], X: Pairs, is_train: bool) -> tuple[Floats2d, Callable[[Floats2d], Any]]:
    H: Any
    H, heads, tails = X
    ops: Any = model.ops  # its array types are none of numpy's
    of_head, backprop_head = _maxima(ops, H, heads)
    of_tail, backprop_tail = _maxima(ops, H, tails)
    here, back = other_way(heads, tails)
    turned = ops.alloc2f(*H.shape)
    turned[here] = H[back]
    Y, backprop_linear = model.layers[0](ops.xp.hstack([of_head, of_tail, turned]), is_train)

    def backprop(dY: Floats2d) -> Any:
        d_head, d_tail, d_turned = ops.xp.split(backprop_linear(dY), 3, axis=1)
        dH = dY + backprop_head(d_head) + backprop_tail(d_tail)
        dH[back] += d_turned[here]  # each pair is the reverse of one other at most
        return dH

    return H + Y, backprop


def _maxima(ops: Any, H: Any, group: Ints) -> tuple[Any, Callable[[Any], Any]]:
    """For each row the element-wise maximum over the rows of its group."""
    order = np.argsort(group, kind="stable")
    _, member, counts = np.unique(group, return_inverse=True, return_counts=True)
    lengths = ops.asarray1i(counts)
    maxima, which = ops.reduce_max(ops.as_contig(H[order]), lengths)

    def backprop(dY: Any) -> Any:
        dH = ops.alloc2f(*H.shape)
        dH[order] = ops.backprop_reduce_max(add_up(ops, dY, member, len(counts)), which, lengths)
        return dH

    return maxima[member], backprop


def other_way(heads: Ints, tails: Ints) -> tuple[Ints, Ints]:
    """Which pairs (h, t) have a pair (t, h), and which it is: int (n,) each."""
    base = int(max(heads.max(initial=0), tails.max(initial=0))) + 1
    key, turned = heads * base + tails, tails * base + heads
    order = np.argsort(key)
    place = np.minimum(np.searchsorted(key[order], turned), len(key) - 1)
    here = np.flatnonzero(key[order][place] == turned)
    return here, order[place[here]]


def apart(heads: Ints, tails: Ints, size: int) -> Iterator[Ints]:
    """Pairs, int (n,), in parts of ``size`` and as few more as it takes that no two parts share a span.

    heads, tails: spans counted in the order of the text.
    """
    first, last = np.minimum(heads, tails), np.maximum(heads, tails)
    order = np.argsort(first, kind="stable")
    reach = np.maximum.accumulate(last[order])
    cuts = 1 + np.flatnonzero(first[order][1:] > reach[:-1])
    start = 0
    while start < len(order):
        at = np.searchsorted(cuts, start + size)
        end = int(cuts[at]) if at < len(cuts) else len(order)
        yield order[start:end]
        start = end
