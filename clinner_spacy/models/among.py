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
Look = Callable[[slice], Any]


def among(width: int) -> Model[Pairs, Floats2d]:
    """Add to each pair what the others say.

    Input: float (n_pairs, width), one vector a pair, and its head and tail, int (n_pairs,) each; all pairs of these
    spans must be there. Others are seen by their element-wise maximum.
    """
    return Model("among", forward, init=init, dims={"nO": width}, layers=[Linear(nO=width, nI=3 * width)])


def init(model: Model[Pairs, Floats2d], X: Pairs | None = None, Y: Floats2d | None = None) -> None:
    model.layers[0].initialize()


def forward(model: Model[Pairs, Floats2d], X: Pairs, is_train: bool) -> tuple[Floats2d, Callable[[Floats2d], Any]]:
    look, backprop_look = look_around(model.ops, *X)
    Y, backprop_linear = model.layers[0](look(slice(None)), is_train)
    return X[0] + Y, lambda dY: dY + backprop_look(backprop_linear(dY))


def in_parts(model: Model[Pairs, Floats2d], X: Pairs, size: int) -> Iterator[tuple[slice, Floats2d]]:
    """What the model predicts, for ``size`` pairs at a time, whose others may be anywhere."""
    look, _ = look_around(model.ops, *X)
    for start in range(0, len(X[0]), size):
        part = slice(start, start + size)
        yield part, X[0][part] + model.layers[0].predict(look(part))


def look_around(ops: Any, H: Any, heads: Ints, tails: Ints) -> tuple[Look, Callable[[Any], Any]]:
    """What pairs see, float (n, 3 * width) for a slice of them, and how its gradient, of all pairs, goes back to H."""
    of_head, head, backprop_head = _maxima(ops, H, heads)
    of_tail, tail, backprop_tail = _maxima(ops, H, tails)
    back = other_way(heads, tails)

    def look(part: slice) -> Any:
        turned = H[back[part]] * ops.asarray2f((back[part] >= 0)[:, None])
        return ops.xp.hstack([of_head[head[part]], of_tail[tail[part]], turned])

    def backprop(dY: Any) -> Any:
        d_head, d_tail, d_turned = ops.xp.split(dY, 3, axis=1)
        dH = backprop_head(d_head) + backprop_tail(d_tail)
        here = np.flatnonzero(back >= 0)
        dH[back[here]] += d_turned[here]  # each pair is the reverse of one other at most
        return dH

    return look, backprop


def _maxima(ops: Any, H: Any, group: Ints) -> tuple[Any, Ints, Callable[[Any], Any]]:
    """The element-wise maximum over the rows of each group, and which of these is each row's."""
    order = np.argsort(group, kind="stable")
    _, member, counts = np.unique(group, return_inverse=True, return_counts=True)
    lengths = ops.asarray1i(counts)
    maxima, which = ops.reduce_max(ops.as_contig(H[order]), lengths)

    def backprop(dY: Any) -> Any:
        dH = ops.alloc2f(*H.shape)
        dH[order] = ops.backprop_reduce_max(add_up(ops, dY, member, len(counts)), which, lengths)
        return dH

    return maxima, member, backprop


def other_way(heads: Ints, tails: Ints) -> Ints:
    """For each pair (h, t) which is (t, h), int (n_pairs,); -1 where there is none."""
    base = int(max(heads.max(initial=0), tails.max(initial=0))) + 1
    key, turned = heads * base + tails, tails * base + heads
    order = np.argsort(key)
    place = np.minimum(np.searchsorted(key[order], turned), len(key) - 1)
    return np.where(key[order][place] == turned, order[place], -1)
