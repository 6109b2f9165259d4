"""Mentions and the codes they get: stage by stage, labels, several codes for one term, and what is never guessed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinner_spacy.linking.index import Index, build_index
from clinner_spacy.linking.linker import Candidate, Linker, Mention
from clinner_spacy.linking.terminology import Term, Terminology


def best(linker: Linker, text: str, label: str = "") -> Candidate | None:
    (found,) = linker([Mention(text, label)], 3)
    return found[0] if found else None


@pytest.mark.parametrize(
    ("text", "code", "score"),
    [
        ("nodulo  PULMONAR", "D2", 1.0),
        ("Nódulos pulmonares", "D2", 0.95),
        ("diabetes mellitus de tipo 2", "D1", None),
        ("fiebres", "D3", 0.95),
    ],
)
def test_stages(index: Index, text: str, code: str, score: float | None) -> None:
    found = best(Linker(index), text)
    assert found is not None and found.code == code
    assert found.score == pytest.approx(score) if score else 0.6 < found.score < 0.95


def test_each_stage_alone(index: Index) -> None:
    for stage, text in (("exact", "Fiebre"), ("inflected", "pulmonar nódulo"), ("fuzzy", "radiografía del tórax")):
        for used in ("exact", "inflected", "fuzzy"):
            found = Linker(index, stages=[used])([Mention(text)], 1)[0]
            assert bool(found) == (used == "fuzzy" or stage == used or (stage, used) == ("exact", "inflected"))


def test_abbreviations(index: Index) -> None:
    linker = Linker(index, abbreviations={"RX": "radiografía"})
    assert best(linker, "Rx de tórax") == Candidate("P1", "Radiografía de tórax", 1.0)
    assert best(linker, "DM2") == Candidate("D1", "DM2", 1.0)


def test_two_codes_for_one_term(index: Index) -> None:
    (found,) = Linker(index)([Mention("catarro")], 3)
    assert [(c.code, c.score) for c in found] == [("A2", 1.0), ("A1", pytest.approx(0.1))]
    equal = build_index(Terminology([Term("X", "tos"), Term("Y", "tos")]), lang="es")
    assert [tuple(c) for c in Linker(equal)([Mention("tos")], 3)[0]] == [("X", "tos", 1.0), ("Y", "tos", 1.0)]


def test_spellings_of_one_name_speak_together() -> None:
    mentions = [Term("A", text, times=2) for text in ("Tos", "tos", "TOS")] + [Term("B", "tos", times=4)]
    linker = Linker(build_index(Terminology([]), lang="es", mentions=mentions))
    (found,) = linker([Mention("tos")], 3)
    assert [tuple(c) for c in found] == [("A", "Tos", 1.0), ("B", "tos", pytest.approx(4 / 6))]


def test_signs_tell_names_apart() -> None:
    terms = [Term("A", "HER2+"), Term("B", "HER2-"), Term("C", "FE > 50"), Term("D", "FE < 50")]
    linker = Linker(build_index(Terminology(terms), lang="es"))
    found = [best(linker, text) for text in ("her2-", "HER2 +++", "FE <50 %")]
    assert [c and (c.code, c.score == 1) for c in found] == [("B", True), ("A", False), ("D", True)]


def test_labels(index: Index) -> None:
    linker = Linker(index, labels={"DISEASE": ["disorder"]})
    assert best(linker, "fiebre", "SYMPTOM") == Candidate("D3", "Fiebre", 1.0)
    assert [c.code for c in linker([Mention("fiebre", "DISEASE")], 5)[0] if c.score > 0.2] == []
    found = best(linker, "diabetes", "DISEASE")
    assert found is not None and found.code == "D1"


@pytest.mark.parametrize("name", ["fiebres", "fiebre alta", "fiebre reumática"])
def test_a_name_that_is_not_allowed_hides_no_other(name: str) -> None:
    far = [Term(f"S{n}", f"fiebre {word}", "symptom") for n, word in enumerate(map(str, range(100)))]
    terms = [Term("S", "fiebre", "symptom"), Term("D", name, "disorder"), *far]
    linker = Linker(build_index(Terminology(terms), lang="es"), labels={"DISEASE": ["disorder"]})
    found = [best(linker, "fiebre", label) for label in ("SYMPTOM", "DISEASE")]
    assert [c and c.code for c in found] == ["S", "D"]


def test_a_term_without_label_and_annotators_synonyms_are_of_any() -> None:
    terms = [Term("A", "tos"), Term("B", "tos seca", "finding")]
    mentions = [Term("C", "tosecilla", "SYMPTOM", times=1)]
    linker = Linker(build_index(Terminology(terms), lang="es", mentions=mentions), labels={"SYMPTOM": ["none"]})
    assert [best(linker, text, "SYMPTOM") is not None for text in ("tos", "tosecilla")] == [True, True]
    assert all(c.code != "B" for c in linker([Mention("tos seca", "SYMPTOM")], 5)[0])


def test_nothing_alike(index: Index) -> None:
    assert Linker(index)([Mention("xyzw"), Mention(""), Mention("  \n")], 3) == [[], [], []]


@given(st.lists(st.text(max_size=20), max_size=4), st.integers(1, 4))
def test_any_text(texts: list[str], k: int) -> None:
    linker = Linker(build_index(Terminology([Term("A", "tos"), Term("B", "tos seca")]), lang="es"))
    found = linker([Mention(text) for text in texts], k)
    assert len(found) == len(texts)
    for candidates in found:
        scores = [c.score for c in candidates]
        assert len(scores) <= k and scores == sorted(scores, reverse=True)
        assert all(0 < score <= 1 for score in scores)
