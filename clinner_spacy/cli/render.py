"""``multiclin render``: texts with their mentions marked, as one page for a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clinner_spacy.cli.annotate import annotate_texts, with_progress
from clinner_spacy.cli.model import (
    DEFAULT_MODEL,
    BaseModelOption,
    LangOption,
    ModelOption,
    RevisionOption,
    TaskOption,
    ThresholdOption,
    build_nlp,
    task_of_label,
)
from clinner_spacy.cli.page import write_page
from clinner_spacy.cli.texts import Texts

HELP = """Show texts with their mentions marked, as one HTML page.

The page stands alone: no scripts, nothing fetched from elsewhere. Overlapping mentions have a line each; the score
shows when the pointer rests on a mention.

\b
Examples:
  multiclin render note.txt note.html
  multiclin render notes/ notes.html --lang es --threshold 0.5
"""


def register(app: typer.Typer) -> None:
    app.command("render", help=HELP)(render)


def render(
    source: Annotated[str, typer.Argument(metavar="INPUT", help="A directory of .txt files, one file, or -.")],
    output: Annotated[Path, typer.Argument(metavar="OUTPUT", help="The page to write.")],
    model: ModelOption = DEFAULT_MODEL,
    base_model: BaseModelOption = None,
    revision: RevisionOption = None,
    lang: LangOption = None,
    task: TaskOption = None,
    threshold: ThresholdOption = None,
) -> None:
    texts = Texts(source)
    nlp = build_nlp(model, lang=lang, task=task, threshold=threshold, base_model=base_model, revision=revision)
    labels = task_of_label(nlp, task)
    write_page(output, annotate_texts(with_progress(texts), nlp, labels), labels, str(nlp.lang))
