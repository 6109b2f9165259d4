"""``multiclin predict``: texts -> a span table, or brat files."""

from __future__ import annotations

from contextlib import ExitStack, closing
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from clinner_spacy.cli import options
from clinner_spacy.cli.engine import Engine, EngineOf, Workers, predicted_by_engine
from clinner_spacy.errors import ClinnerError


class Format(StrEnum):
    """What to write."""

    tsv = "tsv"
    brat = "brat"


def register(app: typer.Typer) -> None:
    app.command("predict", context_settings=options.ANY_NUMBER)(predict_command)


def predict_command(
    context: typer.Context,
    source: Annotated[str, typer.Argument(metavar="INPUT", help="A directory of .txt files, one file, or -.")],
    output: Annotated[Path, typer.Argument(metavar="OUTPUT", help="The table, or a new directory.")],
    model: options.Models = options.DEFAULT_MODELS,
    base_model: options.BaseModel = None,
    revision: options.Revision = None,
    device: options.Device = None,
    precision: options.PrecisionOf = None,
    lang: options.Lang = None,
    words: options.WordsBy = options.Words.spacy,
    task: options.Task = None,
    label: options.Label = None,
    threshold: options.Threshold = None,
    assertion: options.Assertion = False,
    format: Annotated[Format, typer.Option(help="What to write.")] = Format.tsv,
    relations: Annotated[
        Path | None,
        typer.Option(metavar="OUT.rel.tsv", help="A table of relations, too, if the pipeline finds them."),
    ] = None,
    n_process: Annotated[int, typer.Option(min=1, metavar="N", help="Processes that read at the same time.")] = 1,
    encoding: options.Encoding = "utf-8",
    overwrite: options.Overwrite = False,
    engine: EngineOf = Engine.plain,
    workers: Workers = None,
) -> None:
    """Find mentions in texts and write them as a table.

    INPUT is a directory with .txt files, at any depth, one file, or - for standard input. The table has the columns
    filename (the file's path below INPUT without .txt), label, start_span, end_span and text; offsets count characters
    of the decoded text, from 0, end exclusive. With --format brat OUTPUT is a new directory with a copy of each text
    (UTF-8) and its .ann; where the pipeline finds relations, with R lines. With --assertion the table has more columns,
    negated, uncertain, family, historical and hypothetical, 0 or 1, and brat files have A lines; it needs --lang. Texts
    that cannot be read are named at the end, with exit code 1; the others are in OUTPUT.

    \b
    Examples:
      multiclin predict notes/ found.tsv
      multiclin predict notes/ found.tsv --lang es --task disease --threshold 0.8
      multiclin predict notes/ brat/ --format brat --model training/model-best
      multiclin predict notes/ found.tsv --n-process 4
      multiclin predict notes/ found.tsv --lang es --assertion
      multiclin predict tables/ found/ --engine ray --workers 4
      multiclin predict notes/ found.tsv --relations found.rel.tsv --model training/with-relations
    """
    if predicted_by_engine(context):
        return
    from clinner_spacy.assertion.categories import ATTRIBUTES  # spaCy is slow to import
    from clinner_spacy.cli.annotate import annotate_texts, with_progress
    from clinner_spacy.cli.model import build_nlp, labels_of
    from clinner_spacy.cli.outputs import check_folder, check_output
    from clinner_spacy.cli.relations import recorded, require_relations
    from clinner_spacy.cli.texts import Texts
    from clinner_spacy.corpora.brat import write_brat
    from clinner_spacy.corpora.tsv import write_multiclin_tsv

    if str(output) == "-":
        raise ClinnerError("OUTPUT cannot be -, since a table appears whole or not at all; name a file.")
    texts = Texts(source, encoding)
    if format is Format.brat:
        check_folder(output, Path(source), overwrite=overwrite and relations is None)
    for path in filter(None, (output, relations)):
        check_output(path, texts.paths, overwrite=overwrite, extra=context.args)
    if relations is not None and relations.resolve() == output.resolve():
        raise ClinnerError(f"--relations {relations} is OUTPUT; name another file.")
    nlp = build_nlp(
        model,
        base_model=base_model,
        revision=revision,
        device=device,
        precision=precision,
        lang=lang,
        words=words,
        task=task,
        label=label,
        threshold=threshold,
        assertion=assertion,
    )
    labels = labels_of(nlp, task)
    if relations is not None:
        require_relations(nlp)
    columns = ATTRIBUTES if assertion else ()
    write = write_brat if format is Format.brat else partial(write_multiclin_tsv, attributes=columns)
    with ExitStack() as stack:  # closing them ends processes and removes half a table when something fails
        annotated = stack.enter_context(closing(annotate_texts(texts, nlp, labels, n_process)))
        if relations is not None:
            annotated = stack.enter_context(closing(recorded(annotated, relations)))
        write(output, (text.to_document() for text in with_progress(annotated, len(texts))))
    texts.report_unread()
