"""The Typer app the commands hang on, and how an error reaches the user: one sentence, exit code 1."""

from __future__ import annotations

import importlib
import io
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from clinner_spacy import __version__
from clinner_spacy.errors import ClinnerError

#: Modules of this folder that each define one command.
COMMANDS = (
    *("predict", "render", "serve", "info", "export", "convert"),
    *("train", "evaluate", "calibrate", "tune", "link", "forget"),
)


class OneSentenceErrors(TyperGroup):
    """A command group that shows a :class:`ClinnerError` as its sentence, without a traceback."""

    def invoke(self, ctx: Any) -> Any:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")  # as standard error: names of files may be no UTF-8
        try:
            with terminating_tidily():
                return super().invoke(ctx)
        except ClinnerError as error:
            # Not a ClickException: newer versions of Typer know only those of a click of their own.
            typer.echo(f"Error: {error}", err=True)
            raise typer.Exit(1) from error


@contextmanager
def terminating_tidily() -> Iterator[None]:
    """Let SIGTERM (and SIGHUP) end a command as an exception does, so that nothing half done is left behind."""
    if threading.current_thread() is not threading.main_thread():  # where Python allows no handlers
        yield
        return
    signals = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    ours = [number for number in signals if signal.getsignal(number) is signal.SIG_DFL]  # not under nohup
    for number in ours:
        signal.signal(number, _exit)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


def _exit(number: int, frame: Any) -> None:
    raise SystemExit(128 + number)  # as shells count


app = typer.Typer(
    name="multiclin",
    cls=OneSentenceErrors,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def print_version(asked: bool) -> None:
    if asked:
        typer.echo(__version__)
        raise typer.Exit()


@app.callback()
def multiclin(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=print_version, is_eager=True)
    ] = False,
) -> None:
    """Diseases, symptoms, procedures and more out of clinical text."""


for command in COMMANDS:
    importlib.import_module(f"clinner_spacy.cli.{command}").register(app)


def main() -> None:
    app(prog_name="multiclin")
