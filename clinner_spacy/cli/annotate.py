"""Texts in, mentions out: a stream that holds only a few texts at a time."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from functools import partial
from itertools import chain
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from spacy.language import Language

from clinner_spacy.cli.workers import spread
from clinner_spacy.tables.found import AnnotatedText, Text
from clinner_spacy.tables.reading import in_batches, read_batches


def annotate_texts(
    texts: Iterable[Text], nlp: Language, labels: Iterable[tuple[str, str]], n_process: int = 1
) -> Generator[AnnotatedText]:
    """Find mentions of ``labels``, each a (task, label), in each text, and relations between them if the pipeline does,
    in the order of the texts, however many there are."""
    annotate = partial(read_batches, nlp=nlp, labels=frozenset(labels))
    batches = in_batches(texts)
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
