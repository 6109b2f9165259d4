"""A pipeline as a function of Arrow tables, which Ray and Spark send to their workers."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import spacy
from spacy.language import Language
from spacy.util import load_model_from_config

from clinner_spacy.errors import ClinnerError
from clinner_spacy.pipeline.components import clinical_components, labels_of
from clinner_spacy.pipeline.marks import read_marks_alike
from clinner_spacy.tables.arrow import CONCEPT, MENTION, SAID, as_table, import_pyarrow, mention_columns
from clinner_spacy.tables.found import AnnotatedText, Text
from clinner_spacy.tables.notes import ids_of, require_columns, texts_of
from clinner_spacy.tables.reading import in_batches, read_batches
from clinner_spacy.tables.records import mention_record

if TYPE_CHECKING:
    import pyarrow

#: What a pipeline comes from: a saved or installed one's name, a config of spaCy's, or a function that makes it.
Pipeline = str | Path | Mapping[str, Any] | Callable[[], Language]


class Annotate:
    """A table of notes in, a table of findings out, a row a mention; memory does not grow with what was read.

    An object is small when it is pickled: the pipeline is loaded by the first call in each process, once.

    pipeline: directory or package of a pipeline, a spaCy config (a dict with ``nlp`` and ``components``), or a
        function without arguments that makes one.
    text_column, id_column: where a note's text (strings) and id (strings or whole numbers) stand.
    keep: other columns of the notes that findings shall have, behind ``note_id``.
    tasks: find only these; default all.

    Findings have the columns of :func:`~clinner_spacy.tables.arrow.mention_columns`; which ones depends on the
    pipeline's components alone, so that all tables of a job are alike. A call raises ClinnerError for a column that
    is missing or of another type, and for nulls.

    Example::

        ray.data.read_parquet("notes/").map_batches(
            Annotate, fn_constructor_kwargs={"pipeline": "pipelines/es"}, batch_format="pyarrow", concurrency=4
        )
    """

    def __init__(
        self,
        pipeline: Pipeline,
        *,
        text_column: str = "text",
        id_column: str = "note_id",
        keep: Sequence[str] = (),
        tasks: Sequence[str] | None = None,
    ) -> None:
        import_pyarrow()  # where it is missing, say so before a job begins
        if isinstance(keep, str):
            raise ClinnerError(f"keep is a list of columns, not {keep!r}; write [{keep!r}].")
        if taken := [name for name in keep if name in {**MENTION, **SAID, **CONCEPT}]:
            raise ClinnerError(f"Findings have a column {taken[0]!r} of their own; leave it out of keep, or rename it.")
        self.pipeline = pipeline
        self.text_column, self.id_column = text_column, id_column
        self.keep, self.tasks = list(keep), tasks
        self._nlp: Language | None = None

    def __call__(self, batch: pyarrow.Table | pyarrow.RecordBatch) -> pyarrow.Table:
        """The findings of a batch, note by note in text order. An empty one gives an empty table of the same schema."""
        pa = import_pyarrow()
        notes = pa.Table.from_batches([batch]) if isinstance(batch, pa.RecordBatch) else batch
        require_columns(notes.schema, self.columns)
        ids, texts = ids_of(notes, self.id_column), texts_of(notes, self.text_column)
        nlp = self.nlp
        labels = frozenset(labels_of(nlp, self.tasks))
        read = read_batches(in_batches(map(Text, ids, texts)), nlp, labels)
        rows, records = [], []
        for row, note in enumerate(chain.from_iterable(_without_words(read))):
            rows += [row] * len(note.found)
            records += [{"note_id": note.name, **mention_record(found, note.text)} for found in note.found]
        parts = set(nlp.pipe_factories.values())
        columns = mention_columns(said="clinical_assertion" in parts, linked="concept_linker" in parts)
        found = as_table(records, columns)
        kept = notes.select(self.keep).take(pa.array(rows, pa.int64()))
        for at, name in enumerate(self.keep, 1):
            found = found.add_column(at, kept.schema.field(name), kept.column(name))
        return found

    @property
    def columns(self) -> list[str]:
        """The columns of notes that are read."""
        return [self.id_column, self.text_column, *self.keep]

    @property
    def nlp(self) -> Language:
        """The pipeline of this process, loaded when it is first asked for."""
        if self._nlp is None:
            self._nlp = load_pipeline(self.pipeline)
        return self._nlp

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_nlp": None}


def load_pipeline(pipeline: Pipeline) -> Language:
    """A pipeline that is ready to read any text. Raises ClinnerError if there is none or it finds no mentions."""
    try:
        if callable(pipeline):
            nlp = pipeline()
        elif isinstance(pipeline, Mapping):
            nlp = load_model_from_config(dict(pipeline), auto_fill=True)
        else:
            nlp = spacy.load(pipeline)
    except (OSError, KeyError) as error:
        raise ClinnerError(f"{pipeline} is no pipeline that can be loaded ({type(error).__name__}).") from error
    for component in clinical_components(nlp):
        component.annotate = "spans"  # findings are read off them
    read_marks_alike(nlp)
    nlp.max_length = sys.maxsize  # spaCy's limit is for its parser
    return nlp


def _without_words(read: Iterator[list[AnnotatedText]]) -> Iterator[list[AnnotatedText]]:
    """Pass batches on. An error of a component may hold words of a text, which workers would log: its kind is told."""
    try:
        yield from read
    except ClinnerError:
        raise
    except Exception as error:
        raise ClinnerError(f"The pipeline cannot read a note of this batch ({type(error).__name__}).") from None
