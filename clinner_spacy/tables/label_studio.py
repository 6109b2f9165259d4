"""Findings as Label Studio's pre-annotations: a JSON file of tasks that its import takes as it is.

https://labelstud.io/guide/predictions. Offsets there count characters (code points) as ours do, and line ends stay.
The project's labelling interface has a ``Text`` named "text" and ``Labels`` named "label".
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from clinner_spacy.tables.found import AnnotatedText
from clinner_spacy.tables.write import json_of, opened


def task(note: AnnotatedText, model: str) -> dict[str, Any]:
    """One note with its mentions and relations as a prediction of ``model``, each with its score.

    The prediction's own score is the least of its mentions': the Data Manager sorts by it, so that what wants a look
    comes first.
    """
    mentions = [
        {
            **{"id": f"m{n}", "from_name": "label", "to_name": "text", "type": "labels", "score": found.score},
            "value": {
                **{"start": found.start, "end": found.end, "text": note.text[found.start : found.end]},
                "labels": [found.label],
            },
        }
        for n, found in enumerate(note.found)
    ]
    relations = [
        {
            **{"type": "relation", "from_id": f"m{r['head']}", "to_id": f"m{r['tail']}", "direction": "right"},
            **{"labels": [r["label"]], "score": r["score"]},
        }
        for r in note.relations
    ]
    prediction: dict[str, Any] = {"model_version": model, "result": [*mentions, *relations]}
    if note.found:
        prediction["score"] = min(found.score for found in note.found)
    return {"data": {**note.columns, "note_id": note.name, "text": note.text}, "predictions": [prediction]}


def write_tasks(path: str | Path, notes: Iterable[AnnotatedText], model: str) -> None:
    """Write a task a note as one JSON file, which appears whole or not at all."""
    with opened(path) as file:
        file.write("[")
        for n, note in enumerate(notes):
            file.write((",\n" if n else "\n") + json_of(task(note, model)))
        file.write("\n]\n")
