from __future__ import annotations

import json
from pathlib import Path

from clinner_spacy.tables.found import AnnotatedText, Found
from clinner_spacy.tables.label_studio import write_tasks

NOTE = AnnotatedText(
    "a",
    "🩺 Toma\r\naspirina 100 mg.",
    [Found(8, 16, "DRUG", 0.5), Found(17, 23, "DOSE", 0.75)],
    [{"head": 0, "tail": 1, "label": "Has_Dose", "score": 0.25}],
    {"patient_id": "p"},
)


def test_a_task_a_note(tmp_path: Path) -> None:
    write_tasks(tmp_path / "tasks.json", [NOTE, AnnotatedText("b", "Nada.", [])], "embedded")
    first, second = json.loads((tmp_path / "tasks.json").read_text(encoding="utf-8"))
    assert first["data"] == {"note_id": "a", "patient_id": "p", "text": NOTE.text}
    (prediction,) = first["predictions"]
    assert (prediction["model_version"], prediction["score"]) == ("embedded", 0.5)
    drug, dose, relation = prediction["result"]
    assert drug["value"] == {"start": 8, "end": 16, "text": "aspirina", "labels": ["DRUG"]}
    assert (drug["from_name"], drug["to_name"], drug["type"], drug["score"]) == ("label", "text", "labels", 0.5)
    assert relation == {
        **{"type": "relation", "from_id": drug["id"], "to_id": dose["id"], "direction": "right"},
        **{"labels": ["Has_Dose"], "score": 0.25},
    }
    assert second["data"] == {"note_id": "b", "text": "Nada."}
    assert second["predictions"] == [{"model_version": "embedded", "result": []}]


def test_no_notes_are_an_empty_list(tmp_path: Path) -> None:
    write_tasks(tmp_path / "tasks.json", [], "embedded")
    assert json.loads((tmp_path / "tasks.json").read_text()) == []
