"""Texts in, mentions out: a stream that holds only a few texts at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from rich.console import Console
from rich.progress import track
from spacy.language import Language
from spacy.tokens import Doc

from clinner_spacy.cli.model import clinical_components
from clinner_spacy.cli.relations import FoundRelation, relation_key, relations_between
from clinner_spacy.cli.texts import Text, Texts
from clinner_spacy.corpora.document import Document, Mention, Relation
from clinner_spacy.ner.trim import trim
from clinner_spacy.ner.write import ANY_TASK, span_scores, span_tasks

#: Texts read before words seen only there are forgotten, for each process.
CHUNK_CHARACTERS = 1_000_000

#: Texts that go through the model at once.
BATCH_SIZE = 32


class Found(NamedTuple):
    """A mention in characters, trimmed, with its label and score."""

    start: int
    end: int
    label: str
    score: float


class AnnotatedText(NamedTuple):
    """A text and what was found in it, in text order."""

    name: str
    text: str
    found: list[Found]
    relations: Sequence[FoundRelation] = ()

    def to_document(self) -> Document:
        mentions = [
            Mention(label, ((start, end),), id=f"T{n}") for n, (start, end, label, _) in enumerate(self.found, 1)
        ]
        relations = [Relation(r.label, f"T{r.head + 1}", f"T{r.tail + 1}") for r in self.relations]
        return Document(self.name, self.text, {"sc": mentions}, relations)


def annotate_texts(
    texts: Iterable[Text], nlp: Language, labels: Iterable[tuple[str, str]], n_process: int = 1
) -> Iterator[AnnotatedText]:
    """Find mentions of ``labels``, each a (task, label), in each text, and relations between them if the pipeline does,
    in the order of the texts, however many there are."""
    keys = {component.spans_key for component in clinical_components(nlp)}
    wanted = frozenset(labels)
    related = relation_key(nlp)
    for chunk in _chunks(texts, CHUNK_CHARACTERS * n_process):
        pairs = ((text, name) for name, text in chunk)
        # Without a memory zone every distinct word of every text would stay in the vocabulary.
        with nlp.memory_zone():
            for doc, name in nlp.pipe(pairs, as_tuples=True, n_process=n_process, batch_size=BATCH_SIZE):
                found = _mentions(doc, keys, wanted)
                yield AnnotatedText(name, doc.text, found, _relations(doc, related, found))


def with_progress(texts: Texts) -> Iterator[Text]:
    """``texts``, with a progress bar on standard error while that is a terminal."""
    console = Console(stderr=True)
    return iter(track(texts, "Reading", total=len(texts), console=console, disable=not console.is_terminal))


def _mentions(doc: Doc, keys: Iterable[str], labels: frozenset[tuple[str, str]]) -> list[Found]:
    """Trimmed mentions; of those that are one after trimming, the best score. A span that another component put there
    without a task is of any."""
    wanted = labels | {(ANY_TASK, label) for _, label in labels}
    best: dict[tuple[int, int, str], float] = {}
    text = doc.text
    for key in keys:
        group = doc.spans.get(key, ())
        for span, score, task in zip(group, span_scores(group), span_tasks(group), strict=True):
            start, end = trim(text, span.start_char, span.end_char)
            if start < end and (task, span.label_) in wanted:
                place = (start, end, span.label_)
                best[place] = max(float(score), best.get(place, 0.0))
    return [Found(*place, score) for place, score in sorted(best.items())]


def _relations(doc: Doc, key: str | None, found: Sequence[Found]) -> list[FoundRelation]:
    """Relations between the mentions that are shown."""
    if key is None or not doc._.relations:
        return []
    spans = [(*trim(doc.text, span.start_char, span.end_char), span.label_) for span in doc.spans[key]]
    return relations_between(doc._.relations, spans, [mention[:3] for mention in found])


def _chunks(texts: Iterable[Text], characters: int) -> Iterator[list[Text]]:
    """Lists of texts that together have at least so many characters, but for the last."""
    chunk: list[Text] = []
    size = 0
    for text in texts:
        chunk.append(text)
        size += len(text.text) + 1
        if size >= characters:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk
