"""``multiclin export``: a published checkpoint -> a spaCy pipeline's directory."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from clinner_spacy.cli import options
from clinner_spacy.errors import ClinnerError
from clinner_spacy.files import making_folder


def register(app: typer.Typer) -> None:
    app.command("export")(export)


def export(
    checkpoint: Annotated[str, typer.Argument(help="A .pt file, a token classifier's directory or a hub name.")],
    output: Annotated[Path, typer.Argument(metavar="OUT_DIR", help="The directory to write, which must be new.")],
    more: options.More = None,
    lang: Annotated[str, typer.Option(help="Language of the pipeline, as es; it chooses the head, too.")] = "xx",
    base_model: options.BaseModel = None,
    revision: options.Revision = None,
    task: options.Task = None,
    label: options.Label = None,
    precision: options.PrecisionOf = None,
) -> None:
    """Write a checkpoint as a spaCy pipeline, which spacy.load and spacy package take and which needs no network.

    \b
    Examples:
      multiclin export mtl.pt pipelines/es --lang es --base-model FacebookAI/xlm-roberta-base
      multiclin export Posos/ClinicalNER pipelines/drugs --task drug
      multiclin export seed-0/ pipelines/both --checkpoint seed-1/
      python -m spacy package pipelines/es wheels --build wheel --name clinical --version 1.0.0
    """
    from clinner_spacy.checkpoints import load_checkpoint  # spaCy is slow to import
    from clinner_spacy.checkpoints.published import named
    from clinner_spacy.cli.model import blank, one_or_several
    from clinner_spacy.encoders.settings import EncoderSettings

    if output.exists():
        raise ClinnerError(f"{output} is there already; name a new directory.")
    config: dict[str, Any] = {
        "checkpoint": one_or_several([checkpoint, *(more or ())]),
        "base_model": base_model,
        "revision": revision,
        "task": task[0] if task and len(task) == 1 else task,
        "labels": label,
        "precision": precision.value if precision else "auto",
    }
    nlp = blank(lang)
    known = {key: value for key, value in config.items() if key not in ("revision", "precision")}
    settings = EncoderSettings(revision=revision, precision=config["precision"])
    loaded = load_checkpoint(**known, lang=nlp.lang, settings=settings)
    # A path of this machine tells others nothing.
    sources, base_model = [named(name) for name in (checkpoint, *(more or ()))], base_model and named(base_model)
    recorded = config | {"checkpoint": one_or_several(sources), "base_model": base_model}
    nlp.add_pipe("multiclin_ner", config=recorded).take(loaded)  # type: ignore[attr-defined]
    nlp.meta["name"] = "clinical"
    nlp.meta["description"] = f"{', '.join(loaded.tasks)} from {', '.join(sources)}"
    nlp.meta["sources"] = [{"name": source} for source in sources]
    if loaded.info.get("license"):
        nlp.meta["license"] = str(loaded.info["license"])
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ClinnerError(f"{output} cannot be written: {error.strerror}; choose another place.") from error
    with making_folder(output) as folder:
        nlp.to_disk(folder)
    typer.echo(f"{output}: {', '.join(f'{name} ({len(labels)})' for name, labels in loaded.tasks.items())}")
