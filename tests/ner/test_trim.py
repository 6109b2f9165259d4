from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinner_spacy.ner.trim import trim


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("fiebre", "fiebre"),
        (" «fiebre», ", "fiebre"),
        ("(fiebre ) .", "fiebre"),
        ("\u00a0¿dolor?\u2009…", "dolor"),
        ("TC (abdomen)", "TC (abdomen"),
        ("+++", "+++"),  # a symbol is no punctuation
        (" .-\n", ""),
        ("", ""),
    ],
)
def test_trims_until_neither_is_left(text: str, left: str) -> None:
    start, end = trim(text, 0, len(text))
    assert text[start:end] == left


@given(st.text(st.sampled_from("a b.,«»\u00a0\u3000-\n"), max_size=20), st.integers(0, 20), st.integers(0, 20))
def test_stays_inside_and_is_done_in_one_go(text: str, a: int, b: int) -> None:
    before, after = sorted((min(a, len(text)), min(b, len(text))))
    start, end = trim(text, before, after)
    assert before <= start <= end <= after
    assert trim(text, start, end) == (start, end)
    dropped = text[before:start] + text[end:after]
    assert all(char.isspace() or unicodedata.category(char).startswith("P") for char in dropped)
