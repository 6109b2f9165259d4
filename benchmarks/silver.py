"""Label open text with several trained pipelines that vote: training data for a smaller, faster pipeline.

    python benchmarks/silver.py es.jsonl silver-es.spacy --lang es --teachers training/a training/b training/c

A line of the input is a JSON object with the key "text"; a .spacy file with gold may stand there instead, and is
completed with the tasks that were not annotated in a document. The teachers' scores are averaged before decoding; what
they find is stored as gold would be, one span group a task. How the embedded model is trained: docs/embedded-model.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import spacy
import srsly
import typer
from spacy.tokens import Doc, Span, SpanGroup
from spacy.util import minibatch

from clinner_spacy.checkpoints import load_checkpoint
from clinner_spacy.corpora.docbin import read_docs, save_docs
from clinner_spacy.ner.decode import predictions
from clinner_spacy.ner.tagset import TagSet


def main(
    texts: Path,
    output: Path,
    teachers: Annotated[list[str], typer.Option(help="Directory of a trained pipeline; repeat for each.")],
    lang: Annotated[str, typer.Option(help="Language of the texts: whose tokenizer cuts them.")],
    batch_size: int = 64,
) -> None:
    models = [load_checkpoint(teacher) for teacher in teachers]
    tagset = TagSet(models[0].tasks)
    if any(TagSet(model.tasks).tasks != tagset.tasks for model in models):
        raise SystemExit("The teachers must have the same tasks.")
    transitions = np.mean([loaded.model.get_param("T") for loaded in models], axis=0)
    nlp = spacy.blank(lang)

    def labelled() -> Iterator[Doc]:
        if texts.suffix == ".spacy":
            docs = read_docs(texts, nlp.vocab)
        else:
            docs = (nlp.tokenizer(line["text"]) for line in srsly.read_jsonl(texts))
        for batch in minibatch(docs, batch_size):
            scores = [loaded.model.predict(batch) for loaded in models]
            averaged = [np.mean(of_doc, axis=0) for of_doc in zip(*scores, strict=True)]
            for doc, found in zip(batch, predictions(batch, averaged, tagset, 0.0, transitions), strict=True):
                for task in tagset.tasks:
                    if task in doc.spans:
                        continue
                    spans = [Span(doc, p.start, p.end, p.label) for p in found if p.task == task]
                    doc.spans[task] = SpanGroup(doc, name=task, spans=spans)
                yield doc

    print(f"{save_docs(output, labelled())} documents in {output}")


if __name__ == "__main__":
    typer.run(main)
