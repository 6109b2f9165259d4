"""A tagger's spans -> scopes, and scopes of a tagger and of rules together."""

from __future__ import annotations

from clinner_spacy.assertion.cues import Cue
from clinner_spacy.assertion.lexicon import Rule
from clinner_spacy.assertion.scopes import Scope
from clinner_spacy.assertion.tagged import join, pair_cues
from clinner_spacy.ner.decode import Prediction

NEGATED, UNCERTAIN, FAMILY = "NEGATED_EXISTENCE", "POSSIBLE_EXISTENCE", "FAMILY"


def pairs(*found: tuple[int, int, str]) -> list[tuple[int, int, int, int]]:
    scopes = pair_cues(Prediction(start, end, label, 0.9, "negation") for start, end, label in found)
    return [(s.start, s.end, s.cue_start, s.cue_end) for s in scopes]


def test_a_scope_has_the_nearest_cue() -> None:
    assert pairs((0, 1, "NEG"), (1, 4, "NSCO"), (6, 7, "NEG"), (7, 9, "NSCO")) == [(1, 4, 0, 1), (7, 9, 6, 7)]
    assert pairs((0, 1, "NEG"), (5, 8, "NSCO"), (8, 9, "NEG")) == [(5, 8, 8, 9)]
    assert pairs((0, 1, "NEG"), (1, 3, "NSCO"), (3, 4, "NEG")) == [(1, 3, 0, 1)]  # as near: the one before


def test_cues_of_another_kind_do_not_count_and_a_scope_may_have_none() -> None:
    assert pairs((0, 1, "UNC"), (1, 3, "NSCO")) == [(1, 3, 1, 1)]
    assert pairs((0, 1, "NEG")) == []


def test_tagger_and_rules_together() -> None:
    tagged = [Scope(NEGATED, 1, 3, 0, 1, 0.9), Scope(NEGATED, 6, 8, 5, 6, 0.9)]
    after = Scope(NEGATED, 6, 8, 5, 6, 1.0)
    before = Scope(NEGATED, 8, 10, 10, 12, 1.0)
    family = Scope(FAMILY, 1, 3, 0, 1, 1.0)
    pseudo = Cue(0, 2, Rule("no solo", NEGATED, "PSEUDO"))
    assert join(tagged, [after, before, family], [], []) == [*tagged, before, family]
    assert join(tagged, [], [pseudo], []) == tagged[1:]
    assert join(tagged, [], [Cue(0, 2, Rule("x", FAMILY, "PSEUDO"))], []) == tagged


def test_rules_tell_what_goes_over_a_line_end() -> None:
    inside, over, below = (Scope(NEGATED, *words, 0, 1, 1.0) for words in ((1, 3), (1, 6), (5, 6)))
    assert join([], [inside, over, below], [], lines=[4]) == [over, below]


def test_a_longer_cue_of_doubt_is_no_denial() -> None:
    tagged = [Scope(NEGATED, 3, 5, 0, 1, 0.9), Scope(NEGATED, 8, 9, 7, 8, 0.9)]
    doubt, other = (Scope(UNCERTAIN, *words, 1.0) for words in ((3, 5, 0, 3), (8, 9, 6, 7)))
    cues = [Cue(0, 3, Rule("no se descarta", UNCERTAIN, "FORWARD")), Cue(6, 7, Rule("posible", UNCERTAIN, "FORWARD"))]
    assert join(tagged, [doubt, other], cues, []) == [tagged[1], doubt]
