"""Texts in, mentions out: a stream that holds only a few texts at a time."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack
from functools import partial
from itertools import chain
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from spacy.language import Language
from spacy.tokens import Doc

from clinner_spacy.cli.model import clinical_components
from clinner_spacy.cli.relations import relation_key
from clinner_spacy.cli.workers import spread
from clinner_spacy.tables.found import AnnotatedText, Text, mentions_of, relations_in

#: Characters read before words seen only there are forgotten, in each process.
ZONE_CHARACTERS = 1_000_000

#: Texts that go through the model at once, unless they are large.
BATCH_SIZE = 32


def annotate_texts(
    texts: Iterable[Text], nlp: Language, labels: Iterable[tuple[str, str]], n_process: int = 1
) -> Generator[AnnotatedText]:
    """Find mentions of ``labels``, each a (task, label), in each text, and relations between them if the pipeline does,
    in the order of the texts, however many there are."""
    annotate = partial(_annotate_batches, nlp=nlp, labels=frozenset(labels))
    batches = _batches(texts)
    yield from spread(batches, annotate, n_process) if n_process > 1 else chain.from_iterable(annotate(batches))


def with_progress(done: Iterable[AnnotatedText], total: int | None, before: int = 0) -> Generator[AnnotatedText]:
    """``done`` as it comes, with a bar of texts done, words a second and time left on standard error while that is a
    terminal. total: how many there are, None if nobody knows; before: of them those of an earlier run."""
    console = Console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[speed]}"), TimeRemainingColumn())
    begin, words = monotonic(), 0
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task("", total=total, completed=before, speed="")
        for text in done:
            words += len(text.text.split()) if console.is_terminal else 0
            yield text
            progress.update(bar, advance=1, speed=f"{words / max(monotonic() - begin, 1e-9):,.0f} words/s")


def _annotate_batches(
    batches: Iterable[list[Text]], nlp: Language, labels: frozenset[tuple[str, str]]
) -> Iterator[list[AnnotatedText]]:
    keys = {component.spans_key for component in clinical_components(nlp)}
    related = relation_key(nlp)
    read = ZONE_CHARACTERS
    with ExitStack() as zone:
        for batch in batches:
            if read >= ZONE_CHARACTERS:
                # Without a memory zone every distinct word of every text would stay in the vocabulary.
                zone.close()
                zone.enter_context(nlp.memory_zone())
                read = 0
            docs = nlp.pipe((text.text for text in batch), batch_size=BATCH_SIZE)
            yield [_annotated(text, doc, keys, labels, related) for text, doc in zip(batch, docs, strict=True)]
            read += sum(len(text.text) for text in batch)


def _annotated(
    text: Text, doc: Doc, keys: Iterable[str], labels: frozenset[tuple[str, str]], related: str | None
) -> AnnotatedText:
    found = mentions_of(doc, keys, labels)
    return AnnotatedText(text.name, doc.text, found, relations_in(doc, related, found) if related else [], text.columns)


def _batches(texts: Iterable[Text]) -> Iterator[list[Text]]:
    """Lists of up to so many texts, fewer where they are large."""
    batch: list[Text] = []
    size = 0
    for text in texts:
        batch.append(text)
        size += len(text.text)
        if len(batch) == BATCH_SIZE or size >= ZONE_CHARACTERS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
