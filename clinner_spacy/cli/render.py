"""``multiclin render``: texts with their mentions marked, as one page for a browser."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from clinner_spacy.cli import options


def register(app: typer.Typer) -> None:
    app.command("render", context_settings=options.ANY_NUMBER)(render_command)


def render_command(
    context: typer.Context,
    source: Annotated[str, typer.Argument(metavar="INPUT", help="A directory of .txt files, one file, or -.")],
    output: Annotated[Path, typer.Argument(metavar="OUTPUT.html", help="The page to write.")],
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
    link: options.Link = None,
    link_threshold: options.LinkThreshold = None,
    encoding: options.Encoding = "utf-8",
    overwrite: options.Overwrite = False,
) -> None:
    """Show texts with their mentions marked, as one HTML page.

    The page stands alone: no scripts, nothing fetched from elsewhere. An index counts mentions by note and label.
    Overlapping mentions have a line each; scores and codes stand in a table below the note, and show when the pointer
    rests on a mention. With --assertion, which needs --lang, mentions that are negated are struck, and all that are
    not simply there are hollow.

    \b
    Examples:
      multiclin render note.txt note.html
      multiclin render notes/ notes.html --lang es --threshold 0.5
    """
    from clinner_spacy.cli.annotate import annotate_texts, with_progress  # spaCy is slow to import
    from clinner_spacy.cli.model import build_nlp
    from clinner_spacy.cli.outputs import check_output
    from clinner_spacy.cli.page import write_page
    from clinner_spacy.cli.texts import Texts
    from clinner_spacy.pipeline.components import labels_of

    texts = Texts(source, encoding)
    check_output(output, texts.paths, overwrite=overwrite, extra=context.args)
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
        link=link,
        link_threshold=link_threshold,
    )
    labels = labels_of(nlp, task)
    with closing(annotate_texts(texts, nlp, labels)) as annotated:
        shown = with_progress(annotated, len(texts))
        write_page(output, shown, {label: task for task, label in labels}, str(nlp.lang), assertion)
    texts.report_unread()
