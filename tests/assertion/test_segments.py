"""Where a scope must end."""

from __future__ import annotations

import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st

from clinner_spacy.assertion.segments import find_segments

nlp = spacy.blank("en")


def segments(text: str) -> list[str]:
    doc = nlp(text)
    found = find_segments(doc)
    return [doc[start:end].text.strip() for start, end in zip(found.start, found.end, strict=True)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("No fever. Cough!", ["No fever.", "Cough!"]),
        ("Fever; cough", ["Fever;", "cough"]),
        ("Seen approx. three times", ["Seen approx. three times"]),  # no new sentence begins in lower case
        ("No fever\nCough", ["No fever", "Cough"]),
        ("No signs of\ninfection", ["No signs of\ninfection"]),  # a line that goes on
        ("No fever\n\ncough", ["No fever", "cough"]),
        ("No fever\n- cough\n- pain", ["No fever", "- cough", "- pain"]),
        ("No fever\n1. cough\n2) pain", ["No fever", "1. cough", "2) pain"]),
        ("Denies:\n- fever\n- cough\n\nPain", ["Denies:\n- fever\n- cough", "Pain"]),
        ("Denies:\nfever\nCough", ["Denies:\nfever", "Cough"]),
        ("No fever\r\nCough", ["No fever", "Cough"]),
        ("\n\n", [""]),
        ("", []),
    ],
)
def test_segments(text: str, expected: list[str]) -> None:
    assert segments(text) == expected


def test_sentences_of_the_pipeline_are_kept_and_lines_added() -> None:
    doc = nlp("One. two three\nFour")
    for token in doc:
        token.is_sent_start = token.i in (0, 3)
    found = find_segments(doc)
    assert [doc[i].text for i in found.start] == ["One", "three", "Four"]


@given(st.text(alphabet="aB .:;?-\n\r1", max_size=60))
def test_segments_cover_every_word_once(text: str) -> None:
    doc = nlp.make_doc(text)
    found = find_segments(doc)
    assert len(found.of_word) == len(doc)
    words = [word for start, end in zip(found.start, found.end, strict=True) for word in range(start, end)]
    assert words == list(range(len(doc)))
    assert all(found.start[found.of_word[word]] <= word < found.end[found.of_word[word]] for word in words)
