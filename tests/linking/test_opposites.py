"""Names that are spelled like a mention and say something else get no code; those that say the same do."""

from __future__ import annotations

import pytest

from clinner_spacy.linking.index import build_index
from clinner_spacy.linking.linker import Linker, Mention
from clinner_spacy.linking.normalize import fold
from clinner_spacy.linking.opposites import contradict, said_by
from clinner_spacy.linking.terminology import Term, Terminology


@pytest.mark.parametrize(
    ("lang", "mention", "name"),
    [
        ("es", "Hipopotasemia", "Hiperpotasemia"),
        ("es", "Diabetes mellitus tipo 2", "Diabetes mellitus tipo 1"),
        ("es", "Diabetes mellitus tipo II", "Diabetes mellitus tipo I"),
        ("es", "ERC", "ERC estadio 3"),
        ("es", "Otitis izquierda", "Otitis derecha"),
        ("es", "fracción de eyección < 50", "fracción de eyección > 50"),
        ("es", "HER2+", "HER2-"),
        ("en", "benign neoplasm", "malignant neoplasm"),
        ("en", "hepatitis B", "hepatitis C"),
        ("it", "iperkaliemia", "ipokaliemia"),
        ("nl", "linker long", "rechter long"),
        ("sv", "vänster lunga", "höger lunga"),
        ("cs", "nezhoubný nádor", "zhoubný nádor"),
        ("ro", "plămânul stâng", "plămânul drept"),
    ],
)
def test_what_contradicts(lang: str, mention: str, name: str) -> None:
    one, other = said_by(fold(mention), lang), said_by(fold(name), lang)
    assert contradict(one, other) and contradict(other, one)


@pytest.mark.parametrize(
    ("lang", "mention", "name"),
    [
        ("es", "Diabetes mellitus tipo II", "diabetes de tipo 2"),
        ("es", "tumor maligno", "tumor de mama"),
        ("es", "dolor en ambos brazos, izquierdo y derecho", "dolor en el brazo derecho"),
        ("es", "estadio 03", "estadio 3"),
        ("it", "infezione i polmoni", "infezione polmoni"),
        ("sv", "smärta i knä", "smärta knä"),
        ("en", "copyright", "copyleft"),
    ],
)
def test_what_does_not(lang: str, mention: str, name: str) -> None:
    assert not contradict(said_by(fold(mention), lang), said_by(fold(name), lang))


def test_a_concept_that_is_absent_stays_without_a_likely_code() -> None:
    names = ["Hiperpotasemia", "Diabetes mellitus tipo 1", "Neoplasia maligna de mama", "ERC estadio 3"]
    linker = Linker(build_index(Terminology([Term(f"C{n}", name) for n, name in enumerate(names)]), lang="es"))
    asked = ["Hipopotasemia", "Diabetes mellitus tipo 2", "Neoplasia benigna de mama", "ERC estadio 5"]
    for name, found in zip(names, linker([Mention(text) for text in asked], 5), strict=True):
        assert {c.term: 0 < c.score < 0.4 for c in found}[name]
        assert found[0].score < linker.threshold


def test_a_name_that_says_the_same_comes_before_a_nearer_one() -> None:
    terms = [Term("A", "Diabetes mellitus tipo 1"), Term("B", "Diabetes tipo II")]
    linker = Linker(build_index(Terminology(terms), lang="es"))
    (found,) = linker([Mention("Diabetes mellitus tipo 2")], 2)
    assert [c.code for c in found] == ["B", "A"]
