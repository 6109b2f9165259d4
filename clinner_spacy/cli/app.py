"""The Typer app the commands hang on, and how an error reaches the user: one sentence, exit code 1."""

from __future__ import annotations

import importlib
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperGroup

from clinner_spacy.errors import ClinnerError

#: Modules of this folder that each define one command.
COMMANDS = ("predict", "render", "info", "export", "convert", "evaluate", "forget")


class OneSentenceErrors(TyperGroup):
    """A command group that shows a :class:`ClinnerError` as its sentence, without a traceback."""

    def invoke(self, ctx: Any) -> Any:
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
    before = {number: signal.signal(number, _exit) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _exit(number: int, frame: Any) -> None:
    raise SystemExit(128 + number)  # as shells count


app = typer.Typer(
    name="multiclin",
    help="Diseases, symptoms, procedures and more out of clinical text.",
    cls=OneSentenceErrors,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

for command in COMMANDS:
    importlib.import_module(f"clinner_spacy.cli.{command}").register(app)


def main() -> None:
    app(prog_name="multiclin")
