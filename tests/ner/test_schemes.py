from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinner_spacy.errors import ClinnerError
from clinner_spacy.ner.schemes import scheme_of, spans_of

Spans = list[tuple[int, int, str]]

#: How each scheme tags a word: alone, first, in the middle, last.
LETTERS = {"BIO": "BBII", "BILOU": "UBIL", "BIOES": "SBIE"}


def encode(spans: Spans, words: int, scheme: str, joint: str) -> list[str]:
    alone, first, middle, last = LETTERS[scheme]
    tags = ["O"] * words
    for start, end, label in spans:
        letters = alone if end - start == 1 else first + middle * (end - start - 2) + last
        tags[start:end] = [letter + joint + label for letter in letters]
    return tags


@st.composite
def tagged(draw: st.DrawFn) -> tuple[Spans, int]:
    spans: Spans = []
    word = 0
    for gap, length in draw(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 4)), max_size=8)):
        start = word + gap
        word = start + length
        spans.append((start, word, draw(st.sampled_from(["DRUG", "B-cell", "a_b", "X"]))))
    return spans, word + draw(st.integers(0, 2))


@given(tagged(), st.sampled_from(sorted(LETTERS)), st.sampled_from("-_"))
def test_decoding_gives_back_what_was_encoded(case: tuple[Spans, int], scheme: str, joint: str) -> None:
    spans, words = case
    assert spans_of(encode(spans, words, scheme, joint), scheme) == spans


@given(st.lists(st.sampled_from(["O", "B-X", "I-X", "L-X", "U-X", "I-Y", "L-Y"])))
def test_any_tags_give_spans_in_order_and_apart(tags: Sequence[str]) -> None:
    ends = [place for start, end, _ in spans_of(tags, "BILOU") for place in (start, end)]
    assert ends == sorted(ends) and all(0 <= place <= len(tags) for place in ends)


def test_iob1_is_read_as_bio() -> None:
    assert spans_of(["I-X", "I-X", "B-X", "O", "I-X", "I-Y"], "BIO") == [
        (0, 2, "X"),
        (2, 3, "X"),
        (4, 5, "X"),
        (5, 6, "Y"),
    ]


@pytest.mark.parametrize(
    ("tags", "scheme"),
    [
        (["O", "B-X", "I-X"], "BIO"),
        (["O"], "BIO"),
        (["O", "B_X", "I_X", "[PAD]", "<pad>"], "BIO"),
        (["O", "I-X", "I-Y"], "IO"),
        (["O", "DRUG", "DOSE"], "IO"),
        (["O", "B-X", "I-X", "L-X", "U-X"], "BILOU"),
        (["O", "B-X", "I-X", "E-X", "S-X"], "BIOES"),
    ],
)
def test_schemes_are_recognised(tags: list[str], scheme: str) -> None:
    assert scheme_of(tags) == scheme


def test_bare_labels_are_spans() -> None:
    assert spans_of(["DRUG", "DRUG", "O", "DOSE", "DRUG"], "IO") == [(0, 2, "DRUG"), (3, 4, "DOSE"), (4, 5, "DRUG")]


@pytest.mark.parametrize(
    "tags",
    [
        ["O", "B-X", "DRUG"],
        ["LABEL_0", "LABEL_1"],
        ["O", "X-B", "X-I"],
        ["O", "B-", "I-"],
        ["O", "S_"],
        ["B-X", "L-X", "E-X"],
        ["DRUG", "DOSE"],
    ],
)
def test_tags_of_no_scheme_are_refused_without_showing_them(tags: list[str]) -> None:
    with pytest.raises(ClinnerError, match="scheme") as error:
        scheme_of(tags)
    assert not any(tag in str(error.value) for tag in tags if len(tag) > 1)


def test_a_tag_outside_the_scheme_is_refused() -> None:
    with pytest.raises(ClinnerError, match="none of the BIO scheme"):
        spans_of(["B-X", "E-X"], "BIO")
