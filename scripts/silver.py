"""Complete gold with what teachers find in it: training data for a pipeline that knows all tasks.

    python scripts/silver.py corpus/gold corpus/texts --output corpus/completed --teachers a --teachers b

Every .spacy file of the folders, and of folders in them, is written to the output at the same place, with all tasks of
the teachers: a task that was annotated in a document stays as it is, any other gets what the teachers find, their
scores averaged before decoding. Where all that was annotated is "disorder" (a disease or a finding), the teachers only
choose which of both each one is. Groups of other tasks are let go.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import spacy
import typer
from numpy.typing import NDArray
from spacy.tokens import Doc, DocBin, Span, SpanGroup
from spacy.util import minibatch

from clinner_spacy.checkpoints import load_checkpoint
from clinner_spacy.corpora.docbin import save_docs
from clinner_spacy.ner.decode import predictions
from clinner_spacy.ner.tagset import TagSet

Scores = NDArray[np.floating]


def main(
    folders: Annotated[list[Path], typer.Argument(exists=True, file_okay=False)],
    output: Annotated[Path, typer.Option()],
    teachers: Annotated[list[str], typer.Option(help="Directory of a trained pipeline; repeat for each.")],
    batch_size: int = 64,
) -> None:
    models = [load_checkpoint(teacher) for teacher in teachers]
    tagset = TagSet(models[0].tasks)
    if any(TagSet(model.tasks).tasks != tagset.tasks for model in models):
        raise SystemExit("The teachers must have the same tasks.")
    transitions = np.mean([loaded.model.get_param("T") for loaded in models], axis=0)
    nlp = spacy.blank("xx")

    def completed(path: Path) -> Iterator[Doc]:
        docs = DocBin(store_user_data=True).from_disk(path).get_docs(nlp.vocab)  # open texts have no gold at all
        for batch in minibatch(docs, batch_size):
            scores = [np.mean(of_doc, axis=0) for of_doc in zip(*(m.model.predict(batch) for m in models), strict=True)]
            found = predictions(batch, scores, tagset, 0.0, transitions)
            for doc, score, spans in zip(batch, scores, found, strict=True):
                if "disorder" in doc.spans:
                    tell_disorders(doc, score, tagset)
                for task in tagset.tasks:
                    if task not in doc.spans:
                        of_task = [Span(doc, p.start, p.end, p.label) for p in spans if p.task == task]
                        doc.spans[task] = SpanGroup(doc, name=task, spans=of_task)
                for task in set(doc.spans).difference(tagset.tasks):
                    del doc.spans[task]
                yield doc

    for folder in folders:
        for path in sorted(folder.rglob("*.spacy")):
            target = output / path.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            print(f"{target}: {save_docs(target, completed(path))} documents", flush=True)


def tell_disorders(doc: Doc, scores: Scores, tagset: TagSet) -> None:
    """Make each gold disorder a disease or a symptom: the one whose best tag leads O by more, over its words."""
    tasks = ("disease", "symptom")
    groups: dict[str, list[Span]] = {task: [] for task in tasks}
    for span in doc.spans["disorder"]:
        of_task = {task: scores[span.start : span.end, tagset.columns[task]] for task in tasks}
        leads = {task: float((x[:, 1:].max(axis=1) - x[:, 0]).mean()) for task, x in of_task.items()}
        chosen = max(leads, key=leads.__getitem__)
        groups[chosen].append(Span(doc, span.start, span.end, tagset.tasks[chosen][0]))
    for task, spans in groups.items():
        doc.spans[task] = SpanGroup(doc, name=task, spans=spans)


if __name__ == "__main__":
    typer.run(main)
