"""Findings as DataTools4Heart's ``NlpResponse`` objects (CDM v2), one a note: plain dicts, ready for JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from clinner_spacy import __version__
from clinner_spacy.errors import ClinnerError
from clinner_spacy.tables.found import AnnotatedText
from clinner_spacy.tables.records import Record, mention_record
from clinner_spacy.tables.write import json_of, opened

#: DT4H's classes of concepts by our labels; another label stands as it is, in lower case.
CONCEPT_CLASSES = {
    "SYMPTOM": "symptom",
    "DISEASE": "disorder/disease",
    "PROCEDURE": "procedure",
    "DRUG": "medication",
    "MEDICATION": "medication",
}
#: What we say in the metadata of a note.
OURS = ("text", *(f"nlp_processing_{name}" for name in ("date", "pipeline_name", "pipeline_version")))


class Service(NamedTuple):
    """Who answers: ``nlp_service_info``. model: what was named as one; language: its code, "xx" for any."""

    model: str
    language: str
    name: str = "clinner-spacy"
    version: str = __version__

    def info(self) -> dict[str, str]:
        return {
            "service_app_name": self.name,
            "service_language": self.language,
            "service_version": self.version,
            "service_model": self.model,
        }


def nlp_response(
    text: str,
    records: Iterable[Record],
    service: Service,
    metadata: Mapping[str, Any] | None = None,
    date: datetime | None = None,
) -> dict[str, Any]:
    """The ``NlpResponse`` of one note.

    records: of its mentions, as :func:`~clinner_spacy.tables.records.to_records` gives them. metadata: the note's own
    columns, which pass through; ours win where one has the same name. date: of processing, default now (UTC).
    """
    processed = (date or datetime.now(UTC)).isoformat(timespec="seconds")
    ours = dict(zip(OURS, (text, processed, service.name, service.version), strict=True))
    return {
        "nlp_output": {
            "record_metadata": {**(metadata or {}), **ours},
            "annotations": [annotation(record) for record in records],
            "processing_success": True,
        },
        "nlp_service_info": service.info(),
    }


def check_metadata(columns: Iterable[str]) -> None:
    """Raise ClinnerError for a column of the notes' own that would be lost behind ours."""
    for name in columns:
        if name in OURS:
            raise ClinnerError(
                f"The notes' column {name} would be lost: dt4h has one of that name in record_metadata; rename it in "
                "the input, or name the columns to take along with --keep."
            )


def write_responses(path: str | Path, notes: Iterable[AnnotatedText], service: Service, id_column: str) -> None:
    """Write the ``NlpResponse`` of each note, a line each; its name stands in the metadata as ``id_column``."""
    with opened(path) as file:
        for note in notes:
            records = (mention_record(found, note.text) for found in note.found)
            response = nlp_response(note.text, records, service, {id_column: note.name, **note.columns})
            file.write(json_of(response) + "\n")


def failed_response(
    text: str, service: Service, metadata: Mapping[str, Any] | None = None, date: datetime | None = None
) -> dict[str, Any]:
    """The ``NlpResponse`` of a note that could not be processed."""
    response = nlp_response(text, (), service, metadata, date)
    response["nlp_output"]["processing_success"] = False
    return response


def annotation(record: Record) -> dict[str, Any]:
    """One mention. What the pipeline has no component for stands as None."""
    return {
        "concept_class": CONCEPT_CLASSES.get(record["label"].upper(), record["label"].lower()),
        "start_offset": record["start"],
        "end_offset": record["end"],
        "mention_string": record["text"],
        "extraction_confidence": record["score"],
        "concept_str": record.get("term") or None,
        "concept_code": record.get("code") or None,
        "concept_confidence": record.get("code_score"),
        **_said(record, "negated", "negation"),
        **_said(record, "uncertain", "uncertainty"),
    }


def _said(record: Record, attribute: str, name: str) -> dict[str, Any]:
    """``yes`` or ``no`` and how sure that is."""
    if attribute not in record:
        return {name: None, f"{name}_confidence": None}
    said, p = record[attribute], record[f"{attribute}_score"]
    return {name: "yes" if said else "no", f"{name}_confidence": p if said else 1 - p}
