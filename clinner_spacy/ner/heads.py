"""Changing what the heads of a trained model score: tasks and labels added or left out, and which have learned."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from thinc.api import Model

from clinner_spacy.errors import ClinnerError
from clinner_spacy.ner.tagset import TagSet

#: The logit of a tag that was never trained: none is chosen over it, and exp of it is 0 in every precision.
NEVER = -1e4


class Head(NamedTuple):
    """A published head. ``layers``: weight (n_out, n_in) and bias (n_out,) of each layer, the last one to the tags.
    ``crf``: float (n_tags, n_tags), (n_tags,) and (n_tags,), as in :data:`~clinner_spacy.ner.chain.CRF`, or None."""

    layers: list[tuple[NDArray[np.float32], NDArray[np.float32]]]
    crf: tuple[NDArray[np.float32], ...] | None = None


def resize_heads(model: Model, old: TagSet, new: TagSet) -> None:
    """Give the heads the columns of ``new`` in place; those that ``old`` has keep their weights, others start at zero
    and are never predicted until :func:`mark_trained`.

    Raises ClinnerError for published heads with layers or a CRF, or other tags than B, I and O: they cannot change.
    """
    if model.attrs["columns"] is not None or model.attrs.get("published"):
        if new.tasks == old.tasks:
            return
        raise ClinnerError(
            "These published heads cannot change, nor be taken apart; take the checkpoint itself, or train new ones."
        )
    known = {key: n for n, key in enumerate(_column_keys(old))}
    rows = np.asarray([known.get(key, -1) for key in _column_keys(new)], dtype=np.int64)
    untrained = set(model.attrs["untrained"])
    outside = {columns.start for columns in new.columns.values()}
    model.attrs["untrained"] = [
        n for n, row in enumerate(rows.tolist()) if n not in outside and (row == -1 or row in untrained)
    ]
    model.attrs["n_columns"] = new.n_columns
    model.attrs["widths"] = [columns.stop - columns.start for columns in new.columns.values()]
    if not model.has_param("W"):
        return
    ops: Any = model.ops  # its array types are not numpy's
    for name in ("W", "b"):
        model.set_param(name, ops.asarray_f(_take_rows(ops.to_numpy(model.get_param(name)), rows)))
    if model.has_param("T"):
        taken = _take_rows(ops.to_numpy(model.get_param("T")), rows)
        model.set_param("T", ops.asarray_f(_take_rows(taken.T, rows).T))


def mark_trained(model: Model, tagset: TagSet, tags: NDArray[np.int64]) -> None:
    """Let labels be predicted that stand in gold tags, int (n_words, n_tasks), which the model is about to learn."""
    if model.attrs["untrained"]:
        seen = {
            columns.start + side
            for column, columns in zip(tags.T, tagset.columns.values(), strict=True)
            for tag in np.unique(column[column > 0]).tolist()
            for side in (tag, tag + 1 if tag % 2 else tag - 1)  # B and I of a label go together
        }
        model.attrs["untrained"] = [n for n in model.attrs["untrained"] if n not in seen]


def silenced(ops: Any, b: Any, untrained: list[int]) -> Any:
    """The heads' biases b, float (n_columns,), as they are for prediction."""
    if not untrained:
        return b
    b = b.copy()
    b[ops.asarray1i(untrained)] = NEVER
    return b


def _take_rows(value: NDArray, rows: NDArray[np.int64]) -> NDArray:
    """The given rows of ``value``, zeros where a row is -1."""
    taken = np.zeros((len(rows), *value.shape[1:]), dtype=value.dtype)
    taken[rows >= 0] = value[rows[rows >= 0]]
    return taken


def _column_keys(tagset: TagSet) -> list[tuple[str, str]]:
    return [(task, tag) for task in tagset.tasks for tag in tagset.tags(task)]
