"""A line end means the same however it is spelled, and a byte order mark is no part of a mention."""

from __future__ import annotations

import pickle
import re

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.language import Language

from clinner_spacy.pipeline.marks import read_marks_alike
from tests.pipeline.conftest import NOTES
from tests.tiny import save_tagger

Mentions = list[tuple[int, int, str]]

WORDS = ["fiebre", "diabetes mellitus tipo 2", "biopsia de pulmón", "tos", "dolor torácico", "Refiere", "y", "."]


@pytest.fixture(scope="module")
def embedded() -> Language:
    nlp = spacy.blank("es")
    list(nlp.pipe(["antes\r\nde que hubiera\r un componente \ufeff"]))  # what was met before is read alike, too
    nlp.add_pipe("multiclin_ner")
    return nlp


@pytest.fixture(scope="module")
def transformer(tmp_path_factory: pytest.TempPathFactory) -> Language:
    nlp = spacy.blank("es")
    tags = ("O", "B-X", "I-X")
    checkpoint = str(save_tagger(tmp_path_factory.mktemp("tagger"), "bert", tags))
    nlp.add_pipe("multiclin_ner", config={"checkpoint": checkpoint, "precision": "fp32"})
    return nlp


def mentions(nlp: Language, text: str) -> Mentions:
    doc = nlp(text)
    assert doc.text == text
    return [(span.start_char, span.end_char, span.label_) for span in doc.spans["sc"]]


def spell(text: str, end: str) -> tuple[str, list[int]]:
    """``text`` with its line ends spelled so, and where each of its characters (and its end) then stands."""
    parts = [end if char == "\n" else char for char in text]
    places = [0]
    for part in parts:
        places.append(places[-1] + len(part))
    return "".join(parts), places


def check(nlp: Language, text: str) -> None:
    found = mentions(nlp, text)
    for end in ("\r\n", "\r"):
        other, places = spell(text, end)
        assert mentions(nlp, other) == [(places[a], places[b], label) for a, b, label in found]


TEXTS = st.lists(st.sampled_from([*WORDS, *WORDS, "\n", "\n", "\n\n", " \n ", " ", ", "]), max_size=25).map("".join)


@given(TEXTS)
@settings(deadline=None, max_examples=100)
def test_line_ends_of_a_trained_pipeline(nlp: Language, text: str) -> None:
    check(nlp, text)


@given(TEXTS)
@settings(deadline=None, max_examples=60)
def test_line_ends_of_the_embedded_model(embedded: Language, text: str) -> None:
    check(embedded, text)


@given(TEXTS)
@settings(deadline=None, max_examples=25)
def test_line_ends_of_a_transformer(transformer: Language, text: str) -> None:
    check(transformer, text)


def test_the_issues_example(embedded: Language) -> None:
    for end in ("\n", "\r\n", "\r", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"):
        doc = embedded(f"fiebre{end}tos")
        assert [span.text for span in doc.spans["sc"]] == ["fiebre", "tos"]


@given(TEXTS, st.integers(0, 3))
@settings(deadline=None, max_examples=60)
def test_a_mark_is_no_part_of_a_mention(embedded: Language, text: str, where: int) -> None:
    marked = "\ufeff" + re.sub(r"\n", "\n\ufeff", text)
    doc = embedded(marked)
    assert doc.text == marked
    for span in doc.spans["sc"]:
        assert not span.text.startswith("\ufeff") and not span.text.endswith("\ufeff")


def test_a_mark_before_a_note_hides_nothing(embedded: Language, nlp: Language) -> None:
    for text, _ in NOTES:
        moved = [(a + 1, b + 1, label) for a, b, label in mentions(nlp, text)]
        assert mentions(nlp, "\ufeff" + text) == moved
    doc = embedded("\ufefffiebre\ny tos")
    assert [span.text for span in doc.spans["sc"]] == ["fiebre", "tos"]


def test_it_survives_saving_and_pickling(nlp: Language, tmp_path) -> None:
    nlp.to_disk(tmp_path / "saved")
    for other in (spacy.load(tmp_path / "saved"), pickle.loads(pickle.dumps(nlp))):
        check(other, "Paciente con fiebre\ny diabetes mellitus tipo 2.")
        assert [token.text for token in other.tokenizer("\ufefftos")] == ["\ufeff", "tos"]


def test_again_changes_nothing(nlp: Language) -> None:
    before = [getattr(nlp.tokenizer, name).__self__.pattern for name in ("prefix_search", "infix_finditer")]
    read_marks_alike(nlp)
    assert [getattr(nlp.tokenizer, name).__self__.pattern for name in ("prefix_search", "infix_finditer")] == before
    assert not any(hasattr(getattr(g, "getter", None), "getter") for g in nlp.vocab.lex_attr_getters.values())
