"""``multiclin predict``: texts -> a span table, or brat files."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from clinner_spacy.cli import options
from clinner_spacy.errors import ClinnerError


class Format(StrEnum):
    """What to write."""

    tsv = "tsv"
    brat = "brat"


def register(app: typer.Typer) -> None:
    app.command("predict")(predict_command)


def predict_command(
    source: Annotated[str, typer.Argument(metavar="INPUT", help="A directory of .txt files, one file, or -.")],
    output: Annotated[Path, typer.Argument(metavar="OUTPUT", help="The table, or a new directory.")],
    model: options.Model = options.DEFAULT_MODEL,
    base_model: options.BaseModel = None,
    revision: options.Revision = None,
    device: options.Device = None,
    precision: options.PrecisionOf = None,
    lang: options.Lang = None,
    words: options.WordsBy = options.Words.spacy,
    task: options.Task = None,
    label: options.Label = None,
    threshold: options.Threshold = None,
    format: Annotated[Format, typer.Option(help="What to write.")] = Format.tsv,
    relations: Annotated[
        Path | None,
        typer.Option(metavar="OUT.rel.tsv", help="A table of relations, too, if the pipeline finds them."),
    ] = None,
    n_process: Annotated[int, typer.Option(min=1, metavar="N", help="Processes that read at the same time.")] = 1,
) -> None:
    """Find mentions in texts and write them as a table.

    INPUT is a directory with .txt files, at any depth, one file, or - for standard input. The table has the columns
    filename (the file's name without .txt), label, start_span, end_span and text; offsets count characters of the
    UTF-8 text, from 0, end exclusive. With --format brat OUTPUT is a new directory with a copy of each text and its
    .ann; where the pipeline finds relations, with R lines.

    \b
    Examples:
      multiclin predict notes/ found.tsv
      multiclin predict notes/ found.tsv --lang es --task disease --threshold 0.8
      multiclin predict notes/ brat/ --format brat --model training/model-best
      multiclin predict notes/ found.tsv --n-process 4
      multiclin predict notes/ found.tsv --relations found.rel.tsv --model training/with-relations
    """
    from clinner_spacy.cli.annotate import annotate_texts, with_progress  # spaCy is slow to import
    from clinner_spacy.cli.model import build_nlp, labels_of
    from clinner_spacy.cli.relations import recorded, require_relations
    from clinner_spacy.cli.texts import Texts
    from clinner_spacy.corpora.brat import write_brat
    from clinner_spacy.corpora.tsv import write_multiclin_tsv

    if str(output) == "-":
        raise ClinnerError("OUTPUT cannot be -, since a table appears whole or not at all; name a file.")
    texts = Texts(source)
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
    )
    labels = labels_of(nlp, task)
    annotated = annotate_texts(with_progress(texts), nlp, labels, n_process)
    if relations is not None:
        require_relations(nlp)
        annotated = recorded(annotated, relations)
    documents = (text.to_document() for text in annotated)
    write = write_brat if format is Format.brat else write_multiclin_tsv
    write(output, documents)
