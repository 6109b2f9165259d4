"""The embedded model beside what a spaCy user would train instead: one "ner" pipeline a task.

    python benchmarks/embedded.py --corpora ../shared/corpora --work training/peers --langs es --langs en

Trains the peers that are not in --work yet (HashEmbedCNN, the efficiency defaults of `spacy init config`), on the part
of one language or, with --langs es-en, on three parts together. Then, in one run on the dev parts: strict
and character F1, and words per second on one thread, rounds alternated, medians.
"""

# ruff: noqa: E402 (one thread must be asked for before numpy is imported)

from __future__ import annotations

import os

for variable in ("OMP_NUM_THREADS", "BLIS_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = "1"

import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import spacy
import typer
from spacy.cli.init_config import init_config
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span
from spacy.training.initialize import init_nlp
from spacy.training.loop import train
from spacy.util import filter_spans

from clinner_spacy.corpora.document import to_doc
from clinner_spacy.corpora.multiclin import multiclin_tasks, read_multiclin
from clinner_spacy.scoring.spans import SpanRow, char_scores, strict_scores

TASKS = ("disease", "symptom", "procedure")
SPANISH_ENGLISH = {"MultiClinNER-es": "es", "MultiClinNER-es-cardio": "es", "MultiClinNER-en": "en"}
PARTS = SPANISH_ENGLISH | {f"MultiClinNER-{lang}": lang for lang in ("it", "nl", "sv", "cs", "ro")}

#: What the peers of a set learn from.
SETS = {lang: [f"MultiClinNER-{lang}"] for lang in ("es", "en", "it", "nl", "sv", "cs", "ro")}
SETS |= {"es-en": list(SPANISH_ENGLISH)}


def main(
    corpora: Annotated[Path, typer.Option(help="Folder with the MultiClinNER corpora.")],
    work: Annotated[Path, typer.Option(help="Where peers are kept once trained.")],
    langs: Annotated[list[str] | None, typer.Option(help=f"Sets of peers: {', '.join(SETS)}; repeat.")] = None,
    ours: Annotated[str, typer.Option(help="Our checkpoint: embedded, or a trained pipeline.")] = "embedded",
    tasks: Annotated[list[str] | None, typer.Option(help="Tasks; repeat.")] = None,
    rounds: int = 3,
) -> None:
    sets, wanted = langs or ["es"], tasks or list(TASKS)
    peers = {name: {task: peer(name, task, corpora, work) for task in wanted} for name in sets}
    for part, lang in ((part, lang) for part, lang in PARTS.items() if any(part in SETS[name] for name in sets)):
        gold = list(docs_of(part, "dev", corpora))
        mine = spacy.blank(lang)
        mine.add_pipe("multiclin_ner", config={"checkpoint": ours})
        print_scores(part, "ours", {task: score(mine, gold, task, "sc") for task in wanted})
        for name, pipelines in peers.items():
            if part in SETS[name]:
                theirs = {task: score(pipeline, gold, task, None) for task, pipeline in pipelines.items()}
                print_scores(part, f"peers trained on {name}", theirs)
    speed(corpora, ours, next(iter(peers.values())), rounds)


def docs_of(part: str, split: str, corpora: Path) -> Iterator[Doc]:
    folder = corpora / part / f"{part}-{split}"
    nlp = spacy.blank(PARTS[part])
    for document in read_multiclin(folder, tasks=[task for task in multiclin_tasks(folder) if task in TASKS]):
        yield to_doc(document, nlp)


def peer(name: str, task: str, corpora: Path, work: Path) -> Language:
    """The "ner" pipeline of a set and task, trained unless it is there."""
    folder = work / f"{name}-{task}"
    if not (folder / "model-best").is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        for split in ("train", "dev"):
            gold = (doc for part in SETS[name] for doc in docs_of(part, split, corpora) if task in doc.spans)
            DocBin(docs=[as_entities(doc, task) for doc in gold]).to_disk(folder / f"{split}.spacy")
        lang = PARTS[SETS[name][0]] if len(SETS[name]) == 1 else "xx"
        config = init_config(lang=lang, pipeline=["ner"], optimize="efficiency", gpu=False)
        config["paths"] |= {split: str(folder / f"{split}.spacy") for split in ("train", "dev")}
        train(init_nlp(config), folder)
    return spacy.load(folder / "model-best")


def as_entities(gold: Doc, task: str) -> Doc:
    """The gold of one task as spaCy's "ner" learns it: flat, the longer of overlapping spans kept."""
    doc = without_annotation(gold)
    doc.set_ents(filter_spans([Span(doc, span.start, span.end, span.label_) for span in gold.spans[task]]))
    return doc


def without_annotation(gold: Doc) -> Doc:
    return Doc(gold.vocab, words=[t.text for t in gold], spaces=[bool(t.whitespace_) for t in gold])


def score(nlp: Language, gold: list[Doc], task: str, key: str | None) -> tuple[float, float]:
    """Strict and character F1 of one task over the documents annotated for it, gold words given."""
    annotated = [doc for doc in gold if task in doc.spans]
    found = list(nlp.pipe(map(without_annotation, annotated)))
    expected = [row(n, span) for n, doc in enumerate(annotated) for span in doc.spans[task]]
    predicted = [row(n, span) for n, doc in enumerate(found) for span in (doc.spans[key] if key else doc.ents)]
    predicted = [span for span in predicted if span.label == task.upper()]
    return strict_scores(expected, predicted)["f1"], char_scores(expected, predicted)["f1"]


def row(document: int, span: Span) -> SpanRow:
    return SpanRow(document, span.label_, span.start_char, span.end_char)


def print_scores(part: str, who: str, scores: dict[str, tuple[float, float]]) -> None:
    cells = "  ".join(f"{task} {strict:.3f} / {char:.3f}" for task, (strict, char) in scores.items())
    print(f"{part:24} {who:22} {cells}", flush=True)


def speed(corpora: Path, ours: str, peers: dict[str, Language], rounds: int) -> None:
    """Words per second from raw text, alternated: ours once, the peers one after another."""
    texts = [doc.text for part in SPANISH_ENGLISH for doc in docs_of(part, "dev", corpora)]
    mine = spacy.blank("es")
    mine.add_pipe("multiclin_ner", config={"checkpoint": ours})
    n_words = sum(len(mine.make_doc(text)) for text in texts)
    times: dict[str, list[float]] = {"ours": [], "peers": []}
    for _ in range(rounds + 1):
        for name, pipelines in {"ours": [mine], "peers": list(peers.values())}.items():
            begin = time.perf_counter()
            for nlp in pipelines:
                for _doc in nlp.pipe(texts):
                    pass
            times[name].append(time.perf_counter() - begin)
    rates = {name: n_words / statistics.median(seconds[1:]) for name, seconds in times.items()}  # the first warms up
    print(f"words per second, one thread: ours {rates['ours']:,.0f}, {len(peers)} peers {rates['peers']:,.0f}", end="")
    print(f", ratio {rates['ours'] / rates['peers']:.1f}")


if __name__ == "__main__":
    typer.run(main)
