"""Lexicons of ConText: cues by category and direction, in medspaCy's JSON form; seven ship inside.

A file is ``{"licence": str, "context_rules": [rule, …], "section_rules": [section, …]}``. A rule has ``literal``,
``category`` and ``direction``, and may have ``pattern`` (a list for spaCy's Matcher or a regular expression),
``max_scope`` (words) and ``terminated_by`` (categories). A section has ``literal`` (a header) and ``category``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import srsly

from clinner_spacy.assertion.categories import CATEGORIES
from clinner_spacy.errors import DAMAGE, ClinnerError

SHIPPED = Path(__file__).parent / "lexicons"

DIRECTIONS = ("FORWARD", "BACKWARD", "BIDIRECTIONAL", "TERMINATE", "PSEUDO")

#: The category of a conjunction: it terminates scopes of every category.
CONJUNCTION = "CONJ"

RULE_KEYS = ("literal", "category", "direction", "pattern", "max_scope", "terminated_by")

#: Keys of medspaCy's that say nothing about where a scope lies.
NOTES = ("metadata", "comment")


class Rule(NamedTuple):
    """A cue: what it looks like, what it says and how far."""

    literal: str
    category: str
    direction: str
    pattern: list[dict[str, Any]] | str | None = None
    max_scope: int | None = None
    terminated_by: tuple[str, ...] = ()


class Section(NamedTuple):
    """A header under which everything is of a category."""

    literal: str
    category: str


class Lexicon(NamedTuple):
    rules: list[Rule]
    sections: list[Section]


def languages() -> list[str]:
    """The languages that a lexicon ships for."""
    return sorted(path.stem for path in SHIPPED.glob("*.json"))


def read_lexicon(path: Path) -> Lexicon:
    """Read a file of rules. Raises ClinnerError that names the file, the entry and what is wrong with it."""
    try:
        data = srsly.json_loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ClinnerError(f"rules={path} cannot be read: {error.strerror}; name a JSON file of rules.") from error
    except ValueError as error:
        raise ClinnerError(f"{path} is no JSON ({type(error).__name__}); write it in medspaCy's form.") from error
    return parse_lexicon(data, str(path))


def parse_lexicon(data: Any, source: str) -> Lexicon:
    """What a file of rules holds; ``source`` is what an error calls it."""
    if not isinstance(data, Mapping) or not isinstance(data.get("context_rules"), list):
        raise ClinnerError(f"{source} has no list \"context_rules\"; write it in medspaCy's form.")
    rules = [_entry(_rule, entry, f"{source}, rule {n}") for n, entry in enumerate(data["context_rules"], 1)]
    sections = data.get("section_rules", [])
    return Lexicon(rules, [_entry(_section, entry, f"{source}, section {n}") for n, entry in enumerate(sections, 1)])


def lexicon_data(lexicon: Lexicon) -> dict[str, Any]:
    """What :func:`parse_lexicon` takes back."""
    rules = [{**rule._asdict(), "terminated_by": list(rule.terminated_by)} for rule in lexicon.rules]
    return {"context_rules": rules, "section_rules": [section._asdict() for section in lexicon.sections]}


def _entry(read: Any, entry: Any, place: str) -> Any:
    if not isinstance(entry, Mapping):
        raise ClinnerError(f"{place} is a {type(entry).__name__}; write an object with literal and category.")
    place = f"{place} ({entry.get('literal')!r})"
    try:
        return read({key: value for key, value in entry.items() if value is not None and key not in NOTES})
    except ClinnerError as error:
        raise ClinnerError(f"{place}: {error}") from error
    except DAMAGE as error:
        raise ClinnerError(f"{place} is not in medspaCy's form ({error}); mend it.") from error


def _rule(entry: dict[str, Any]) -> Rule:
    unknown = sorted(set(entry) - set(RULE_KEYS))
    if unknown:
        raise ClinnerError(f"{unknown[0]!r} has no effect here, of {', '.join(RULE_KEYS)}; leave it out.")
    direction = _one_of(entry, "direction", DIRECTIONS)
    conjunction = (CONJUNCTION,) if direction == "TERMINATE" else ()
    category = _one_of(entry, "category", (*CATEGORIES, *conjunction))
    pattern, max_scope = entry.get("pattern"), entry.get("max_scope")
    if isinstance(pattern, str):
        try:
            re.compile(pattern)
        except re.error as error:
            raise ClinnerError(f"its pattern is no regular expression ({error}); mend it.") from error
    elif pattern is not None and not (isinstance(pattern, list) and pattern):
        raise ClinnerError("its pattern is neither a list of tokens nor a regular expression; mend it.")
    if max_scope is not None and (not isinstance(max_scope, int) or isinstance(max_scope, bool) or max_scope < 1):
        raise ClinnerError(f"max_scope is {max_scope!r}; give a number of words above 0, or leave it out.")
    ending = entry.get("terminated_by", [])
    if not isinstance(ending, list) or not set(ending) <= set(CATEGORIES):
        raise ClinnerError(f"terminated_by is {ending!r}; give a list of {', '.join(CATEGORIES)}.")
    return Rule(_literal(entry), category, direction, pattern, max_scope, tuple(ending))


def _section(entry: dict[str, Any]) -> Section:
    return Section(_literal(entry), _one_of(entry, "category", tuple(CATEGORIES)))


def _literal(entry: dict[str, Any]) -> str:
    literal = entry.get("literal")
    if not isinstance(literal, str) or not literal.strip():
        raise ClinnerError(f"its literal is {literal!r}; give the words of the cue.")
    return literal


def _one_of(entry: dict[str, Any], key: str, known: tuple[str, ...]) -> str:
    value = str(entry.get(key)).upper()
    if value not in known:
        raise ClinnerError(f"its {key} is {entry.get(key)!r}; choose of {', '.join(known)}.")
    return value
