"""From scopes to mentions: heads, cues within, coordination, lists and line ends, in every language that has it."""

from __future__ import annotations

from functools import cache

import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.language import Language
from spacy.tokens import Doc

from clinner_spacy.assertion.categories import CATEGORIES
from clinner_spacy.assertion.mentions import assert_spans
from clinner_spacy.assertion.scopes import Scope
from tests.assertion.cases import parse, with_mentions

nlp = spacy.blank("en")


@cache
def pipeline(lang: str, checkpoint: str | None) -> Language:
    nlp = spacy.blank(lang)
    nlp.add_pipe("clinical_assertion", config={"checkpoint": checkpoint})
    return nlp


def check(lang: str, text: str, checkpoint: str | None = None) -> None:
    case = parse({"lang": lang, "kind": "", "part": "", "text": text})
    nlp = pipeline(lang, checkpoint)
    doc = nlp(with_mentions(case, nlp))
    said = [
        (span.text, {name for name in ("negated", "uncertain", "family") if span._.get(f"is_{name}")})
        for span in doc.spans["sc"]
    ]
    assert said == [(case.text[start:end], set(expected)) for start, end, expected in case.mentions]


@pytest.mark.parametrize(
    ("lang", "text"),
    [
        # The mention holds its cue: its head is what is left. A mention that is a cue says itself what is not there.
        ("es", "[Ausencia de fiebre|negated]; [afebril]; [no fiebre|negated]"),
        ("en", "[Absence of fever|negated]; [afebrile]; [no fever|negated]"),
        ("it", "[Assenza di febbre|negated]; [apiretico]; [non febbre|negated]"),
        ("ro", "[Absența febrei|negated]; [afebril]; [fără febră|negated]"),
        ("nl", "[Afwezigheid van koorts|negated]; [afebriel]; [geen koorts|negated]"),
        ("sv", "[Frånvaro av feber|negated]; [afebril]; [ingen feber|negated]"),
        ("cs", "[Nepřítomnost horečky|negated]; [afebrilní]; [bez horečky|negated]"),
        # The head lies before the scope.
        ("es", "[dolor sin irradiación]"),
        ("en", "[pain without radiation]"),
        # A mention within a longer cue is under it.
        ("es", "sin [signos|negated] de [infección|negated]"),
        # Coordination.
        ("es", "sin [fiebre|negated], [tos|negated] ni [disnea|negated], con [dolor]"),
        ("en", "no [fever|negated], [cough|negated] or [dyspnea|negated], but [pain]"),
        ("it", "non [febbre|negated], [tosse|negated] né [dispnea|negated], ma [dolore]"),
        ("ro", "fără [febră|negated], [tuse|negated] sau [dispnee|negated], dar cu [durere]"),
        ("nl", "geen [koorts|negated], [hoest|negated] of [dyspneu|negated], maar wel [pijn]"),
        ("sv", "ingen [feber|negated], [hosta|negated] eller [dyspné|negated], men [smärta]"),
        ("cs", "bez [horečky|negated], [kašle|negated] či [dušnosti|negated], ale s [bolestí]"),
        # Double negation leaves doubt.
        ("es", "no se puede descartar [neumonía|uncertain]"),
        ("en", "[pneumonia|uncertain] cannot be excluded"),
        ("it", "non si può escludere [polmonite|uncertain]"),
        ("ro", "nu se poate exclude [pneumonia|uncertain]"),
        ("nl", "[pneumonie|uncertain] is niet uitgesloten"),
        ("sv", "kan inte utesluta [pneumoni|uncertain]"),
        ("cs", "nelze vyloučit [pneumonii|uncertain]"),
        # A denial that is denied affirms, and so does doubt.
        ("es", "no niega [consumo de alcohol]; no hay duda de [sepsis]"),
        ("en", "does not deny [alcohol abuse]; no doubt about [sepsis]"),
        ("it", "non nega [abuso di alcol]; nessun dubbio su [sepsi]"),
        ("ro", "nu neagă [consum de alcool]; fără îndoială [sepsis]"),
        ("nl", "ontkent niet [alcoholmisbruik]; geen twijfel over [sepsis]"),
        ("sv", "förnekar inte [alkoholmissbruk]; utan tvekan [sepsis]"),
        ("cs", "nepopírá [abúzus alkoholu]; bez pochyb [sepse]"),
        # Cues after the mention.
        ("es", "[Fiebre|negated]: no\n[Tos]: sí"),
        ("en", "[Fever|negated]: no\n[Cough]: yes"),
        ("it", "[Febbre|negated]: no\n[Tosse]: sì"),
        ("ro", "[Febră|negated]: nu\n[Tuse]: da"),
        ("nl", "[Koorts|negated]: nee\n[Hoest]: ja"),
        ("sv", "[Feber|negated]: nej\n[Hosta]: ja"),
        ("cs", "[Horečka|negated]: ne\n[Kašel]: ano"),
        # Line ends and lists.
        ("es", "Sin [fiebre|negated]\n[Tos]\nNiega:\n- [dolor|negated]\n- [disnea|negated]\n\n[Edema]"),
        ("en", "No [fever|negated]\n[Cough]\nDenies:\n- [pain|negated]\n- [dyspnea|negated]\n\n[Edema]"),
        ("it", "Senza [febbre|negated]\n[Tosse]\nNega:\n- [dolore|negated]\n- [dispnea|negated]\n\n[Edema]"),
        ("ro", "Fără [febră|negated]\n[Tuse]\nNeagă:\n- [durere|negated]\n- [dispnee|negated]\n\n[Edem]"),
        ("nl", "Geen [koorts|negated]\n[Hoest]\nOntkent:\n- [pijn|negated]\n- [dyspneu|negated]\n\n[Oedeem]"),
        ("sv", "Ingen [feber|negated]\n[Hosta]\nFörnekar:\n- [smärta|negated]\n- [dyspné|negated]\n\n[Ödem]"),
        ("cs", "Bez [horečky|negated]\n[Kašel]\nNeguje:\n- [bolest|negated]\n- [dušnost|negated]\n\n[Otok]"),
        # Two at once.
        ("es", "Padre sin [asma|family negated]"),
        ("en", "Her mother has possible [asthma|family uncertain]"),
    ],
)
def test_what_is_said(lang: str, text: str) -> None:
    check(lang, text)


@pytest.mark.parametrize(
    "text",
    [
        "[Ausencia de fiebre|negated]; [afebril]",
        "Paciente sin [fiebre|negated], [tos|negated] ni [disnea|negated].",
        "No solo [fiebre], sino también [tos].",
        "No se puede descartar [neumonía|uncertain].",
        "No se descarta [neumonía|uncertain].",
        "Nunca ha negado [dolor].",
        "No hay duda de [apendicitis].",
        "[Fiebre|negated]: no\n[Tos]: sí",
        "Niega:\n- [dolor|negated]\n- [disnea|negated]\n\n[Edema]",
        "Acude sin\n[fiebre|negated]",
        "Padre sin [asma|family negated]",
    ],
)
def test_the_same_by_the_embedded_tagger(text: str) -> None:
    check("es", text, "embedded")


def doc_of(n_words: int) -> Doc:
    return Doc(nlp.vocab, words=["w"] * n_words)


def test_the_nearest_cue_of_a_category() -> None:
    doc = doc_of(9)
    near, far = (Scope("FAMILY", 2, 8, cue, cue + 1, 1.0) for cue in (1, 0))
    assert assert_spans(doc, [doc[4:5]], [far, near])[0].scopes == {"FAMILY": near}


def test_spans_without_words_and_of_the_whole_document() -> None:
    doc = doc_of(5)
    scope = Scope("FAMILY", 1, 5, 0, 1, 0.9)
    empty, whole = assert_spans(doc, [doc[2:2], doc[0:5]], [scope])
    assert empty.scopes == {} and whole.score("FAMILY") == 0.9 and whole.score("HISTORICAL") == 0.0


@st.composite
def documents(draw: st.DrawFn) -> tuple[int, list[Scope], list[tuple[int, int]]]:
    n = draw(st.integers(1, 12))
    place = st.tuples(st.integers(0, n), st.integers(0, n)).map(sorted)
    names = st.sampled_from(list(CATEGORIES))
    scopes = draw(st.lists(st.builds(lambda c, s, q: Scope(c, *s, *q, 1.0), names, place, place), max_size=6))
    return n, scopes, [tuple(p) for p in draw(st.lists(place, max_size=5))]


@given(documents())
def test_as_a_slow_reading_of_the_rule(drawn: tuple[int, list[Scope], list[tuple[int, int]]]) -> None:
    n, scopes, places = drawn
    doc = doc_of(n)
    said = assert_spans(doc, [doc[start:end] for start, end in places], scopes)
    for (start, end), assertion in zip(places, said, strict=True):
        for category in CATEGORIES:
            of_category = [scope for scope in scopes if scope.category == category]
            cues = {word for scope in of_category for word in range(scope.cue_start, scope.cue_end)}
            words = [word for word in range(start, end) if word not in cues] or list(range(start, end))
            at = words[0] if words else -1
            over = [s for s in of_category if s.start <= at < s.end or s.cue_start < at < s.cue_end]
            assert (category in assertion.scopes) == bool(over)
            assert not over or assertion.scopes[category] in over
