"""What a saved "concept_linker" has beside its index: the abbreviations, and which files it was made from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clinner_spacy.errors import ClinnerError

Files = Mapping[str, str | Path | None]


def settings_of(abbreviations: Mapping[str, str], files: Files) -> dict[str, Any]:
    """Abbreviations and files as plain data."""
    named = {name: None if path is None else str(path) for name, path in files.items()}
    return {"abbreviations": dict(abbreviations), "files": named}


def abbreviations_in(settings: Any, files: Files, name: str) -> dict[str, str]:
    """The abbreviations of what :func:`settings_of` gave, for component ``name``.

    Raises one of ``DAMAGE`` if it is something else, and ClinnerError if the component's config names another file than
    those it was saved with: the saved index is read, so that the setting would have no effect.
    """
    abbreviations, saved = settings["abbreviations"], settings["files"]
    if not isinstance(abbreviations, dict) or {type(t) for pair in abbreviations.items() for t in pair} - {str}:
        raise TypeError
    for key, path in files.items():
        if path is not None and str(path) != saved[key]:
            raise ClinnerError(
                f"{key}={str(path)!r} of component {name!r} has no effect: it was saved with {key}={saved[key]!r} and "
                "links to its copy; leave the setting out, or add a new concept_linker to a pipeline without one."
            )
    return abbreviations
