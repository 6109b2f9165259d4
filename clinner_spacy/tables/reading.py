"""Texts in, what was found in them out: a stream that holds few texts at a time and keeps none of their words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack

from spacy.language import Language
from spacy.tokens import Doc

from clinner_spacy.pipeline.components import clinical_components, relation_key
from clinner_spacy.tables.found import AnnotatedText, Text, mentions_of, relations_in

#: Characters read before words seen only there are forgotten, in each process.
ZONE_CHARACTERS = 1_000_000

#: Texts that go through the model at once, unless they are large.
BATCH_SIZE = 32


def read_batches(
    batches: Iterable[list[Text]], nlp: Language, labels: frozenset[tuple[str, str]]
) -> Iterator[list[AnnotatedText]]:
    """The mentions of ``labels``, each a (task, label), in the texts of each batch, and relations between them if the
    pipeline finds any."""
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


def in_batches(texts: Iterable[Text]) -> Iterator[list[Text]]:
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


def _annotated(
    text: Text, doc: Doc, keys: Iterable[str], labels: frozenset[tuple[str, str]], related: str | None
) -> AnnotatedText:
    found = mentions_of(doc, keys, labels)
    return AnnotatedText(text.name, doc.text, found, relations_in(doc, related, found) if related else [], text.columns)
