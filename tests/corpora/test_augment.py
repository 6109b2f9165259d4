"""Texts changed to what hospitals write: gold stays on its words."""

from __future__ import annotations

import random
import re

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc, Span, SpanGroup
from spacy.training import Example

from clinner_spacy.corpora.augment import (
    CHANGES,
    AnnotatedWords,
    abbreviated,
    bare,
    create_hospital_augmenter,
    create_joined_lines_augmenter,
    from_gold,
    heading_alone,
    joined,
    mistyped,
    recased,
    tables,
    unaccented,
    with_lines,
    wrapped,
)

NLP = spacy.blank("xx")
WORD = st.sampled_from(
    ["dolor", "torácico", ".", "\n", "fiebre", "HTA", ",", "µg", "ß", "\u0301", "neumonía", "izquierdo", "Paciente"]
)


@st.composite
def gold_texts(draw) -> AnnotatedWords:
    words = draw(st.lists(WORD, min_size=1, max_size=60))
    spaces = [draw(st.booleans()) and word != "\n" for word in words]
    spans: dict[str, list[tuple[int, int, str]]] = {"drug": []}
    for task in ("disease", "symptom"):
        starts = draw(st.lists(st.integers(0, len(words) - 1), max_size=4, unique=True))
        spans[task] = [(start, min(len(words), start + draw(st.integers(1, 4))), task.upper()) for start in starts]
    return AnnotatedWords(words, spaces, spans)


def covered(text: AnnotatedWords, task: str) -> list[str]:
    """The words of each span, line breaks that were put in aside."""
    return [" ".join(w for w in text.words[s:e] if w != "\n") for s, e, _ in text.spans[task]]


@settings(deadline=None)
@given(gold_texts(), st.integers(0, 1000))
def test_lines_put_in_leave_every_span_on_its_words(text, seed):
    for change in (with_lines, wrapped):
        changed = change(text, random.Random(seed))
        for task in text.spans:
            assert covered(changed, task)[: len(text.spans[task])] == covered(text, task)
        assert changed.spans.keys() == text.spans.keys()
        assert len(changed.words) == len(changed.spaces)


@settings(deadline=None)
@given(gold_texts(), st.integers(0, 1000))
def test_words_changed_one_by_one_leave_spans_and_their_number(text, seed):
    for change in (recased, unaccented, mistyped):
        changed = change(text, random.Random(seed))
        assert changed.spans == text.spans
        assert len(changed.words) == len(text.words)
        assert all(changed.words)


@settings(deadline=None)
@given(gold_texts(), st.integers(0, 1000))
def test_words_cut_short_stay_in_their_spans(text, seed):
    changed = abbreviated(text, random.Random(seed))
    for task, spans in text.spans.items():
        for (start, end, _), (new_start, new_end, _) in zip(spans, changed.spans[task], strict=True):
            words, short = text.words[start:end], changed.words[new_start:new_end]
            assert [word[0] for word in words] == [word[0] for word in short]  # and no stop has come between


def test_words_of_wards():
    text = from_gold(NLP("Paciente con exploración neurológica anormal del miembro izquierdo."))
    seen = {" ".join(abbreviated(text, random.Random(seed)).words) for seed in range(200)}
    assert any(one.startswith("Pte . con") for one in seen) and any(one.startswith("Pte con expl") for one in seen)
    assert any(" neuro" in one and "neurológica" not in one for one in seen)
    assert all(one.endswith("izquierdo .") for one in seen)  # a full stop follows it already


@pytest.mark.parametrize("lang", ["es", "en", "it", "nl", "sv", "cs", "ro"])
def test_an_abbreviation_is_one_word_in_every_language(lang):
    nlp = spacy.blank(lang)
    assert [short for short in tables()["abbreviations"].values() if len(nlp.make_doc(short)) != 1] == []


@given(st.integers(0, 1000))
def test_a_heading_by_itself(seed):
    text = heading_alone(["disease"], random.Random(seed))
    assert text.spans == {"disease": []} and len(text.words) == len(text.spaces)
    assert text.words[0][0].isalpha() and "\n" not in text.words[:-1]


def test_headings_stand_where_a_line_begins_and_text_goes_on_after_them():
    doc = NLP("Dolor desde ayer .\nTos . Mal estado general .\n")
    doc.spans["symptom"] = SpanGroup(doc, spans=[Span(doc, 0, 1, "SYMPTOM"), Span(doc, 5, 6, "SYMPTOM")])
    text = from_gold(doc)
    texts = ["".join(map(written, *with_lines(text, random.Random(seed))[:2])) for seed in range(200)]
    headings = "|".join(map(re.escape, sorted(tables()["headings"], key=len, reverse=True)))
    assert all(not re.search(r"^\n|\n\n| :", one) for one in texts)
    for pattern in (rf"^({headings}):? ?\n?Dolor", rf"\n({headings}): Mal estado", rf"\n({headings})\nTos"):
        assert any(re.search(pattern, one, re.IGNORECASE) for one in texts), pattern


def written(word: str, space: bool) -> str:
    return word + " " * space


@settings(deadline=None)
@given(gold_texts(), st.integers(0, 1000))
def test_lines_without_mentions_bring_no_span_but_repeated_ones(text, seed):
    changed = with_lines(text, random.Random(seed))
    for task, spans in text.spans.items():
        repeated = covered(changed, task)[len(spans) :]
        every = {" ".join(words.split()) for other in text.spans for words in covered(text, other)}
        assert all(" ".join(words.split()) in every for words in repeated)


def gold_doc() -> Doc:
    doc = Doc(NLP.vocab, words=["Dolor", "torácico", "y", "fiebre", "."], spaces=[True, True, True, False, False])
    doc.spans["symptom"] = SpanGroup(doc, spans=[Span(doc, 0, 2, "SYMPTOM"), Span(doc, 3, 4, "SYMPTOM")])
    return doc


def test_the_same_seed_gives_the_same_texts_and_every_call_another():
    def texts(seed: int) -> list[str]:
        augment = create_hospital_augmenter(1.0, seed)
        return [next(augment(NLP, Example(gold_doc(), gold_doc()))).text for _ in range(20)]

    assert texts(0) == texts(0) != texts(1)
    assert len(set(texts(0))) > 5


def test_a_share_of_nothing_leaves_texts_as_they_are():
    example = Example(gold_doc(), gold_doc())
    assert list(create_hospital_augmenter(0.0)(NLP, example)) == [example]


def test_tasks_that_were_not_annotated_stay_unknown():
    augment = create_hospital_augmenter(1.0)
    for _ in range(10):
        example, heading = augment(NLP, Example(gold_doc(), gold_doc()))
        assert set(example.reference.spans) == set(heading.reference.spans) == {"symptom"}
        assert not heading.reference.spans["symptom"]


def test_bare_takes_accents_away_and_changes_are_chances():
    assert bare("exploración šesti åldersförändring") == "exploracion sesti aldersforandring"
    assert all(0 < chance < 1 for _, chance in CHANGES)
    assert from_gold(gold_doc()).spans == {"symptom": [(0, 2, "SYMPTOM"), (3, 4, "SYMPTOM")]}


@settings(deadline=None)
@given(gold_texts())
def test_joined_lines_leave_every_span_on_its_words(text):
    changed = joined(text)
    assert changed.words == [word for word in text.words if word != "\n"]
    for task, spans in text.spans.items():
        assert covered(changed, task) == [words for words in covered(text, task) if words]
        assert len(changed.spans[task]) <= len(spans)
    follows = dict(zip([n for n, word in enumerate(text.words) if word != "\n"], changed.spaces, strict=True))
    for n, space in follows.items():
        assert space == (text.spaces[n] or text.words[n + 1 : n + 2] == ["\n"])


def test_a_document_of_one_line_is_given_once():
    augment = create_joined_lines_augmenter()
    doc = NLP("Sin fiebre.\nTos seca.")
    doc.spans["negation"] = SpanGroup(doc, spans=[Span(doc, 0, 1, "NEG"), Span(doc, 1, 2, "NSCO")])
    given_back = list(augment(NLP, Example(NLP.make_doc(doc.text), doc)))
    assert [example.reference.text for example in given_back] == [doc.text, "Sin fiebre. Tos seca."]
    assert [[span.text for span in e.reference.spans["negation"]] for e in given_back] == [["Sin", "fiebre"]] * 2
    one = NLP("Sin fiebre.")
    assert len(list(augment(NLP, Example(one.copy(), one)))) == 1
