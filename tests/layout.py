"""A few notes as corpora: in the MultiClinNER layout, and brat with relations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from clinner_spacy.corpora.brat import write_brat
from clinner_spacy.corpora.document import Document, Mention, Relation
from clinner_spacy.corpora.tsv import write_multiclin_tsv

#: A text and, by task, the mentions annotated in it; a task that is absent was not annotated.
Note = tuple[str, dict[str, list[str]]]


def write_split(folder: Path, notes: Sequence[Note]) -> Path:
    """Write ``<folder>/<its name>-<task>/{txt,tsv}`` for each task, with the notes annotated for it."""
    for task in {task for _, mentions in notes for task in mentions}:
        part = folder / f"{folder.name}-{task}"
        (part / "txt").mkdir(parents=True)
        (part / "tsv").mkdir()
        documents = [
            Document(f"note{n}", text, {task: [_mention(text, task, found) for found in mentions[task]]})
            for n, (text, mentions) in enumerate(notes)
            if task in mentions
        ]
        for document in documents:
            (part / "txt" / f"{document.name}.txt").write_text(document.text, encoding="utf-8", newline="")
        write_multiclin_tsv(part / "tsv" / f"{part.name}.tsv", documents)
    return folder


#: A text with its mentions (label, text) and relations (label, head, tail), in text order.
DOSES = (
    "Tratamiento con enalapril 10 mg y paracetamol 500 mg al día.",
    [("DRUG", "enalapril"), ("DOSE", "10 mg"), ("DRUG", "paracetamol"), ("DOSE", "500 mg")],
    [("Has_Dose", 0, 1), ("Has_Dose", 2, 3)],
)


def write_doses(folder: Path) -> Path:
    """Write DOSES as brat standoff."""
    text, found, related = DOSES
    mentions = [replace(_mention(text, label, words), id=f"T{n}") for n, (label, words) in enumerate(found)]
    relations = [Relation(label, f"T{head}", f"T{tail}") for label, head, tail in related]
    folder.parent.mkdir(parents=True, exist_ok=True)
    write_brat(folder, [Document("note", text, {"spans": mentions}, relations)])
    return folder


def _mention(text: str, task: str, found: str) -> Mention:
    start = text.index(found)
    return Mention(task.upper(), ((start, start + len(found)),))
