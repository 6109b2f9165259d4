"""Mentions and relations from one encoder, which both components listen to, as docs/training.md has it."""

from __future__ import annotations

from pathlib import Path

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc, SpanGroup
from spacy.training import Example
from spacy.util import load_model_from_config
from thinc.api import Config

PAGE = Path(__file__).parents[2] / "docs" / "training.md"

#: Mentions as (text, label), relations as (head, label, tail).
NOTES = [
    ("Toma ibuprofeno 600 mg.", [("ibuprofeno", "DRUG"), ("600 mg", "DOSE")], [(0, "Has_Dose", 1)]),
    ("Refiere tos seca.", [("tos", "SYMPTOM"), ("seca", "QUALITY")], [(0, "Has_Quality", 1)]),
    ("Sin hallazgos.", [], []),
]
LABELS = ("DRUG", "DOSE", "SYMPTOM", "QUALITY")


def example(nlp: Language, text: str, mentions: list, relations: list) -> Example:
    doc = nlp.make_doc(text)
    spans = [doc.char_span(text.index(m), text.index(m) + len(m), label) for m, label in mentions]
    for label in LABELS:
        doc.spans[label.lower()] = [span for span in spans if span.label_ == label]
    doc.spans["sc"] = SpanGroup(doc, name="sc", spans=spans)
    doc._.relations = [{"head": head, "tail": tail, "label": label} for head, label, tail in relations]
    return Example(nlp.make_doc(text), doc)


def found(doc: Doc) -> tuple[set[tuple[str, str]], set[tuple[str, str, str]]]:
    mentions = {(span.text, span.label_) for span in doc.spans["sc"]}
    return mentions, {(r.head.text, r.label, r.tail.text) for r in doc._.relations_of()}


@pytest.fixture(scope="module")
def nlp() -> Language:
    spacy.util.fix_random_seed(0)
    block = PAGE.read_text(encoding="utf-8").split("```ini\n")[1].split("```")[0]
    nlp = load_model_from_config(Config().from_str(block), auto_fill=True)
    examples = [example(nlp, *note) for note in NOTES]
    examples.insert(1, Example(Doc(nlp.vocab), Doc(nlp.vocab)))
    optimizer = nlp.initialize(lambda: examples)
    for _ in range(40):
        nlp.update(examples, sgd=optimizer)
    return nlp


def check(docs: list[Doc]) -> None:
    for doc, (_, mentions, relations) in zip(docs, NOTES, strict=True):
        words = [mention for mention, _ in mentions]
        assert found(doc) == (set(mentions), {(words[head], label, words[tail]) for head, label, tail in relations})


def test_one_encoder_learns_for_both(nlp: Language) -> None:
    texts = [text for text, _, _ in NOTES]
    assert nlp.get_pipe("tok2vec").listening_components == ["multiclin_ner", "clinical_relations"]
    check([nlp(text) for text in texts])
    check([doc for doc in nlp.pipe([*texts[:1], "", *texts[1:]]) if len(doc)])


def test_saved_and_loaded(nlp: Language, tmp_path: Path) -> None:
    nlp.to_disk(tmp_path)
    check(list(spacy.load(tmp_path).pipe(text for text, _, _ in NOTES)))


def test_in_two_processes(nlp: Language) -> None:
    check(list(nlp.pipe((text for text, _, _ in NOTES), n_process=2, batch_size=1)))
