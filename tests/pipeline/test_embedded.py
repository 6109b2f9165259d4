"""The model that ships inside: what it says it knows, and texts as hospitals write them."""

from __future__ import annotations

from pathlib import Path

import pytest
import spacy
from spacy.language import Language

HEADINGS = [
    line.split("\t") for line in (Path(__file__).parent / "headings.tsv").read_text(encoding="utf8").splitlines()
]
LANGUAGES = ("es", "en", "it", "nl", "sv", "cs", "ro")


@pytest.fixture(scope="module")
def pipelines() -> dict[str, Language]:
    found = {lang: spacy.blank(lang) for lang in LANGUAGES}
    for nlp in found.values():
        nlp.add_pipe("multiclin_ner")
    return found


def found(nlp: Language, text: str) -> list[tuple[str, str]]:
    doc = nlp(text)
    return [(span.label_, span.text) for span in doc.spans["sc"]]


def test_the_card_names_languages_and_licence(pipelines):
    component = pipelines["es"].get_pipe("multiclin_ner")
    component.load()
    assert component.about["languages"] == list(LANGUAGES)
    assert component.about["license"] == "CC BY-SA 4.0"
    assert set(component.tasks) == {"disease", "symptom", "procedure", "drug"}


@pytest.mark.parametrize(
    ("lang", "text", "wanted"),
    [
        ("es", "Varón con fiebre y neumonía; se da amoxicilina.", {"SYMPTOM": "fiebre", "DRUG": "amoxicilina"}),
        ("en", "A man with fever was given amoxicillin.", {"SYMPTOM": "fever", "DRUG": "amoxicillin"}),
        ("it", "Uomo con febbre, trattato con amoxicillina.", {"SYMPTOM": "febbre", "DRUG": "amoxicillina"}),
        ("nl", "Man van 60 jaar met koorts en pneumonie.", {"SYMPTOM": "koorts", "DISEASE": "pneumonie"}),
        ("sv", "60-årig man med feber och pneumoni.", {"SYMPTOM": "feber", "DISEASE": "pneumoni"}),
        ("cs", "Muž, 60 let, s horečkou a pneumonií.", {"SYMPTOM": "horečkou", "DISEASE": "pneumonií"}),
        ("ro", "Bărbat de 60 de ani cu febră și pneumonie.", {"SYMPTOM": "febră", "DISEASE": "pneumonie"}),
    ],
)
def test_each_language(pipelines, lang, text, wanted):
    assert set(wanted.items()) <= set(found(pipelines[lang], text))


@pytest.mark.parametrize(("lang", "heading"), HEADINGS, ids=[heading for _, heading in HEADINGS])
def test_no_heading_is_a_mention(pipelines, lang, heading):
    for text in (f"{heading}:", f"{heading}\n", f"{heading.upper()}\n", f"{heading.upper()}:"):
        assert found(pipelines[lang], text) == []


def test_names_and_cues_are_no_mentions(pipelines):
    assert found(pipelines["es"], "Firmado: Dra. Dolores Fuertes") == []
    assert found(pipelines["es"], "Niega fiebre.") == [("SYMPTOM", "fiebre")]
