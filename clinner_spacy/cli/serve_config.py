"""The file of ``multiclin serve --config``: a TOML table of settings for each language's pipeline."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from clinner_spacy.cli.options import Precision, Words
from clinner_spacy.errors import ClinnerError


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_text, value))


def _is_share(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


TEXT = (_is_text, "a string")

#: Options of the command as settings: what a value must be, and how that is called.
SETTINGS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "model": (lambda value: _is_text(value) or _is_texts(value), "a string, or an array of strings"),
    "base_model": TEXT,
    "revision": TEXT,
    "device": TEXT,
    "precision": (lambda value: value in list(Precision), f"one of {', '.join(Precision)}"),
    "lang": TEXT,
    "words": (lambda value: value in list(Words), f"one of {', '.join(Words)}"),
    "threshold": (_is_share, "a number from 0 to 1"),
    "link": TEXT,
    "link_threshold": (_is_share, "a number from 0 to 1"),
    "assertion": (lambda value: isinstance(value, bool), "true or false"),
}


def read_config(path: Path) -> dict[str, dict[str, Any]]:
    """The settings of each language's pipeline. Raises ClinnerError for a file that does not hold them, for a setting
    that there is not, and for a value that is none of it."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ClinnerError(f"{path} cannot be read as TOML; write a table a language, as [es].") from error
    if not tables:
        raise ClinnerError(f"{path} names no pipeline; write a table a language, as [es].")
    for name, settings in tables.items():
        if not isinstance(settings, dict):
            raise ClinnerError(f"{path}: {name} is no table; write [{name}] and its settings below.")
        for setting, value in settings.items():
            _check(f"{path}: [{name}]", setting, value)
    return {name: {"lang": name, **settings} for name, settings in tables.items()}


def _check(where: str, setting: str, value: Any) -> None:
    if setting not in SETTINGS:
        raise ClinnerError(f"{where} has no setting {setting!r}; it has {', '.join(sorted(SETTINGS))}.")
    is_right, expected = SETTINGS[setting]
    if not is_right(value):
        raise ClinnerError(f"{where} {setting} is {value!r}; it must be {expected}.")
