"""``predict --engine ray``: a directory of Parquet files, read by the workers of Ray."""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from clinner_spacy.cli import options
from clinner_spacy.errors import ClinnerError


class Engine(StrEnum):
    """Who reads the notes."""

    plain = "plain"
    ray = "ray"


EngineOf = Annotated[
    Engine,
    typer.Option("--engine", help="plain: this process; ray: workers of Ray, from Parquet files to Parquet files."),
]
Workers = Annotated[
    int | None, typer.Option("--workers", min=1, metavar="N", help="Workers of --engine ray; default 1.")
]

#: Parameters of ``predict`` that a pipeline is made of, and those that say where a table's columns are.
MODEL = (
    *("model", "base_model", "revision", "device", "precision", "lang", "words", "task", "label", "threshold"),
    *("assertion", "link", "link_threshold"),
)
COLUMNS = ("text_column", "id_column", "keep")
KNOWN = {"source", "output", "engine", "workers", *MODEL, *COLUMNS}


def predicted_by_engine(context: typer.Context) -> bool:
    """Do the work of ``predict`` if ``--engine`` names another; ``context`` has its parameters.

    Raises ClinnerError for an option that has no effect there, and as
    :func:`~clinner_spacy.tables.ray_job.predict_with_ray` does.
    """
    given = context.params
    if given["engine"] is Engine.plain:
        if given["workers"] is not None:
            raise ClinnerError("--workers is for --engine ray; for processes without an engine there is --n-process.")
        return False
    _refuse_others(context)
    from clinner_spacy.cli.model import build_nlp  # spaCy is slow to import
    from clinner_spacy.tables.ray_job import predict_with_ray

    made_of = {name: given[name] for name in MODEL}
    settings: dict[str, Any] = {"pipeline": partial(build_nlp, **_absolute(made_of)), "tasks": given["task"]}
    settings |= {name: given[name] for name in COLUMNS if given.get(name) is not None}
    if isinstance(settings.get("keep"), str):
        settings["keep"] = settings["keep"].split(",")
    predict_with_ray(given["source"], given["output"], settings, given["workers"] or 1)
    return True


def _refuse_others(context: typer.Context) -> None:
    """Raise ClinnerError for an option that another engine does not know."""
    if context.args:
        raise ClinnerError(f"{len(context.args) + 2} names are given where INPUT and OUTPUT are expected, two folders.")
    for name in context.params.keys() - KNOWN:
        source = context.get_parameter_source(name)
        if source is not None and source.name != "DEFAULT":  # by name: some versions of Typer have a click of their own
            raise ClinnerError(f"--{name.replace('_', '-')} has no effect with --engine ray; leave it out.")


def _absolute(made_of: dict[str, Any]) -> dict[str, Any]:
    """The same with whole paths: a worker may run elsewhere."""
    whole = {name: _path(str(made_of[name])) for name in ("base_model", "link") if made_of[name]}
    return {**made_of, **whole, "model": [_path(name) for name in made_of["model"]]}


def _path(name: str) -> str:
    return str(Path(name).resolve()) if name != options.DEFAULT_MODEL and Path(name).exists() else name
