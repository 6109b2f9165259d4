"""Spellings of one name are one, and names that differ stay two."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinner_spacy.linking.normalize import expand, fold, text_hash, word_key


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("  Nódulo\n PULMONAR ", "nodulo pulmonar"),
        ("Carcinoma (pT2-N0)", "carcinoma pt2 n0"),
        ("søvnløshed", "sovnloshed"),
        ("Straße", "strasse"),
        ("ﬁbrosis", "fibrosis"),
        ("+", "+"),
        ("HER2+/RE-, p53 +++", "her2+ re- p53 +++"),
        ("HER2−", "her2-"),
        ("post-operatorio - dolor", "post operatorio dolor"),
        ("FE <50%, Ki67 >= 20", "fe < 50 ki67 ≥ 20"),
        ("Gleason 3+4", "gleason 3 + 4"),
        ("-_-", "-_-"),
        (" ", ""),
    ],
)
def test_fold(text: str, folded: str) -> None:
    assert fold(text) == folded


@given(st.text(max_size=30))
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@pytest.mark.parametrize(
    ("lang", "one", "other"),
    [
        ("es", "nodulos pulmonares", "pulmonar nodulo"),
        ("es", "metastasico", "metastasicas"),
        ("en", "abdominal pains", "pain abdominal"),
        ("es", "cicatrices", "cicatriz"),
        ("es", "indices", "indice"),
        ("en", "neuropathies", "neuropathy"),
        ("en", "metastases", "metastasis"),
        ("en", "diseases", "disease"),
        ("en", "masses", "mass"),
        ("en", "viruses", "virus"),
        ("en", "nodules", "nodule"),
        ("it", "noduli polmonari", "nodulo polmonare"),
        ("nl", "ontstekingen", "ontsteking"),
        ("sv", "lungtumorer", "lungtumor"),
        ("cs", "nadory", "nador"),
        ("ro", "tumorile", "tumora"),
        ("xx", "tumor benigno", "benigno tumor"),
    ],
)
def test_inflection_and_order(lang: str, one: str, other: str) -> None:
    assert word_key(one, lang) == word_key(other, lang)


@pytest.mark.parametrize(
    ("lang", "one", "other"),
    [
        ("es", "gleason 3 4", "gleason 4 3"),
        ("xx", "tumor", "tumors"),
        ("es", "tos", "to"),
        ("es", "asma", "asmo"),
        ("en", "hairy", "hair"),
    ],
)
def test_what_stays_two(lang: str, one: str, other: str) -> None:
    assert word_key(one, lang) != word_key(other, lang)


def test_abbreviations_are_whole_words() -> None:
    assert expand("hta y ahta", {"hta": "hipertension arterial"}) == "hipertension arterial y ahta"


def test_hashes_do_not_depend_on_the_process() -> None:
    assert text_hash("tos") == 0xD8E6B661102C98A2
