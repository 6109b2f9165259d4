"""The options that every command with a model has; :func:`clinner_spacy.cli.model.build_nlp` takes them."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from clinner_spacy.files import EMBEDDED_NAME

DEFAULT_MODEL = EMBEDDED_NAME

#: What typer takes as the default of :data:`Models`.
DEFAULT_MODELS = [DEFAULT_MODEL]


class Precision(StrEnum):
    """Of an encoder's weights when it reads."""

    auto = "auto"
    fp32 = "fp32"
    bf16 = "bf16"
    fp16 = "fp16"


class Words(StrEnum):
    """Where words begin and end."""

    spacy = "spacy"
    whitespace = "whitespace"
    alphanumeric = "alphanumeric"
    pieces = "pieces"


Models = Annotated[
    list[str],
    typer.Option(
        "--model",
        "--checkpoint",
        "-m",
        help="embedded (ships inside), an installed pipeline, a saved one's directory, a .pt file or a hub name; "
        "several checkpoints of the same tasks are read as one, by their mean.",
    ),
]
More = Annotated[
    list[str] | None,
    typer.Option("--checkpoint", help="One more of the same tasks, read as one with the first; repeatable."),
]
BaseModel = Annotated[
    str | None, typer.Option(help="Where config and tokenizer of a .pt file's encoder are: a directory or a hub name.")
]
Revision = Annotated[str | None, typer.Option(help="Branch, tag or commit of a hub checkpoint.")]
Device = Annotated[str | None, typer.Option(help="Where a transformer encoder runs, as cpu or cuda:1.")]
PrecisionOf = Annotated[
    Precision | None, typer.Option("--precision", help="Of a transformer encoder's weights when it reads.")
]
Lang = Annotated[
    str | None, typer.Option(help="Language of the texts, as es, or auto: each text's own; by default the model's.")
]
WordsBy = Annotated[
    Words,
    typer.Option("--words", 
        help="Cut by the language's rules, or at white space as DT4H's publisher does; or what a checkpoint tags."),
]
Task = Annotated[list[str] | None, typer.Option(metavar="TASK", help="Only this task; repeatable.")]
Label = Annotated[
    list[str] | None,
    typer.Option(metavar="TAG", help="Each tag of a token classifier that only counts them, in order; repeatable."),
]
Threshold = Annotated[
    float | None,
    typer.Option(min=0.0, max=1.0, metavar="SCORE", help="Leave out mentions that score less, from 0 to 1."),
]

Saved = Annotated[
    str, typer.Argument(metavar="MODEL", help="embedded, a saved pipeline's directory or an installed pipeline.")
]
Dev = Annotated[
    list[Path],
    typer.Argument(metavar="DEV...", help=".spacy files, or corpora that convert reads; not the training data."),
]
DevLang = Annotated[
    str | None, typer.Option("--lang", help="Language of corpora that are no .spacy files; by default the model's.")
]
Changed = Annotated[
    Path | None,
    typer.Option("--output", metavar="DIR", help="Write the changed pipeline: a new directory, or MODEL's own."),
]
Assertion = Annotated[
    bool, typer.Option("--assertion", help="Say of each mention whether it is negated, uncertain, of the family, …")
]
TextColumn = Annotated[str | None, typer.Option(metavar="NAME", help="Where a table has the texts; default text.")]
IdColumn = Annotated[str | None, typer.Option(metavar="NAME", help="Where a table has the ids; default note_id.")]
Link = Annotated[
    Path | None, typer.Option(metavar="INDEX", help="Give each mention its code, from an index that link build made.")
]
LinkThreshold = Annotated[
    float | None,
    typer.Option(min=0.0, max=1.0, metavar="SCORE", help="Of --link: give no code that scores less, from 0 to 1."),
]
Encoding = Annotated[str, typer.Option(metavar="NAME", help="Of the texts, as cp1252 or utf-16.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the output if it is there.")]
#: For commands that say themselves what is wrong with a third name: the shell made it of a pattern.
ANY_NUMBER = {"allow_extra_args": True}
