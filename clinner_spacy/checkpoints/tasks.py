"""Choosing among the tasks of a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from clinner_spacy.errors import ClinnerError
from clinner_spacy.ner.tagset import spelled

T = TypeVar("T")


def choose_tasks(there: Mapping[str, T], task: str | Sequence[str] | None, name: str) -> dict[str, T]:
    """Those of the tasks that are asked for, in that order, by default all. Raises ClinnerError if one isn't there."""
    wanted = list(there) if task is None else [task] if isinstance(task, str) else list(task)
    wanted = [spelled(one, there) for one in wanted]
    unknown = [one for one in wanted if one not in there]
    if unknown:
        raise ClinnerError(f"{name} has no task {unknown[0]!r} but {', '.join(there)}; set `task` to one of these.")
    return {one: there[one] for one in wanted}
