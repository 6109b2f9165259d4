"""Lexicons: those that ship, and what is refused in a user's own."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import srsly

from clinner_spacy.assertion.lexicon import SHIPPED, languages, lexicon_data, parse_lexicon, read_lexicon
from clinner_spacy.errors import ClinnerError

#: Entries of each category that every language has at least.
LEAST = {"NEGATED_EXISTENCE": 60, "POSSIBLE_EXISTENCE": 30, "FAMILY": 10, "HISTORICAL": 20, "HYPOTHETICAL": 10}

RULE = {"literal": "sin", "category": "NEGATED_EXISTENCE", "direction": "FORWARD"}


def test_languages() -> None:
    assert languages() == ["cs", "en", "es", "it", "nl", "ro", "sv"]


@pytest.mark.parametrize("lang", languages())
def test_shipped(lang: str) -> None:
    lexicon = read_lexicon(SHIPPED / f"{lang}.json")
    cues = Counter(rule.category for rule in lexicon.rules if rule.direction not in ("TERMINATE", "PSEUDO"))
    assert {category: cues[category] >= least for category, least in LEAST.items()} == dict.fromkeys(LEAST, True)
    assert {section.category for section in lexicon.sections} == {"FAMILY", "HISTORICAL"}
    places = [(rule.literal, rule.category, rule.direction) for rule in lexicon.rules]
    assert len(places) == len(set(places))
    assert srsly.read_json(SHIPPED / f"{lang}.json")["licence"] == "MIT"


def test_comes_back() -> None:
    lexicon = read_lexicon(SHIPPED / "ro.json")
    assert parse_lexicon(srsly.json_loads(srsly.json_dumps(lexicon_data(lexicon))), "again") == lexicon


def test_keys_of_medspacy_without_effect_on_scopes_are_passed_over() -> None:
    entry = RULE | {"pattern": None, "metadata": {"by": "me"}, "direction": "forward"}
    assert parse_lexicon({"context_rules": [entry]}, "mine").rules[0].direction == "FORWARD"


@pytest.mark.parametrize(
    ("entry", "wrong"),
    [
        (RULE | {"category": "NEGATION"}, "its category is 'NEGATION'"),
        (RULE | {"direction": "LEFT"}, "its direction is 'LEFT'"),
        (RULE | {"category": "CONJ"}, "its category is 'CONJ'"),
        (RULE | {"max_scope": 0}, "max_scope is 0"),
        (RULE | {"max_scope": "5"}, "max_scope is '5'"),
        (RULE | {"terminated_by": ["BUT"]}, "terminated_by is"),
        (RULE | {"terminated_by": [{}]}, "is not in medspaCy's form"),
        (RULE | {"pattern": "("}, "no regular expression"),
        (RULE | {"pattern": []}, "its pattern is neither"),
        (RULE | {"literal": " "}, "its literal is ' '"),
        (RULE | {"on_match": "x"}, "'on_match' has no effect here"),
        ("sin", "is a str"),
    ],
)
def test_bad_entry(entry: object, wrong: str) -> None:
    with pytest.raises(ClinnerError, match=r"mine\.json, rule 2") as error:
        parse_lexicon({"context_rules": [RULE, entry]}, "mine.json")
    assert wrong in str(error.value)


def test_bad_section() -> None:
    data = {"context_rules": [], "section_rules": [{"literal": "AF", "category": "KIN"}]}
    with pytest.raises(ClinnerError, match=r"mine, section 1 \('AF'\): its category is 'KIN'"):
        parse_lexicon(data, "mine")


@pytest.mark.parametrize(
    ("content", "wrong"),
    [("{", "is no JSON"), ("[]", "has no list"), ('{"rules": []}', "has no list"), (None, "cannot be read")],
)
def test_bad_file(tmp_path: Path, content: str | None, wrong: str) -> None:
    path = tmp_path / "rules.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ClinnerError, match=wrong) as error:
        read_lexicon(path)
    assert str(path) in str(error.value)
