"""What a pipeline holds of ours: its taggers, the labels they know, where its relations point."""

from __future__ import annotations

from collections.abc import Sequence

from spacy.language import Language

from clinner_spacy.checkpoints.tasks import choose_tasks
from clinner_spacy.errors import ClinnerError
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
    chosen = choose_tasks(tasks, only or None, "The model")
    return [(task, label) for task, labels in chosen.items() for label in labels]


def relation_key(nlp: Language) -> str | None:
    """The span group that the pipeline's relations point into; None if it finds none."""
    from clinner_spacy.pipeline.clinical_relations import ClinicalRelations

    keys = [component.spans_key for _, component in nlp.pipeline if isinstance(component, ClinicalRelations)]
    return keys[0] if keys else None


def relation_labels(nlp: Language) -> list[str]:
    """The labels of the relations that the pipeline finds, as far as they are known."""
    from clinner_spacy.pipeline.clinical_relations import ClinicalRelations

    pipes = [pipe for _, pipe in nlp.pipeline if isinstance(pipe, ClinicalRelations)]
    return [label for pipe in pipes for label in pipe.labels]
