"""Findings as plain records, dicts of strings, numbers and booleans: one a mention, one a relation.

They are the rows of every table (Arrow, JSON lines, CSV), what the service answers and what DT4H's records are made of.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from spacy.tokens import Doc

from clinner_spacy.assertion.categories import CATEGORIES, TAGGED, TRUE
from clinner_spacy.corpora.document import NAME_KEY
from clinner_spacy.corpora.labels import SPANS_KEY
from clinner_spacy.tables.found import AnnotatedText, Found, mentions_of, relations_in

Record = dict[str, Any]

#: Attributes whose probability a tagger knows; the others are told by rules.
SCORED = tuple(CATEGORIES[name].attribute for name in TAGGED)


def to_records(docs: Iterable[Doc], spans_key: str = SPANS_KEY) -> Iterator[Record]:
    """One record a mention of ``doc.spans[spans_key]``, document by document in text order.

    ``note_id`` (the Doc's name, or its number from 0), ``start``, ``end`` (characters, end exclusive), ``text``,
    ``label``, ``task``, ``score``; where the pipeline says so ``negated``, ``uncertain``, ``family``, ``historical``,
    ``hypothetical`` (bool) with ``negated_score`` and ``uncertain_score`` (probability of being so); where it links
    concepts ``code``, ``term`` ("" if none fits) and ``code_score``.
    """
    for note in annotated(docs, spans_key):
        yield from mention_records(note)


def relation_records(docs: Iterable[Doc], spans_key: str = SPANS_KEY) -> Iterator[Record]:
    """One record a relation in ``doc._.relations``: ``note_id``, ``relation``, ``head_label``, ``head_start``,
    ``head_end``, ``head_text``, the same of the tail, ``score``."""
    for note in annotated(docs, spans_key):
        yield from records_of_relations(note)


def annotated(docs: Iterable[Doc], spans_key: str = SPANS_KEY) -> Iterator[AnnotatedText]:
    """Docs as texts with what was found in them."""
    for number, doc in enumerate(docs):
        found = mentions_of(doc, (spans_key,))
        name = doc.user_data.get(NAME_KEY, str(number))
        yield AnnotatedText(name, doc.text, found, relations_in(doc, spans_key, found))


def mention_records(note: AnnotatedText) -> Iterator[Record]:
    """The records of one text's mentions; the text's own columns stand behind its ``note_id``."""
    for found in note.found:
        yield {"note_id": note.name, **note.columns, **mention_record(found, note.text)}


def mention_record(found: Found, text: str) -> Record:
    """What is known of one mention of ``text``; see :func:`to_records`."""
    record: Record = {"start": found.start, "end": found.end, "text": text[found.start : found.end]}
    record |= {"label": found.label, "task": found.task, "score": found.score}
    record |= {name: p >= TRUE for name, p in found.said}
    record |= {f"{name}_score": p for name, p in found.said if name in SCORED}
    if found.code is not None:
        record |= {"code": found.code, "term": found.term, "code_score": found.code_score}
    return record


def records_of_relations(note: AnnotatedText) -> Iterator[Record]:
    """The records of one text's relations."""
    for relation in note.relations:
        record: Record = {"note_id": note.name, **note.columns, "relation": relation["label"]}
        for side in ("head", "tail"):
            found = note.found[relation[side]]
            record |= {f"{side}_label": found.label, f"{side}_start": found.start, f"{side}_end": found.end}
            record[f"{side}_text"] = note.text[found.start : found.end]
        yield record | {"score": relation["score"]}


