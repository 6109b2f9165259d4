"""``multiclin serve``: pipelines behind HTTP."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clinner_spacy.cli import options
from clinner_spacy.errors import ClinnerError

if TYPE_CHECKING:
    from clinner_spacy.service.reader import Reader

#: What a config says of a language's pipeline: options of this command.
SETTINGS = {"model", "base_model", "revision", "device", "precision", "lang", "words", "threshold", "assertion"}


def register(app: typer.Typer) -> None:
    app.command("serve")(serve_command)


def serve_command(
    model: options.Models = options.DEFAULT_MODELS,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE.toml", help="Several pipelines: a table of settings a language.")
    ] = None,
    lang: options.Lang = None,
    device: options.Device = None,
    threshold: options.Threshold = None,
    assertion: options.Assertion = False,
    host: Annotated[str, typer.Option(help="Where to listen; other machines reach only what is not loopback.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8000,
) -> None:
    """Answer requests over HTTP: /annotate, DT4H's /process_bulk, /info, /health, /docs.

    There is no password and no encryption: put a proxy that has them in front before other machines may connect.

    \b
    Examples:
      multiclin serve --lang es --assertion
      multiclin serve --config languages.toml --port 9000
    """
    try:
        import uvicorn

        from clinner_spacy.service.app import build_app
    except ImportError as error:
        raise ClinnerError("serve needs FastAPI and uvicorn; pip install 'clinner-spacy[serve]'.") from error
    given = {"lang": lang, "device": device, "threshold": threshold, "assertion": assertion}
    own = {key: value for key, value in given.items() if value not in (None, False)}
    if config is not None and (own or model != options.DEFAULT_MODELS):
        raise ClinnerError("--config says which pipelines there are; leave the options of one out.")
    if config is None:
        reader = _reader({"model": model, **own})
        readers = {str(reader.nlp.lang): reader}
    else:
        readers = {name: _reader(settings) for name, settings in read_config(config).items()}
    # Without its log of requests: nothing of what is asked is written anywhere.
    uvicorn.run(build_app(readers), host=host, port=port, access_log=False, log_level="warning")


def read_config(path: Path) -> dict[str, dict[str, Any]]:
    """The settings of each language's pipeline. Raises ClinnerError for a file that does not hold them."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ClinnerError(f"{path} cannot be read as TOML; write a table a language, as [es].") from error
    if not tables:
        raise ClinnerError(f"{path} names no pipeline; write a table a language, as [es].")
    for name, settings in tables.items():
        if not isinstance(settings, dict):
            raise ClinnerError(f"{path}: {name} is no table; write [{name}] and its settings below.")
        if unknown := sorted(set(settings) - SETTINGS):
            raise ClinnerError(f"{path}: [{name}] has no setting {unknown[0]!r}; it has {', '.join(sorted(SETTINGS))}.")
    return {name: {"lang": name, **settings} for name, settings in tables.items()}


def _reader(settings: dict[str, Any]) -> Reader:
    from clinner_spacy.cli.model import build_nlp
    from clinner_spacy.service.reader import Reader

    model = settings.get("model", options.DEFAULT_MODEL)
    return Reader(build_nlp(**settings), model if isinstance(model, str) else ", ".join(model))
