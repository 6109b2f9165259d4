"""What components do alike that say more of spans which others found: read documents in batches of words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from spacy.pipeline import Pipe
from spacy.tokens import Doc

from clinner_spacy.pipeline.saved import MAX_WORDS, by_words
from clinner_spacy.pipeline.words import KeepsWords


class SpanPipe(KeepsWords, Pipe):
    """A component that predicts, then writes, as spaCy's trainable ones do, but is none of them."""

    def predict(self, docs: Iterable[Doc]) -> list[Any]:
        """What is found for each document, without touching it."""
        raise NotImplementedError

    def set_annotations(self, docs: Iterable[Doc], scores: Sequence[Any]) -> None:
        """Write what was predicted to the documents."""
        raise NotImplementedError

    def __call__(self, doc: Doc) -> Doc:
        self.set_annotations([doc], self.predict([doc]))
        return doc

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 128) -> Iterator[Doc]:
        """Read documents as a stream, batches of words at a time."""
        for docs in by_words(stream, MAX_WORDS):
            self.set_annotations(docs, self.predict(docs))
            yield from docs
