"""``multiclin serve``: pipelines behind HTTP."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clinner_spacy.cli import options
from clinner_spacy.cli.serve_config import read_config
from clinner_spacy.errors import ClinnerError

if TYPE_CHECKING:
    from clinner_spacy.service.reader import Reader


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
    link: options.Link = None,
    link_threshold: options.LinkThreshold = None,
    host: Annotated[str, typer.Option(help="Where to listen; other machines reach only what is not loopback.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8000,
) -> None:
    """Answer requests over HTTP: a page, /annotate, DT4H's /process_bulk, /info, /health, /docs.

    There is no password and no encryption: put a proxy that has them in front before other machines may connect.

    \b
    Examples:
      multiclin serve --lang es --assertion
      multiclin serve --config languages.toml --port 9000
    """
    try:
        import uvicorn

        from clinner_spacy.service.app import build_app
        from clinner_spacy.service.limits import Limits
    except ImportError as error:
        raise ClinnerError("serve needs FastAPI and uvicorn; pip install 'clinner-spacy[serve]'.") from error
    given: dict[str, Any] = {"lang": lang, "device": device, "threshold": threshold, "assertion": assertion}
    given |= {"link": link, "link_threshold": link_threshold}
    own = {key: value for key, value in given.items() if value is not None and value is not False}
    if config is not None and (own or model != options.DEFAULT_MODELS):
        raise ClinnerError("--config says which pipelines there are; leave the options of one out.")
    if config is None:
        reader = _reader({"model": model, **own})
        readers = {str(reader.nlp.lang): reader}
    else:
        readers = {name: _reader(settings) for name, settings in read_config(config).items()}
    limits = Limits()
    listening = listen(host, port)
    address = f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}/"
    typer.echo(f"{address} has the page; Ctrl+C ends the service.", err=True)
    # Without its log of requests: nothing of what is asked is written anywhere.
    settings: dict[str, Any] = {"access_log": False, "log_level": "warning"}
    settings |= {"timeout_graceful_shutdown": int(limits.timeout)}
    uvicorn.Server(uvicorn.Config(build_app(readers, limits), **settings)).run(sockets=[listening])


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens. Raises ClinnerError where it cannot, as when another program does."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise ClinnerError(
            f"{host}:{port} cannot be listened to: {error.strerror}; name another --host or --port."
        ) from error


def _reader(settings: dict[str, Any]) -> Reader:
    from clinner_spacy.cli.model import build_nlp
    from clinner_spacy.service.reader import Reader

    model = settings.get("model", options.DEFAULT_MODEL)
    return Reader(build_nlp(**settings), model if isinstance(model, str) else ", ".join(model))
