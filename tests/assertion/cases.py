"""The hand-written sentences: mentions in brackets, behind a bar what each is."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import srsly
from spacy.language import Language
from spacy.tokens import Doc, Span

MARK = re.compile(r"\[([^]|]+)(?:\|([a-z ]+))?\]")


class Case(NamedTuple):
    """mentions: (first character, character behind the last, what it is)."""

    lang: str
    kind: str
    part: str
    text: str
    mentions: list[tuple[int, int, frozenset[str]]]


@cache
def cases() -> list[Case]:
    return [parse(line) for line in srsly.read_jsonl(Path(__file__).parent / "cases.jsonl")]


def parse(line: dict[str, str]) -> Case:
    text, mentions, behind = "", [], 0
    for match in MARK.finditer(line["text"]):
        text += line["text"][behind : match.start()]
        mentions.append((len(text), len(text) + len(match[1]), frozenset((match[2] or "").split())))
        text += match[1]
        behind = match.end()
    return Case(line["lang"], line["kind"], line["part"], text + line["text"][behind:], mentions)


def with_mentions(case: Case, nlp: Language) -> Doc:
    """The case's text with its mentions in doc.spans["sc"], not yet asserted."""
    doc = nlp.make_doc(case.text)
    spans = [doc.char_span(start, end, "SYMPTOM", alignment_mode="expand") for start, end, _ in case.mentions]
    assert all(isinstance(span, Span) for span in spans), case.text
    doc.spans["sc"] = spans
    return doc
