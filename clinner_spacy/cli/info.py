"""``multiclin info``: what a model holds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clinner_spacy.cli import options

if TYPE_CHECKING:
    from thinc.api import Model

#: What is shown of what is known about a model, in this order.
SHOWN = (
    *("model", "name", "version", "description", "format", "encoder", "units", "windows"),
    "components",
    *("languages", "language", "license"),
)


def register(app: typer.Typer) -> None:
    app.command("info")(info_command)


def info_command(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="As --model of predict.")] = options.DEFAULT_MODEL,
    more: options.More = None,
    base_model: options.BaseModel = None,
    revision: options.Revision = None,
    lang: options.Lang = None,
    label: options.Label = None,
) -> None:
    """Say what a model holds: tasks and labels, languages, licence, size.

    \b
    Examples:
      multiclin info
      multiclin info training/model-best
      multiclin info mtl.pt --base-model FacebookAI/xlm-roberta-base
    """
    from clinner_spacy.checkpoints import load_checkpoint  # spaCy is slow to import
    from clinner_spacy.cli.model import build_nlp, one_or_several, pipeline_folder
    from clinner_spacy.encoders.settings import EncoderSettings
    from clinner_spacy.files import path_of
    from clinner_spacy.pipeline.components import clinical_components

    models_named = [model, *(more or ())]
    checkpoint = one_or_several(models_named)
    folder = pipeline_folder(checkpoint)
    about: dict[str, Any] = {"model": models_named}
    if folder is not None:
        nlp = build_nlp(model, base_model=base_model, revision=revision, label=label)
        components = clinical_components(nlp)
        own = {key: value for key, value in nlp.meta.items() if value}
        # What a checkpoint's card said, its licence above all, goes along with its weights.
        published = {key: value for component in components for key, value in component.about.items()}
        about |= {"languages": [nlp.lang], **own, **published, "format": "spaCy pipeline", "components": nlp.pipe_names}
        tasks = {task: labels for component in components for task, labels in component.tasks.items()}
        models = [component.model for component in components if component.model is not None]
    else:
        settings = EncoderSettings(revision=revision)
        loaded = load_checkpoint(checkpoint, base_model=base_model, lang=lang, labels=label, settings=settings)
        about, tasks, models = about | loaded.info, loaded.tasks, [loaded.model]
    about["parameters"] = f"{sum(map(count_parameters, models)):,}"
    paths = [folder or path_of(name) for name in models_named]
    if all(path.exists() for path in paths):
        about["size"] = f"{sum(map(_bytes, paths)) / 1e6:.1f} MB on disk"
    _print(about, tasks)


def count_parameters(model: Model) -> int:
    """How many numbers a model holds, those of wrapped torch modules too."""
    own = sum(node.get_param(name).size for node in model.walk() for name in node.param_names if node.has_param(name))
    shims = [shim for node in model.walk() for shim in node.shims]
    return own + sum(p.numel() for shim in shims if shim._model is not None for p in shim._model.parameters())


def _bytes(path: Path) -> int:
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files)


def _print(about: Mapping[str, Any], tasks: Mapping[str, list[str]]) -> None:
    lines = {key: about[key] for key in SHOWN if about.get(key)}
    lines |= {f"task {task}": labels for task, labels in tasks.items()}
    lines |= {key: about[key] for key in ("parameters", "size") if key in about}
    width = max(map(len, lines))
    for key, value in lines.items():
        shown = ", ".join(map(str, value)) if isinstance(value, list) else value
        typer.echo(f"{key:<{width}}  {shown}")
