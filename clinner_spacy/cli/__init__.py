"""The ``multiclin`` command, also reachable as ``python -m spacy multiclin``."""

from clinner_spacy.cli.app import app, main

__all__ = ["app", "main"]
