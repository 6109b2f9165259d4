"""Cues found in words, and which of them wins."""

from __future__ import annotations

import pytest
import spacy

from clinner_spacy.assertion.cues import CueFinder, spellings
from clinner_spacy.assertion.lexicon import SHIPPED, parse_lexicon, read_lexicon
from clinner_spacy.errors import ClinnerError

NEG = {"category": "NEGATED_EXISTENCE", "direction": "FORWARD"}


def finder(*rules: dict, lang: str = "es") -> tuple[CueFinder, spacy.language.Language]:
    nlp = spacy.blank(lang)
    lexicon = parse_lexicon({"context_rules": [{"literal": "x", **NEG, **rule} for rule in rules]}, "test")
    return CueFinder(lexicon, nlp.vocab, nlp.tokenizer), nlp


def found(text: str, *rules: dict) -> list[str]:
    cues, nlp = finder(*rules)
    doc = nlp(text)
    return [doc[cue.start : cue.end].text for cue in cues.cues(doc)]


def test_the_longest_wins() -> None:
    rules = {"literal": "no"}, {"literal": "no se puede descartar"}, {"literal": "descartar"}
    assert found("No se puede descartar. Descartar, no.", *rules) == ["No se puede descartar", "Descartar", "no"]


def test_of_two_that_cross_the_first_wins() -> None:
    assert found("a b c", {"literal": "a b"}, {"literal": "b c"}) == ["a b"]


def test_two_categories_on_the_same_words() -> None:
    cues, nlp = finder({"literal": "antiguo"}, {"literal": "antiguo", "category": "HISTORICAL"})
    assert {cue.rule.category for cue in cues.cues(nlp("Antiguo"))} == {"NEGATED_EXISTENCE", "HISTORICAL"}


def test_patterns_of_tokens_and_of_characters() -> None:
    token = {"pattern": [{"LOWER": {"IN": ["niega", "negaba"]}}]}
    assert found("Negaba tos; fiebre: no.", token, {"pattern": r":\s*no"}) == ["Negaba", ": no"]


def test_a_pattern_that_spacy_refuses() -> None:
    with pytest.raises(ClinnerError, match="'x'"):
        finder({"pattern": [{"LOWR": "sin"}]})


def test_accents_may_be_missing_in_longer_words_only() -> None:
    assert spellings("né") == ["né"]
    assert spellings("fără") == ["fără", "fara"]
    assert spellings("absență") == ["absență", "absenţă", "absenta"]
    nlp = spacy.blank("ro")
    cues = CueFinder(read_lexicon(SHIPPED / "ro.json"), nlp.vocab, nlp.tokenizer)
    assert [len(cues.cues(nlp(text))) for text in ("fără febră", "fara febra", "FĂRĂ febră")] == [1, 1, 1]


def test_no_words() -> None:
    cues, nlp = finder({"literal": "no"})
    assert cues.cues(nlp("")) == [] and cues.section_names(nlp("")) == []


def test_made_in_a_memory_zone_it_serves_after_it() -> None:
    nlp = spacy.blank("es")
    with nlp.memory_zone():
        cues = CueFinder(read_lexicon(SHIPPED / "es.json"), nlp.vocab, nlp.tokenizer)
        inside = len(cues.cues(nlp("Sin fiebre, probable tos.")))
    assert inside == len(cues.cues(nlp("Sin fiebre, probable tos."))) == 3
