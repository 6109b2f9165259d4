"""Tables of findings read back as annotated documents: what ``multiclin predict`` wrote, perhaps corrected since."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from clinner_spacy.assertion.categories import ATTRIBUTES
from clinner_spacy.corpora.document import Document, Mention, Relation, Report
from clinner_spacy.corpora.labels import NO_TASK, into_tasks, rename_labels
from clinner_spacy.errors import ClinnerError
from clinner_spacy.files import CONTROL
from clinner_spacy.tables.found import Text
from clinner_spacy.tables.parts import MANIFEST, part_files
from clinner_spacy.tables.records import Record
from clinner_spacy.tables.rows import Wanted
from clinner_spacy.tables.sources import KINDS, open_table

#: What a TSV calls our columns.
FROM_TSV = {"filename": "note_id", "start_span": "start", "end_span": "end"}
TO_TSV = {name: tsv for tsv, name in FROM_TSV.items()}
#: Columns of a table of findings, and of one of relations, that are needed here.
FINDING = ("note_id", "start", "end", "label")
RELATION = ("note_id", "relation", *(f"{side}_{part}" for side in ("head", "tail") for part in FINDING[1:]))


def read_findings(
    path: Path,
    texts: Iterable[Text],
    *,
    relations: Path | None = None,
    labels: Mapping[str, str] | None = None,
    only: Collection[str] | None = None,
    task: str | None = None,
    report: Report | None = None,
) -> Iterator[Document]:
    """A document a text, with the mentions that the table of findings has in it.

    path: a .tsv, .csv, .jsonl or .parquet file, or a folder of parts. relations: the table of relations beside it;
    None: nobody looked for them. The column ``task`` says which task a mention belongs to; without it each label is a
    task of its own, in lower case; ``task`` puts all into one. Codes stand in the column ``code``. labels, only: as in
    :func:`~clinner_spacy.corpora.brat.read_brat`. Raises ClinnerError for a missing column, a bad offset (with its row)
    and findings in what is none of the texts.
    """
    report = report if report is not None else Report()
    found, columns = _by_note(path, FINDING, "label")
    related = _by_note(relations, RELATION, "relation")[0] if relations is not None else None
    attributes = tuple(name for name in ATTRIBUTES if name in columns)
    documents: dict[str, Document] = {}
    for text in texts:
        if text.name in documents:
            raise ClinnerError(f"Two texts are {text.name!r}, and findings could be in either; let their names differ.")
        document = Document(text.name, text.text, attributes=attributes, coded="code" in columns)
        document.mentions = _mentions(document, found.pop(text.name, []), "task" in columns and task is None, report)
        if related is not None:
            document.relations = _relations(document, related.pop(text.name, []), report)
        documents[text.name] = document
    for name in (*found, *(related or ())):
        raise ClinnerError(f"{path} has findings in {name!r}, which is none of the texts; give those it was made of.")
    rename_labels(list(documents.values()), labels, only, report)
    if "task" in columns and task is None:
        yield from _all_tasks(list(documents.values()))
    else:
        yield from into_tasks(list(documents.values()), task)


def is_table_of_findings(path: Path) -> bool:
    """Whether a file or folder looks like what ``multiclin predict`` writes."""
    if path.is_dir():
        return (path / MANIFEST).exists()
    kind = KINDS.get(path.suffix.lower())
    if kind in ("csv", "tsv"):
        with suppress(OSError), path.open("rb") as file:
            first = file.readline(10_000).decode("utf-8-sig", "replace").strip().split("\t" if kind == "tsv" else ",")
            return {FROM_TSV.get(name, name) for name in first} >= set(FINDING)
    return kind is not None


def _by_note(path: Path, needed: Sequence[str], text: str) -> tuple[dict[str, list[Record]], list[str]]:
    """The records of each note, and the columns that there are. text: one that holds strings."""
    notes: dict[str, list[Record]] = {}
    columns: dict[str, None] = {}
    for file in part_files(path) if path.is_dir() else [path]:
        kind = KINDS.get(file.suffix.lower())
        if kind is None:
            raise ClinnerError(f"{file} is no table; name one that ends in {', '.join(KINDS)}, or a folder of parts.")
        names = TO_TSV if kind == "tsv" else {}
        id, *others = (names.get(name, name) for name in needed if name != text)
        wanted = Wanted(text, id, None, tuple(others), "give a table that multiclin predict wrote")
        table = open_table(file, kind, wanted)
        for number, row in enumerate(table.read(), 1):
            record = {FROM_TSV.get(name, name): value for name, value in row.items()}
            given = [*needed, *(["task"] if record.get("task") else [])]
            record |= {name: _checked(record.get(name), name, f"{file}, row {number}") for name in given}
            notes.setdefault(record["note_id"], []).append(record)
        columns |= dict.fromkeys(table.types)
    return notes, list(columns)


def _checked(value: Any, column: str, where: str) -> Any:
    """A cell of a needed column: an offset as a whole number, anything else as a string."""
    if column.endswith(("start", "end")):
        if type(value) is int or (isinstance(value, str) and re.fullmatch(r"[0-9]{1,12}", value)):
            return int(value)
        raise ClinnerError(f"{where}: the {column} is not a whole number.")
    if not isinstance(value, str) or not value or CONTROL.search(value):
        raise ClinnerError(f"{where}: the {column} is empty, no string, or holds a tab or a line end.")
    return value


def _mentions(
    document: Document, records: Sequence[Record], by_task: bool, report: Report
) -> dict[str, list[Mention]]:
    """The mentions of one document by task, or all without one."""
    mentions: dict[str, list[Mention]] = {} if by_task else {NO_TASK: []}
    for number, record in enumerate(records, 1):
        start, end, label = record["start"], record["end"], record["label"]
        if not 0 <= start < end <= len(document.text):
            raise ClinnerError(
                f"{document.name!r}: a {label} from {start} to {end} is empty or lies outside the text of "
                f"{len(document.text)} characters; give the text that it is of."
            )
        if isinstance(record.get("text"), str):
            report.compare(record["text"], document.text[start:end])
        said = frozenset(name for name in document.attributes if _is_true(record.get(name)))
        task = (record.get("task") or label.lower()) if by_task else NO_TASK
        code = str(record.get("code") or "")
        mention = Mention(label, ((start, end),), id=f"T{number}", attributes=said, code=code)
        mentions.setdefault(task, []).append(mention)
    return mentions


def _is_true(value: Any) -> bool:
    return value is True or str(value).lower() in ("1", "true")


def _relations(document: Document, records: Iterable[Record], report: Report) -> list[Relation]:
    """The relations of one document; those to what is no mention, as after a correction, are counted as lost."""
    id_of = {(m.start, m.end, m.label): m.id for group in document.mentions.values() for m in group}
    found = []
    for record in records:
        head, tail = (
            id_of.get((record[f"{side}_start"], record[f"{side}_end"], record[f"{side}_label"]))
            for side in ("head", "tail")
        )
        if head is None or tail is None:
            report.relations_lost += 1
        else:
            found.append(Relation(record["relation"], head, tail))
    return found


def _all_tasks(documents: Sequence[Document]) -> Iterator[Document]:
    """Give each document every task that any has a mention of, empty where it has none."""
    tasks = sorted({task for document in documents for task, found in document.mentions.items() if found})
    for document in documents:
        document.mentions = {task: document.mentions.get(task, []) for task in tasks}
        yield document
