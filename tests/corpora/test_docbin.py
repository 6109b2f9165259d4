"""Stored gold Docs as training data: words as stored, damage named."""

from __future__ import annotations

import pytest
import spacy
from spacy.tokens import DocBin, Span

from clinner_spacy.corpora.docbin import save_docs
from clinner_spacy.corpora.readers import create_docbin_reader
from clinner_spacy.errors import ClinnerError


@pytest.fixture
def corpus(tmp_path):
    """An English and a Spanish file: their tokenizers cut the same text differently."""
    for lang in ("en", "es"):
        doc = spacy.blank(lang)("Don't stop.\n")
        doc.spans["symptom"] = [Span(doc, 0, 1, "SYMPTOM")]
        doc.spans["disease"] = []
        save_docs(tmp_path / f"{lang}.spacy", [doc])
    return tmp_path


def test_each_doc_keeps_the_words_of_its_language(corpus):
    examples = list(create_docbin_reader([str(corpus)])(spacy.blank("xx")))
    assert len(examples[0].predicted) != len(examples[1].predicted)
    assert all([t.text for t in e.predicted] == [t.text for t in e.reference] for e in examples)
    assert all(e.predicted.text == e.reference.text == "Don't stop.\n" for e in examples)
    assert all(set(e.reference.spans) == {"symptom", "disease"} and not e.predicted.spans for e in examples)


def test_limit(corpus):
    assert len(list(create_docbin_reader([str(corpus)], limit=1)(spacy.blank("xx")))) == 1


@pytest.mark.parametrize("damage", ["missing", "empty folder", "garbage", "no span groups"])
def test_what_cannot_be_learned_from_is_named(tmp_path, damage):
    path = tmp_path / "gold.spacy"
    if damage == "garbage":
        path.write_bytes(b"not a DocBin")
    elif damage == "no span groups":
        DocBin(docs=[spacy.blank("es")("Sin nada.")]).to_disk(path)
    elif damage == "empty folder":
        path.mkdir()
    with pytest.raises(ClinnerError, match=r"gold\.spacy"):
        list(create_docbin_reader([str(path)])(spacy.blank("es")))
