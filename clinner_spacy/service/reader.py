"""A pipeline that reads texts for the service: what it finds as plain records, a text that breaks it alone."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from spacy.language import Language
from spacy.tokens import Doc

from clinner_spacy.ner.write import ANY_TASK
from clinner_spacy.pipeline.clinical_assertion import ClinicalAssertion
from clinner_spacy.pipeline.tagger import MultiClinNER
from clinner_spacy.tables.found import AnnotatedText, mentions_of, relations_in
from clinner_spacy.tables.records import Record, mention_record, records_of_relations

log = logging.getLogger(__name__)


class Reading(NamedTuple):
    """What was found in one text; see :func:`clinner_spacy.tables.records.to_records`."""

    mentions: list[Record]
    relations: list[Record]

    def of_tasks(self, tasks: Collection[str]) -> Reading:
        """Mentions of these tasks, or of none in particular, and the relations between them."""
        mentions = [mention for mention in self.mentions if mention["task"] in (*tasks, ANY_TASK)]
        ends = {(mention["label"], mention["start"], mention["end"]) for mention in mentions}
        relations = [r for r in self.relations if {_end(r, "head"), _end(r, "tail")} <= ends]
        return Reading(mentions, relations)


def _end(relation: Record, side: str) -> tuple[str, int, int]:
    return relation[f"{side}_label"], relation[f"{side}_start"], relation[f"{side}_end"]


class Reader:
    """Reads texts with ``nlp``. model: what was named as one."""

    def __init__(self, nlp: Language, model: str) -> None:
        taggers = [pipe for _, pipe in nlp.pipeline if isinstance(pipe, MultiClinNER)]
        self.nlp = nlp
        self.model = model
        self.keys = sorted({tagger.spans_key for tagger in taggers})
        self.tasks = {task: list(labels) for tagger in taggers for task, labels in tagger.tasks.items()}
        self.asserts = any(isinstance(pipe, ClinicalAssertion) for _, pipe in nlp.pipeline)

    def info(self) -> dict[str, Any]:
        return {"model": self.model, "language": self.nlp.lang, "tasks": self.tasks, "assertion": self.asserts}

    def read(self, texts: Sequence[str]) -> list[Reading | None]:
        """One Reading a text, None for a text that the pipeline cannot read. Words of the texts are not kept."""
        try:
            with self.nlp.memory_zone():
                return [self._reading(doc) for doc in self.nlp.pipe(texts)]
        except Exception as error:  # whatever it is: it must not fail the other texts, nor show what they say
            if len(texts) > 1:
                return [reading for text in texts for reading in self.read([text])]
            log.error("A text could not be read: %s", type(error).__name__)
            return [None]

    def _reading(self, doc: Doc) -> Reading:
        found = mentions_of(doc, self.keys)
        relations = [relation for key in self.keys for relation in relations_in(doc, key, found)]
        note = AnnotatedText("", doc.text, found, relations)
        records = [
            {key: value for key, value in record.items() if key != "note_id"} for record in records_of_relations(note)
        ]
        return Reading([mention_record(mention, doc.text) for mention in found], records)
