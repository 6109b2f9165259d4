"""Hangs ``multiclin`` under ``python -m spacy``; spaCy imports it through the ``spacy_cli`` entry point."""

from spacy.cli._util import app as spacy_app

from clinner_spacy.cli.app import app

spacy_app.add_typer(app, name="multiclin")
