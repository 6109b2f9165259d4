"""Texts as they come: empty, enormous, in another script, with characters that have no width."""

from __future__ import annotations

import pytest
import spacy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc, DocBin

from .conftest import NOTES

NOTE = NOTES[0][0]

STRANGE = {
    "empty": "",
    "blank": " \n\t \r\n",
    "line ends": NOTE.replace(" ", "\r\n"),
    "NUL": f"\x00{NOTE}\x00",
    "zero width": f"\u200b{NOTE}\u200b\ufeff",
    "inside a mention": NOTE.replace("diabetes ", "diabetes \u200b "),
    "combining": "Paciente con cefale\u0301a y fiebre.",
    "emoji": f"😷 {NOTE} 👩🏽‍⚕️",
    "another script": "Пациент с лихорадкой. 患者は発熱。 المريض يعاني من الحمى",
}


def check(doc: Doc, text: str) -> None:
    """Every span lies in the text as given, at words that can be seen, with a score."""
    assert doc.text == text
    group = doc.spans["sc"]
    assert len(group.attrs["scores"]) == len(group)
    for span in group:
        assert 0 <= span.start_char < span.end_char <= len(text)
        assert text[span.start_char : span.end_char] == span.text
        assert not span[0].is_space and not span[-1].is_space


@pytest.mark.parametrize("text", STRANGE.values(), ids=STRANGE)
def test_strange_text(nlp, text):
    check(nlp(text), text)


def test_transparent_words_do_not_break_a_mention(nlp):
    doc = nlp(STRANGE["inside a mention"])
    assert "diabetes \u200b mellitus tipo 2" in [span.text for span in doc.spans["sc"]]


def test_empty_beside_full(nlp):
    texts = ["", NOTE, " ", NOTE, ""]
    for text, doc in zip(texts, nlp.pipe(texts), strict=True):
        check(doc, text)
    assert not list(nlp("").spans["sc"])


def test_one_word_of_a_million_characters(nlp):
    text = "a" * 999_000
    check(nlp(text), text)


@pytest.mark.slow
def test_a_document_of_a_million_words():
    nlp = spacy.blank("es")
    nlp.add_pipe("multiclin_ner")
    nlp.max_length = 10**8
    text = f"{NOTE} " * 112_000
    doc = nlp(text)
    assert len(doc) > 1_000_000
    check(doc, text)
    labels = [span.label_ for span in doc.spans["sc"]]
    assert labels.count("SYMPTOM") >= 112_000


ODD = [" ", "\n", "\r\n", "\x00", "\u200b", "\u0301", "😷", ".", ",", "ş", "(", "TAC"]
PIECES = st.sampled_from([*NOTE.split(), *ODD])


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.one_of(PIECES, st.text(max_size=5)), max_size=30))
def test_any_text(nlp, pieces):
    text = " ".join(pieces)
    doc = nlp(text)
    check(doc, text)
    back = Doc(nlp.vocab).from_bytes(doc.to_bytes())
    (binned,) = DocBin(docs=[doc]).get_docs(nlp.vocab)
    for other in (back, binned):
        rows = [(s.start, s.end, s.label_) for s in other.spans["sc"]] if "sc" in other.spans else []
        assert rows == [(s.start, s.end, s.label_) for s in doc.spans["sc"]]
        if rows:
            assert (other.spans["sc"].attrs["scores"] == doc.spans["sc"].attrs["scores"]).all()
