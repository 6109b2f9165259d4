from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinner_spacy.cli.languages import LANGUAGES, language_of, plain
from clinner_spacy.cli.model import build_nlp
from clinner_spacy.corpora.tsv import read_tsv
from clinner_spacy.errors import ClinnerError
from tests.cli.conftest import Run

NOTES = {
    "es": "El paciente refiere fiebre desde hace tres días y no presenta dolor en el pecho.",
    "en": "The patient was seen because of fever for three days and has no chest pain.",
    "it": "Il paziente è stato ricoverato per febbre che dura da tre giorni e l'esame non mostra altro.",
    "nl": "De patiënt heeft sinds drie dagen koorts en er is geen pijn op de borst.",
    "sv": "Patienten har haft feber i tre dagar och det finns ingen smärta i bröstet.",
    "cs": "Pacient má již tři dny horečku a nemá bolesti na hrudi, ale je unavený.",
    "ro": "Pacientul a fost internat pentru febră de trei zile și nu are dureri în piept.",
}


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_note_is_told_however_it_is_written(lang):
    for text in (NOTES[lang], NOTES[lang].upper(), plain(NOTES[lang]).upper()):
        assert language_of(text) == lang


def test_a_text_without_function_words_is_of_no_language():
    assert language_of("") == language_of("38,5 / 120-80\n") == "xx"


@pytest.mark.parametrize("lang", LANGUAGES)
def test_words_and_mentions_are_those_of_the_language(lang):
    auto, own = (build_nlp(lang=name)(NOTES[lang]) for name in ("auto", lang))
    assert [token.text for token in auto] == [token.text for token in own]
    spans = [[(span.label_, span.start_char, span.end_char) for span in doc.spans["sc"]] for doc in (auto, own)]
    assert spans[0] == spans[1] != []


AUTO_NLP = build_nlp(lang="auto")


@settings(max_examples=50, deadline=None)
@given(st.text())
def test_a_text_stays_as_it_is(text):
    assert AUTO_NLP.make_doc(text).text == text


def test_a_mixed_folder_by_several_processes(run: Run, tmp_path: Path) -> None:
    for lang, text in NOTES.items():
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / f"{lang}.txt").write_text(text, encoding="utf8")
    for n in (1, 2):
        result = run("predict", tmp_path / "in", tmp_path / f"{n}.tsv", "--lang", "auto", "--n-process", n)
        assert result.exit_code == 0, result.output
    one, two = (list(read_tsv(tmp_path / f"{n}.tsv")) for n in (1, 2))
    assert one == two != []


def test_what_does_not_go_with_auto_is_refused():
    with pytest.raises(ClinnerError, match="leave one out"):
        build_nlp(lang="auto", words="whitespace")
    with pytest.raises(ClinnerError, match="must know the language"):
        build_nlp(lang="auto", assertion=True)
