"""The Typer app the commands hang on, and how an error reaches the user: one sentence, exit code 1."""

from __future__ import annotations

import importlib
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from clinner_spacy import __version__
from clinner_spacy.errors import ClinnerError

#: Modules of this folder that each define one command.
COMMANDS = ("predict", "render", "info", "export", "convert", "evaluate")


class OneSentenceErrors(TyperGroup):
    """A command group that shows a :class:`ClinnerError` as its sentence, without a traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except ClinnerError as error:
            # Not a ClickException: newer versions of Typer know only those of a click of their own.
            typer.echo(f"Error: {error}", err=True)
            raise typer.Exit(1) from error


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
