"""ConText: directions, terminations, limits and sections."""

from __future__ import annotations

import pytest
import spacy

from clinner_spacy.assertion.cues import CueFinder
from clinner_spacy.assertion.lexicon import SHIPPED, parse_lexicon, read_lexicon
from clinner_spacy.assertion.scopes import find_scopes

RULES = {
    "context_rules": [
        {"literal": "no", "category": "NEGATED_EXISTENCE", "direction": "FORWARD"},
        {"literal": "without", "category": "NEGATED_EXISTENCE", "direction": "FORWARD", "max_scope": 2},
        {"literal": "absent", "category": "NEGATED_EXISTENCE", "direction": "BACKWARD"},
        {"literal": "never", "category": "NEGATED_EXISTENCE", "direction": "BIDIRECTIONAL"},
        {
            "literal": "denies",
            "category": "NEGATED_EXISTENCE",
            "direction": "FORWARD",
            "terminated_by": ["POSSIBLE_EXISTENCE"],
        },
        {"literal": "shows", "category": "NEGATED_EXISTENCE", "direction": "TERMINATE"},
        {"literal": "but", "category": "CONJ", "direction": "TERMINATE"},
        {"literal": "no change", "category": "NEGATED_EXISTENCE", "direction": "PSEUDO"},
        {"literal": "possible", "category": "POSSIBLE_EXISTENCE", "direction": "FORWARD"},
    ],
    "section_rules": [{"literal": "family history", "category": "FAMILY"}],
}


def scopes(text: str, rules: dict = RULES, lang: str = "en") -> list[tuple[str, str, str]]:
    nlp = spacy.blank(lang)
    doc = nlp(text)
    finder = CueFinder(parse_lexicon(rules, "test"), nlp.vocab, nlp.tokenizer)
    found = find_scopes(doc, finder.cues(doc), finder.section_names(doc))
    return [(s.category[:3], doc[s.cue_start : s.cue_end].text, doc[s.start : s.end].text) for s in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Has no fever or cough. Pain.", [("NEG", "no", "fever or cough")]),
        ("Fever absent, pain", [("NEG", "absent", "Fever")]),
        ("Fever never seen", [("NEG", "never", "Fever"), ("NEG", "never", "seen")]),
        ("without fever and cough", [("NEG", "without", "fever and")]),
        ("no fever but cough", [("NEG", "no", "fever")]),
        ("possible flu but cough", [("POS", "possible", "flu")]),  # a conjunction ends every category
        ("possible flu shows cough", [("POS", "possible", "flu shows cough")]),  # of another category
        ("no fever, scan shows mass", [("NEG", "no", "fever, scan")]),
        ("no fever, no cough", [("NEG", "no", "fever"), ("NEG", "no", "cough")]),
        ("denies fever, possible flu", [("NEG", "denies", "fever"), ("POS", "possible", "flu")]),
        ("no fever, possible flu", [("NEG", "no", "fever, possible flu"), ("POS", "possible", "flu")]),
        ("no change in size", []),
        ("no", []),
        ("no.", []),
        ("", []),
    ],
)
def test_scopes(text: str, expected: list) -> None:
    assert scopes(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Family history: asthma, gout. Cough.", ["asthma, gout. Cough"]),  # its whole line
        ("Family history: asthma\nCough", ["asthma"]),
        ("Family history\nAsthma\nGout\n\nCough", ["Asthma\nGout"]),
        ("Family history:\n- asthma\n- gout\nExam: cough", ["- asthma\n- gout"]),
        ("Family history of asthma", []),  # no header
        ("Has family history: asthma", []),  # within a sentence
        ("Family history:", []),
        ("Pain.\nFAMILY HISTORY: gout", ["gout"]),
    ],
)
def test_sections(text: str, expected: list[str]) -> None:
    assert [scope.strip("- ") for _, _, scope in scopes(text)] == [scope.strip("- ") for scope in expected]


@pytest.mark.parametrize("lang", ["es", "en", "it", "ro", "nl", "sv", "cs"])
def test_every_section_that_ships_opens_one(lang: str) -> None:
    nlp = spacy.blank(lang)
    lexicon = read_lexicon(SHIPPED / f"{lang}.json")
    finder = CueFinder(lexicon, nlp.vocab, nlp.tokenizer)
    for section in lexicon.sections:
        doc = nlp(f"Xxx.\n{section.literal}: yyy, zzz\nXxx")
        scopes = find_scopes(doc, finder.cues(doc), finder.section_names(doc))
        over = [doc[s.start : s.end].text for s in scopes if s.category == section.category]
        assert any("yyy" in text and "zzz" in text and "Xxx" not in text for text in over), section
