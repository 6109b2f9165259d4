"""Findings as Docs: the spans of a text with their scores, tasks, attributes and codes, and the relations between."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc, Span, SpanGroup

from clinner_spacy.assertion.categories import ATTRIBUTES
from clinner_spacy.corpora.document import NAME_KEY
from clinner_spacy.corpora.extension import set_relations_extension
from clinner_spacy.corpora.labels import SPANS_KEY
from clinner_spacy.errors import ClinnerError
from clinner_spacy.tables.found import AnnotatedText
from clinner_spacy.tables.records import Record, mention_records


def to_docs(notes: Iterable[AnnotatedText], nlp: Language, spans_key: str = SPANS_KEY) -> Iterator[Doc]:
    """Texts with what was found in them as Docs with the words of ``nlp``, one at a time."""
    for note in notes:
        doc = doc_of(note.name, note.text, list(mention_records(note)), nlp, spans_key)
        if note.relations:
            relate(doc, list(note.relations))
        yield doc


def doc_of(name: str, text: str, records: Sequence[Record], nlp: Language, spans_key: str = SPANS_KEY) -> Doc:
    """A Doc of one note with the mentions of its records in ``doc.spans[spans_key]``.

    A span covers the words that its mention touches; the mention's own place is in the group's ``attrs["characters"]``.
    Raises ClinnerError for offsets outside the text.
    """
    doc = nlp.tokenizer(text)  # not make_doc: its length limit is the parser's, not ours
    doc.user_data[NAME_KEY] = name
    spans = [_span(doc, record, name) for record in records]
    attrs: dict[str, Any] = {"characters": [[r["start"], r["end"]] for r in records]}
    there = records[0] if records else {}
    for column, attribute in (("score", "scores"), ("task", "tasks"), ("code", "codes")):
        if there.get(column) is not None:
            attrs[attribute] = [r[column] for r in records]
    for said in ATTRIBUTES:
        if there.get(said) is not None:
            attrs[said] = [float(r[f"{said}_score"] if f"{said}_score" in r else r[said]) for r in records]
    if "codes" in attrs:
        attrs["candidates"] = [[_candidate(r)] if r["code"] else [] for r in records]
    doc.spans[spans_key] = SpanGroup(doc, name=spans_key, spans=spans, attrs=attrs)
    return doc


def relate(doc: Doc, relations: list[dict[str, Any]]) -> None:
    """Write relations, whose head and tail are indices into the Doc's span group, to ``doc._.relations``."""
    set_relations_extension()
    doc._.relations = relations


def relations_of(mentions: Sequence[Record], relations: Iterable[Record], name: str) -> list[dict[str, Any]]:
    """Records of one note's relations as dicts with the indices of head and tail among its mentions.

    Raises ClinnerError for one between what is no mention there.
    """
    index_of = {(r["start"], r["end"], r["label"]): n for n, r in enumerate(mentions)}
    found = []
    for record in relations:
        places = [tuple(record[f"{side}_{part}"] for part in ("start", "end", "label")) for side in ("head", "tail")]
        unknown = [place for place in places if place not in index_of]
        if unknown:
            start, end, label = unknown[0]
            raise ClinnerError(
                f"{name!r}: a relation with a {label} from {start} to {end}, which the table of findings has not; give "
                "the two tables of one run."
            )
        head, tail = (index_of[place] for place in places)
        found.append({"head": head, "tail": tail, "label": record["relation"], "score": record["score"]})
    return found


def _span(doc: Doc, record: Record, name: str) -> Span:
    start, end = record["start"], record["end"]
    if 0 <= start < end <= len(doc.text):
        code = record.get("code") or ""
        span = doc.char_span(start, end, label=record["label"], kb_id=code, alignment_mode="expand")
        if span is not None:
            return span
    where = f"{name!r}: a {record['label']} from {start} to {end}"
    raise ClinnerError(f"{where} holds no word of the text of {len(doc.text)} characters; give the text it is of.")


def _candidate(record: Record) -> dict[str, Any]:
    return {"code": record["code"], "term": record.get("term", ""), "score": record.get("code_score")}
