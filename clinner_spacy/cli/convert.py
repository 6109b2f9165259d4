"""``multiclin convert``: an annotated corpus -> a ``.spacy`` file, with a count of what could not be kept."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clinner_spacy.cli import options
from clinner_spacy.errors import ClinnerError

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

    from clinner_spacy.corpora.document import Document, Report


class Format(StrEnum):
    multiclin = "multiclin"
    brat = "brat"
    conll = "conll"
    csv = "csv"
    findings = "findings"


def register(app: typer.Typer) -> None:
    app.command("convert", context_settings=options.ANY_NUMBER)(convert_command)


def convert_command(
    context: typer.Context,
    source: Annotated[
        Path, typer.Argument(help="A folder, a file of one token a line, or a table of findings.", show_default=False)
    ],
    output: Annotated[Path, typer.Argument(metavar="OUT.spacy", help="The file to write.", show_default=False)],
    lang: Annotated[
        str, typer.Option(help="Language of the texts: es, en, it, ro, nl, sv, cs, xx, …", show_default=False)
    ],
    format: Annotated[Format | None, typer.Option(help="Default: by looking at SOURCE.", show_default=False)] = None,
    labels: Annotated[list[str] | None, typer.Option(metavar="OLD=NEW", help="Rename a label; repeatable.")] = None,
    only: Annotated[
        list[str] | None, typer.Option(metavar="LABEL", help="Keep this label (its new name); repeatable.")
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(help="multiclin: read this task only. Others: put all labels into this task (default: one each)."),
    ] = None,
    texts: Annotated[
        str | None, typer.Option(metavar="PATH", help="Of findings: the notes they are in, .txt files or a table.")
    ] = None,
    text_column: options.TextColumn = None,
    id_column: options.IdColumn = None,
    relations: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Of findings: the table of relations beside them.")
    ] = None,
    overwrite: options.Overwrite = False,
) -> None:
    """Turn an annotated corpus into spaCy's training format and say what did not fit.

    What predict wrote (a .tsv, .csv, .jsonl or .parquet, or a folder of parts) is read back with --texts.

    Every task becomes a span group of its name: empty where a document has no such mention, absent where the
    document was not annotated for it.

    \b
    Examples:
      multiclin convert MultiClinNER-es/MultiClinNER-es-train train.spacy --lang es
      multiclin convert brat/ train.spacy --lang es --labels ENFERMEDAD=DISEASE --only DISEASE
      multiclin convert notes.conll train.spacy --lang en --format conll --task drug
      multiclin convert found.parquet train.spacy --lang es --texts notes.parquet
    """
    from clinner_spacy.cli.model import blank
    from clinner_spacy.cli.outputs import check_output
    from clinner_spacy.cli.texts import TableOptions, open_texts, whole
    from clinner_spacy.corpora.docbin import save_docs
    from clinner_spacy.corpora.document import Report
    from clinner_spacy.tables.read import read_findings

    check_output(output, [source], overwrite=overwrite, extra=context.args)
    if output.suffix != ".spacy":
        raise ClinnerError(f"{output} must end in .spacy, or spaCy will not read it.")
    nlp = blank(lang)
    report = Report()
    format, names = format or detect(source), _renaming(labels or [])
    if format is Format.findings:
        if texts is None:
            raise ClinnerError(f"{source} holds findings, and not the notes they are in; name these with --texts.")
        notes = open_texts(texts, options=TableOptions(text_column, id_column))
        documents = read_findings(
            source, whole(notes), relations=relations, labels=names, only=only or None, task=task, report=report
        )
    else:
        given = {"--texts": texts, "--text-column": text_column, "--id-column": id_column, "--relations": relations}
        for option, value in given.items():
            if value is not None:
                raise ClinnerError(f"{option} is for a table of findings, and {source} is {format}; leave it out.")
        documents = read_any(source, format, names, only or None, task, report)
    save_docs(output, _docs(documents, nlp, report))
    typer.echo(f"{output}: {report}")


def detect(source: Path) -> Format:
    """The format a source seems to be in, by the names of its files, and of a table by those of its columns. Raises
    ClinnerError when none fits, and for rows whose tags may as well be words of a text."""
    from clinner_spacy.corpora.conll import check_prefixes
    from clinner_spacy.tables.read import is_table_of_findings

    if not source.exists():
        raise ClinnerError(f"{source} does not exist.")
    if is_table_of_findings(source):
        return Format.findings
    if source.is_file() and source.suffix == ".csv":
        return Format.csv
    if source.is_file():
        check_prefixes(source)
        return Format.conll
    if any(source.rglob("*.ann")):
        return Format.brat
    if any(folder.is_dir() for name in ("tsv", "*/tsv", "*/*/tsv") for folder in source.glob(name)):
        return Format.multiclin
    if any(source.glob("*.txt")) or not any(path.is_file() for path in source.iterdir()):
        raise ClinnerError(f"{source} holds no annotation in a known layout: see --format and docs/corpora.md.")
    check_prefixes(source)
    return Format.conll


def read_any(
    source: Path,
    format: Format,
    labels: dict[str, str],
    only: list[str] | None,
    task: str | None,
    report: Report,
) -> Iterator[Document]:
    """Documents of a source in a format, labels renamed and chosen; ``task`` as in the command's help."""
    from clinner_spacy.corpora.brat import read_brat
    from clinner_spacy.corpora.conll import read_conll
    from clinner_spacy.corpora.labels import rename_labels
    from clinner_spacy.corpora.multiclin import read_multiclin

    if format == Format.findings:
        raise ClinnerError(f"{source} holds findings without the notes they are in; convert it with --texts first.")
    if format == Format.multiclin:
        documents = list(read_multiclin(source, tasks=[task] if task else None, report=report))
        rename_labels(documents, labels, only, report)
        yield from documents
    else:
        read = read_brat if format == Format.brat else read_conll
        yield from read(source, labels=labels, only=only, task=task, report=report)


def _docs(documents: Iterator[Document], nlp: Language, report: Report) -> Iterator[Doc]:
    """Gold Docs one by one, behind a progress bar when somebody is watching."""
    from rich.console import Console
    from rich.progress import Progress, TextColumn, TimeElapsedColumn

    from clinner_spacy.corpora.document import to_doc

    console = Console(stderr=True)
    columns = (TextColumn("{task.completed} documents"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("", total=None)
        for document in documents:
            yield to_doc(document, nlp, report=report)
            progress.advance(bar)


def _renaming(pairs: list[str]) -> dict[str, str]:
    names = {}
    for pair in pairs:
        old, equals, new = pair.partition("=")
        if not (old and equals and new):
            raise ClinnerError(f"--labels {pair} is not of the form OLD=NEW.")
        names[old] = new
    return names
