"""``multiclin evaluate``: one table of spans measured against another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    app.command("evaluate")(evaluate_command)


def evaluate_command(
    gold: Annotated[Path, typer.Argument(metavar="GOLD.tsv", help="The reference table.", show_default=False)],
    predicted: Annotated[Path, typer.Argument(metavar="PRED.tsv", help="The table to measure.", show_default=False)],
    entity: Annotated[str | None, typer.Option(help="Measure this label alone.", metavar="LABEL")] = None,
    per_document: Annotated[bool, typer.Option("--per-document", help="Measure each document, too.")] = False,
) -> None:
    """Strict and character-overlap F1 of predicted spans, as JSON; equal to the official MultiClinAI evaluation.

    Both tables have the columns filename, label, start_span, end_span and text, separated by tabs.

    \b
    Examples:
      multiclin evaluate gold.tsv predicted.tsv
      multiclin evaluate gold.tsv predicted.tsv --entity DISEASE --per-document
    """
    from clinner_spacy.scoring.tsv import evaluate, read_spans  # numpy and spaCy are slow to import

    scores = evaluate(read_spans(gold), read_spans(predicted), entity=entity, per_document=per_document)
    typer.echo(json.dumps(scores, indent=2, ensure_ascii=False))
