"""What a pipeline holds of ours: its taggers, the labels they know, where its relations point."""

from __future__ import annotations

from collections.abc import Sequence

from spacy.language import Language

from clinner_spacy.errors import ClinnerError
from clinner_spacy.ner.tagset import spelled
from clinner_spacy.pipeline.tagger import MultiClinNER


def clinical_components(nlp: Language) -> list[MultiClinNER]:
    """The pipeline's active "multiclin_ner" components. Raises ClinnerError if there is none."""
    found = [component for _, component in nlp.pipeline if isinstance(component, MultiClinNER)]
    if not found:
        there = ", ".join(nlp.pipe_names) or "nothing"
        raise ClinnerError(f"The pipeline holds no 'multiclin_ner' but {there}; name another.")
    return found


def labels_of(nlp: Language, only: Sequence[str] | None = None) -> list[tuple[str, str]]:
    """Each (task, label) of the tasks in ``only`` or of all. Raises ClinnerError for a task that is not there."""
    tasks: dict[str, list[str]] = {}
    for component in clinical_components(nlp):
        for task, labels in component.tasks.items():
            tasks.setdefault(task, []).extend(labels)
    unknown = [task for task in only or () if spelled(task, tasks) not in tasks]
    if unknown:
        raise ClinnerError(f"The model has no task {unknown[0]!r}; it has {', '.join(tasks)}.")
    only = only and [spelled(task, tasks) for task in only]
    return [(task, label) for task, labels in tasks.items() if not only or task in only for label in labels]


def relation_key(nlp: Language) -> str | None:
    """The span group that the pipeline's relations point into; None if it finds none."""
    from clinner_spacy.pipeline.clinical_relations import ClinicalRelations

    keys = [component.spans_key for _, component in nlp.pipeline if isinstance(component, ClinicalRelations)]
    return keys[0] if keys else None
