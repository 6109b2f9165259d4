"""``multiclin evaluate``: one table of spans measured against another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from clinner_spacy.cli import options
from clinner_spacy.errors import ClinnerError

#: Ends of tables that ``multiclin predict`` writes and that hold no tabs.
OTHER_TABLES = (".parquet", ".jsonl", ".ndjson", ".json", ".spacy")


def register(app: typer.Typer) -> None:
    app.command("evaluate")(evaluate_command)


def evaluate_command(
    gold: Annotated[Path, typer.Argument(metavar="GOLD.tsv", help="The reference table.", show_default=False)],
    predicted: Annotated[Path, typer.Argument(metavar="PRED.tsv", help="The table to measure.", show_default=False)],
    entity: Annotated[str | None, typer.Option(help="Measure this label alone.", metavar="LABEL")] = None,
    per_document: Annotated[bool, typer.Option("--per-document", help="Measure each document, too.")] = False,
    html: Annotated[Path | None, typer.Option(metavar="REPORT.html", help="Write a page on scores and errors.")] = None,
    texts: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The notes (UTF-8), so that the page shows errors in them.")
    ] = None,
    overwrite: options.Overwrite = False,
) -> None:
    """Strict and character-overlap F1 of predicted spans, as JSON; equal to the official MultiClinAI evaluation.

    Both tables have the columns filename, label, start_span, end_span and text, separated by tabs. The page of --html
    has scores a label with their intervals, errors by kind (missed, spurious, boundary, label), the documents with most
    errors, and, if the predicted table has a column score, precision by score. It holds the words of spans, and with
    --texts whole notes.

    \b
    Examples:
      multiclin evaluate gold.tsv predicted.tsv
      multiclin evaluate gold.tsv predicted.tsv --entity DISEASE --per-document
      multiclin evaluate gold.tsv predicted.tsv --html report.html --texts notes/
    """
    if html is None and (texts is not None or overwrite):
        option = "--overwrite" if texts is None else "--texts"
        raise ClinnerError(f"{option} is for the page of --html; name one, or leave {option} out.")
    if texts is not None and not texts.is_dir():
        raise ClinnerError(f"--texts {texts} is no folder; name the one with the notes.")
    for table in (gold, predicted):
        if table.suffix.lower() in OTHER_TABLES:
            raise ClinnerError(f"{table} is no .tsv, which is all that evaluate reads; let predict write one.")
    from clinner_spacy.cli.outputs import check_output
    from clinner_spacy.scoring.tsv import evaluate, read_spans  # numpy and spaCy are slow to import

    if html is not None:
        check_output(html, (gold, predicted), overwrite=overwrite)
    scores = evaluate(read_spans(gold), read_spans(predicted), entity=entity, per_document=per_document)
    typer.echo(json.dumps(scores, indent=2, ensure_ascii=False))
    if html is not None:
        from clinner_spacy.cli.report import read_table, write_report

        write_report(html, read_table(gold, entity), read_table(predicted, entity), texts)
