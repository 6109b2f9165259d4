"""``multiclin forget``: a saved pipeline without the words it has read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    app.command("forget")(forget_command)


def forget_command(
    pipelines: Annotated[list[Path], typer.Argument(metavar="PIPELINE…", help="Directories of saved pipelines.")],
) -> None:
    """Take the words that pipelines have read, in training or in use, out of their files.

    What remains are the strings of the language, labels and settings; what a pipeline finds stays the same. Run it
    before a pipeline leaves the place where the notes are; see docs/privacy.md.

    \b
    Examples:
      multiclin forget training/model-best
    """
    from clinner_spacy.pipeline.forget import forget_words  # spaCy is slow to import

    for pipeline in pipelines:
        typer.echo(f"{pipeline}: {forget_words(pipeline)} words taken out")
