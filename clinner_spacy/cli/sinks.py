"""Where a command writes its findings: one file, a new folder, parts that can be added to, or standard output."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from spacy.language import Language

from clinner_spacy.checkpoints.published import named
from clinner_spacy.cli.outputs import check_folder
from clinner_spacy.cli.texts import STDIN, TableOptions, Texts
from clinner_spacy.corpora.brat import write_brat
from clinner_spacy.corpora.docbin import save_docs
from clinner_spacy.errors import ClinnerError
from clinner_spacy.tables.arrow import import_pyarrow
from clinner_spacy.tables.docs import to_docs
from clinner_spacy.tables.dt4h import Service, check_metadata, write_responses
from clinner_spacy.tables.fingerprint import pipeline_fingerprint
from clinner_spacy.tables.formats import TABLES, Format, is_folder, table_format
from clinner_spacy.tables.found import AnnotatedText, Text
from clinner_spacy.tables.label_studio import write_tasks
from clinner_spacy.tables.parts import PART_NOTES, Parts, locked
from clinner_spacy.tables.sources import TableTexts
from clinner_spacy.tables.write import Layout, write_mentions, write_tsv

#: Formats that hold columns of the notes' own.
WITH_COLUMNS = (*TABLES, Format.dt4h, Format.label_studio)


class Target(NamedTuple):
    """OUTPUT, its format, and the options that only some formats have a use for."""

    output: str
    format: Format
    scores: bool = False
    part_notes: int | None = None

    @property
    def in_parts(self) -> bool:
        return self.format is Format.parquet and is_folder(self.output)

    def check(self, source: str, columns: TableOptions, relations: Path | None, overwrite: bool) -> None:
        """Raise ClinnerError for an option that would have no effect, a folder that cannot be the output and a library
        that is not there."""
        format = self.format
        if format is Format.brat or self.in_parts:
            check_folder(Path(self.output), Path(source), overwrite=overwrite and relations is None)
        if self.scores and format is not Format.tsv:
            has = "has no place for scores" if format is Format.brat else "has them always"
            raise ClinnerError(f"--scores is for tsv, and {format} {has}; leave it out.")
        if columns.keep is not None and format not in WITH_COLUMNS:
            raise ClinnerError(f"--keep is for {', '.join(WITH_COLUMNS)}, not {format}; leave it out.")
        if columns.allow_duplicates and format is Format.brat:
            raise ClinnerError("--allow-duplicates is not for brat, whose files have the notes' ids as names.")
        if self.part_notes is not None and not self.in_parts:
            raise ClinnerError(f"--part-notes is for a folder of parts, and {self.output} is none; leave it out.")
        if self.in_parts and relations is not None:
            raise ClinnerError("--relations goes with one table, not with a folder of parts; name a file as OUTPUT.")
        if self.in_parts and source == STDIN:
            raise ClinnerError(f"{self.output} is for runs that can go on, and standard input ends; name a file.")
        if Format.parquet in (format, relations and table_format(relations)):
            import_pyarrow()


class Asked(NamedTuple):
    """What a run was asked to find: by which model, as named; which (task, label); which columns of a TSV beside its
    five; and the options that change how texts are read."""

    model: str
    labels: Sequence[tuple[str, str]]
    columns: Sequence[str]
    reading: Mapping[str, Any]


class Sink(Protocol):
    """Takes what is found in ``texts()``; ``done`` texts were before, in an earlier run."""

    @property
    def done(self) -> int: ...

    def texts(self) -> Iterable[Text]: ...

    def write(self, notes: Iterable[AnnotatedText], /) -> object: ...


class Whole:
    """An output that appears when all is done."""

    done = 0

    def __init__(self, texts: Iterable[Text], write: Callable[[Iterable[AnnotatedText]], object]) -> None:
        self.texts, self.write = lambda: texts, write


def layout_of(nlp: Language, kept: Mapping[str, Any] | None, format: Format) -> Layout:
    """The columns of a pipeline's findings, with the kept ones. Raises ClinnerError for a kept column that cannot be
    one of theirs."""
    metas = [nlp.get_pipe_meta(name) for name in nlp.pipe_names]
    said = any(meta.factory == "clinical_assertion" for meta in metas)
    linked = any(meta.factory == "concept_linker" or "span.kb_id" in meta.assigns for meta in metas)
    layout = Layout(said, linked, kept or {})
    if format is not Format.dt4h:
        layout.check()
    mixed = [name for name, kind in layout.kept.items() if kind == "mixed"]
    if mixed and format is Format.parquet:
        raise ClinnerError(f"--keep {mixed[0]}: its values are of several types; write jsonl, or leave it out.")
    return layout


@contextmanager
def opened_sink(
    target: Target, texts: Texts | TableTexts, nlp: Language, layout: Layout, asked: Asked
) -> Iterator[Sink]:
    """What takes the findings in ``texts``; see :class:`Target`, :func:`layout_of` and :class:`Asked`."""
    if target.in_parts:
        folder = Path(target.output)
        with locked(folder):
            yield Parts(folder, texts, _pipeline(nlp, asked), layout, target.part_notes or PART_NOTES)
    else:
        yield Whole(texts, _writer(target, nlp, layout, asked, texts.wanted.id))


def _writer(
    target: Target, nlp: Language, layout: Layout, asked: Asked, id_column: str
) -> Callable[[Iterable[AnnotatedText]], object]:
    """What writes a format. id_column: what ids are called where they come from. Raises ClinnerError for a column that
    the format would lose."""
    output, format, model = target.output, target.format, named(asked.model)
    if format is Format.dt4h:
        check_metadata([id_column, *layout.kept])
    service = Service(model, str(nlp.lang))
    writers: dict[Format, Callable[[Iterable[AnnotatedText]], object]] = {
        Format.tsv: lambda notes: write_tsv(output, notes, layout, scores=target.scores, asked=asked.columns),
        Format.brat: lambda notes: write_brat(output, (note.to_document() for note in notes)),
        Format.docbin: lambda notes: save_docs(output, to_docs(notes, nlp)),
        Format.dt4h: lambda notes: write_responses(output, notes, service, id_column),
        Format.label_studio: lambda notes: write_tasks(output, notes, model),
    }
    return writers.get(format, lambda notes: write_mentions(output, format, notes, layout))


def _pipeline(nlp: Language, asked: Asked) -> dict[str, Any]:
    """What tells a run's pipeline from another; it holds no text."""
    return {
        "model": named(asked.model),
        "sha256": pipeline_fingerprint(nlp),
        "labels": sorted(f"{task}/{label}" for task, label in asked.labels),
        **{key: str(value) for key, value in asked.reading.items() if value is not None},
    }
