"""Findings as Arrow tables, and back as Docs. Needs pyarrow: ``pip install "clinner-spacy[tables]"``.

pandas and polars take and give Arrow tables themselves: ``table.to_pandas()``, ``polars.from_arrow(table)``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from spacy.language import Language
from spacy.tokens import Doc

from clinner_spacy.assertion.categories import ATTRIBUTES
from clinner_spacy.corpora.labels import SPANS_KEY
from clinner_spacy.errors import ClinnerError
from clinner_spacy.tables.docs import doc_of, relate, relations_of
from clinner_spacy.tables.records import SCORED, Record, relation_records, to_records

if TYPE_CHECKING:
    import pyarrow

#: Types of the columns that every table of findings has, by pyarrow's names.
MENTION = {
    **{"note_id": "string", "start": "int64", "end": "int64", "text": "string", "label": "string"},
    **{"task": "string", "score": "float64"},
}
SAID = dict.fromkeys(ATTRIBUTES, "bool") | {f"{name}_score": "float64" for name in SCORED}
CONCEPT = {"code": "string", "term": "string", "code_score": "float64"}
RELATION = {
    **{"note_id": "string", "relation": "string", "head_label": "string", "head_start": "int64", "head_end": "int64"},
    **{"head_text": "string", "tail_label": "string", "tail_start": "int64", "tail_end": "int64"},
    **{"tail_text": "string", "score": "float64"},
}
#: Columns that :func:`from_table` needs.
NEEDED = ("note_id", "start", "end", "label")


def import_pyarrow() -> Any:
    """pyarrow. Raises ClinnerError where it is not installed."""
    try:
        import pyarrow
    except ImportError as error:
        raise ClinnerError('Tables need pyarrow; install it with pip install "clinner-spacy[tables]".') from error
    return pyarrow


def is_string(kind: pyarrow.DataType) -> bool:
    """Whether a type is one of strings, dictionary-encoded or not."""
    types = import_pyarrow().types
    kind = kind.value_type if types.is_dictionary(kind) else kind
    tests = [getattr(types, f"is_{name}", None) for name in ("string", "large_string", "string_view")]  # by version
    return any(test(kind) for test in tests if test)


def mention_columns(said: bool, linked: bool) -> dict[str, str]:
    """Names and types of a table's columns. said: negated and its like; linked: codes."""
    return MENTION | (SAID if said else {}) | (CONCEPT if linked else {})


def to_table(docs: Iterable[Doc], spans_key: str = SPANS_KEY) -> pyarrow.Table:
    """A row a mention, with the columns of :func:`~clinner_spacy.tables.records.to_records`; those of a component are
    there if any Doc has them."""
    records = list(to_records(docs, spans_key))
    names = {name for record in records for name in record}
    return as_table(records, mention_columns("negated" in names, "code" in names))


def relation_table(docs: Iterable[Doc], spans_key: str = SPANS_KEY) -> pyarrow.Table:
    """A row a relation, with the columns of :func:`~clinner_spacy.tables.records.relation_records`."""
    return as_table(list(relation_records(docs, spans_key)), RELATION)


def as_table(records: Sequence[Record], columns: Mapping[str, str]) -> pyarrow.Table:
    """Records as a table with these columns (name -> pyarrow's type), null where a record lacks one."""
    pa = import_pyarrow()
    return pa.Table.from_pylist(records, schema=schema(columns))


def schema(columns: Mapping[str, Any]) -> pyarrow.Schema:
    """Columns (name -> a type, or pyarrow's name of one) as an Arrow schema."""
    pa = import_pyarrow()
    named = {"string": pa.string(), "int64": pa.int64(), "float64": pa.float64(), "bool": pa.bool_()}
    return pa.schema([(name, named.get(kind, kind)) for name, kind in columns.items()])


def from_table(
    table: pyarrow.Table,
    nlp: Language,
    texts: Mapping[str, str],
    spans_key: str = SPANS_KEY,
    relations: pyarrow.Table | None = None,
) -> list[Doc]:
    """Docs with the mentions of a table of findings in ``doc.spans[spans_key]``, in the order of ``texts``.

    texts: the note of each ``note_id``; a note without a row has an empty group. relations: the table of
    :func:`relation_table`, for ``doc._.relations``. A span covers the words of ``nlp`` that its mention touches; the
    mention's own place is in the group's ``attrs["characters"]``. Raises ClinnerError for a column that is missing, a
    note that ``texts`` lacks, offsets outside its text and a relation between what is no mention.
    """
    records = _by_note(table, NEEDED, texts)
    related = {} if relations is None else _by_note(relations, tuple(RELATION), texts)
    docs = [doc_of(name, text, records[name], nlp, spans_key) for name, text in texts.items()]
    for doc, name in zip(docs, related, strict=False):
        relate(doc, relations_of(records[name], related[name], name))
    return docs


def _by_note(table: pyarrow.Table, needed: Sequence[str], names: Iterable[str]) -> dict[str, list[Record]]:
    """The rows of each note, in their order; an empty list where it has none."""
    missing = [name for name in needed if name not in table.column_names]
    if missing:
        raise ClinnerError(f"The table lacks {', '.join(missing)}; it has {', '.join(table.column_names)}.")
    records: dict[str, list[Record]] = {name: [] for name in names}
    for record in table.to_pylist():
        if record["note_id"] not in records:
            raise ClinnerError(f"The table has findings in {record['note_id']!r}, which is none of the texts.")
        records[record["note_id"]].append(record)
    return records
