"""Texts in, mentions out: a stream that holds only a few texts at a time."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import chain
from typing import Any

from rich.console import Console
from rich.progress import track
from spacy.language import Language
from spacy.tokens import Doc

from clinner_spacy.assertion.categories import attributes_of
from clinner_spacy.cli.found import AnnotatedText, Found
from clinner_spacy.cli.model import clinical_components
from clinner_spacy.cli.relations import relation_key, relations_between
from clinner_spacy.cli.texts import Text, Texts
from clinner_spacy.cli.workers import spread
from clinner_spacy.ner.trim import trim
from clinner_spacy.ner.write import ANY_TASK, span_characters, span_scores, span_tasks

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


def with_progress(texts: Texts) -> Iterator[Text]:
    """``texts``, with a progress bar on standard error while that is a terminal."""
    console = Console(stderr=True)
    return iter(track(texts, "Reading", total=len(texts), console=console, disable=not console.is_terminal))


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
            yield [_annotated(name, doc, keys, labels, related) for (name, _), doc in zip(batch, docs, strict=True)]
            read += sum(len(text.text) for text in batch)


def _annotated(
    name: str, doc: Doc, keys: Iterable[str], labels: frozenset[tuple[str, str]], related: str | None
) -> AnnotatedText:
    found = _mentions(doc, keys, labels)
    return AnnotatedText(name, doc.text, found, _relations(doc, related, found))


def _mentions(doc: Doc, keys: Iterable[str], labels: frozenset[tuple[str, str]]) -> list[Found]:
    """Mentions, trimmed unless their exact characters are known; of those that are then one, the best score and what
    that one is. A span that another component put there without a task is of any."""
    wanted = labels | {(ANY_TASK, label) for _, label in labels}
    best: dict[tuple[int, int, str], tuple[float, frozenset[str]]] = {}
    text = doc.text
    for key in keys:
        group = doc.spans.get(key, ())
        of_spans = attributes_of(group) if group else ()
        rows = zip(group, span_scores(group), span_tasks(group), span_characters(group), of_spans, strict=True)
        for span, score, task, characters, attributes in rows:
            start, end = characters or trim(text, span.start_char, span.end_char)
            if start < end and (task, span.label_) in wanted:
                place = (start, end, span.label_)
                if place not in best or float(score) > best[place][0]:
                    best[place] = float(score), attributes
    return [Found(*place, score, attributes) for place, (score, attributes) in sorted(best.items())]


def _relations(doc: Doc, key: str | None, found: Sequence[Found]) -> list[dict[str, Any]]:
    """Relations between the mentions that are shown."""
    if key is None or not doc._.relations:
        return []
    group = doc.spans[key]
    spans = [
        (*(characters or trim(doc.text, span.start_char, span.end_char)), span.label_)
        for span, characters in zip(group, span_characters(group), strict=True)
    ]
    return relations_between(doc._.relations, spans, [mention[:3] for mention in found])


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
