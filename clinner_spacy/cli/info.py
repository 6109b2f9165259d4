"""``multiclin info``: what a model holds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from thinc.api import Model

from clinner_spacy.checkpoints import load_checkpoint
from clinner_spacy.cli.model import (
    DEFAULT_MODEL,
    BaseModelOption,
    LangOption,
    RevisionOption,
    build_nlp,
    clinical_components,
    pipeline_folder,
)

#: What is shown of what is known about a model, in this order.
SHOWN = (
    *("model", "name", "version", "description", "format", "encoder", "components"),
    *("languages", "language", "license"),
)

HELP = """Say what a model holds: tasks and labels, languages, licence, size.

\b
Examples:
  multiclin info
  multiclin info training/model-best
  multiclin info mtl.pt --base-model FacebookAI/xlm-roberta-base
"""


def register(app: typer.Typer) -> None:
    app.command("info", help=HELP)(info)


def info(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="As --model of predict.")] = DEFAULT_MODEL,
    base_model: BaseModelOption = None,
    revision: RevisionOption = None,
    lang: LangOption = None,
) -> None:
    folder = pipeline_folder(model)
    if folder is not None:
        nlp = build_nlp(model)
        components = clinical_components(nlp)
        about = {"format": "spaCy pipeline", "languages": [nlp.lang], **nlp.meta, "components": nlp.pipe_names}
        tasks = {task: labels for component in components for task, labels in component.tasks.items()}
        models = [component.model for component in components if component.model is not None]
    else:
        loaded = load_checkpoint(model, base_model=base_model, revision=revision, lang=lang)
        about, tasks, models = loaded.info, loaded.tasks, [loaded.model]
    about = {"model": model, **about, "parameters": f"{sum(map(count_parameters, models)):,}"}
    if (path := folder or Path(model)).exists():
        about["size"] = f"{_bytes(path) / 1e6:.1f} MB on disk"
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
