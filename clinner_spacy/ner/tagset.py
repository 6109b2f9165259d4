"""Which column of the score matrix means which tag: ``O, B-X, I-X, B-Y, I-Y, …`` a task, tasks side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from clinner_spacy.errors import ClinnerError
from clinner_spacy.files import CONTROL


class TagSet:
    """The columns of all tasks.

    ``tasks`` maps a task's name to its labels; a task of n labels owns 1 + 2n columns, in the order of the mapping.
    """

    def __init__(self, tasks: Mapping[str, Sequence[str]]) -> None:
        self.tasks = {task: list(labels) for task, labels in tasks.items()}
        self.columns: dict[str, slice] = {}
        start = 0
        for task, labels in self.tasks.items():
            for name in (task, *labels):
                if not name.strip() or CONTROL.search(name):
                    raise ClinnerError(f"A task or label is empty or holds a control character: {name!r}; rename it.")
            if len(set(labels)) != len(labels):
                raise ClinnerError(f"Task {task!r} names a label twice: {labels}; name each once.")
            stop = start + 1 + 2 * len(labels)
            self.columns[task] = slice(start, stop)
            start = stop
        self.n_columns = start

    @property
    def labels(self) -> tuple[str, ...]:
        """Every label, in order of tasks; a label of two tasks stands once."""
        return tuple(dict.fromkeys(label for labels in self.tasks.values() for label in labels))

    def tags(self, task: str) -> list[str]:
        """The tag of each column of a task, e.g. ``["O", "B-DRUG", "I-DRUG"]``."""
        return ["O", *(f"{prefix}-{label}" for label in self.tasks[task] for prefix in "BI")]


def spelled(name: str, known: Iterable[str]) -> str:
    """The known name that ``name`` is but for capitals, or ``name`` as it is."""
    known = list(known)
    alike = [other for other in known if other.casefold() == name.casefold()]
    return name if name in known or not alike else alike[0]
