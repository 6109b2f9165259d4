"""A few notes as a corpus in the MultiClinNER layout."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from clinner_spacy.corpora.document import Document, Mention
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


def _mention(text: str, task: str, found: str) -> Mention:
    start = text.index(found)
    return Mention(task.upper(), ((start, start + len(found)),))
