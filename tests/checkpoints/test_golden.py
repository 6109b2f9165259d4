"""Parity with the publisher's own inference on checkpoints of its format; words as it has them."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import pytest
import spacy
from spacy.tokens import Doc

pytestmark = pytest.mark.corpus

HEADS = [
    ("dt4h-multilabel", "disease", "es"),
    ("dt4h-multilabel", "symptom", "es"),
    ("dt4h-multilabel", "procedure", "xx"),
    ("dt4h-per-language", "disease", "es"),
    ("dt4h-per-language", "disease_it_ner", "es"),
    ("dt4h-per-language", "disease", "ro"),
]
Row = tuple[str, int, int]


def rows(folder: Path, texts: str, task: str, lang: str) -> set[Row]:
    nlp = spacy.blank(lang)
    settings = {"checkpoint": str(folder / "mtl.pt"), "base_model": str(folder / "base_model")}
    component = nlp.add_pipe("multiclin_ner", config={**settings, "task": task, "precision": "fp32"})
    found = set()
    for file in sorted((folder / texts).glob("*.txt")):
        text = file.read_bytes().decode("utf8")
        words = list(re.finditer(r"\S+", text))
        doc = component(Doc(nlp.vocab, words=[word[0] for word in words]))
        for span in doc.spans["sc"]:
            start, end = trim(text, words[span.start].start(), words[span.end - 1].end())
            if start < end:
                found.add((file.stem, start, end))
    return found


def trim(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and is_edge(text[start]):
        start += 1
    while start < end and is_edge(text[end - 1]):
        end -= 1
    return start, end


def is_edge(char: str) -> bool:
    return char.isspace() or unicodedata.category(char)[0] == "P"


def expected(folder: Path, prefix: str, task: str, lang: str) -> set[Row]:
    name = task if folder.name == "dt4h-multilabel" or "_" in task else f"{task}_{lang}_ner"
    lines = (folder / f"{prefix}{name}.tsv").read_text(encoding="utf8").split("\n")[1:]
    return {(row[0], int(row[2]), int(row[3])) for row in (line.split("\t") for line in lines if line)}


@pytest.mark.parametrize(("folder", "task", "lang"), HEADS)
def test_texts_of_one_window_are_met_exactly(golden, folder, task, lang):
    assert rows(golden / folder, "txt", task, lang) == expected(golden / folder, "expected-", task, lang)


@pytest.mark.parametrize(("folder", "task", "lang"), HEADS)
def test_long_texts_differ_only_where_windows_overlap(golden, folder, task, lang):
    found = rows(golden / folder, "txt-long", task, lang)
    reference = expected(golden / folder, "expected-long-", task, lang)
    assert len(found & reference) >= 0.98 * max(len(found), len(reference))
    zones = {file.stem: overlaps(golden / folder, file) for file in (golden / folder / "txt-long").glob("*.txt")}
    for name, start, end in found ^ reference:
        assert any(begin <= end and start <= stop for begin, stop in zones[name]), (name, start, end)


def overlaps(folder: Path, file: Path) -> list[tuple[int, int]]:
    """The characters that two of the reference's windows share: 128 pieces in every 382, and the words cut there."""
    from tokenizers import Tokenizer

    text = file.read_bytes().decode("utf8")
    words = list(re.finditer(r"\S+", text))
    tokenizer = Tokenizer.from_file(str(folder / "base_model" / "tokenizer.json"))
    word_of = tokenizer.encode([word[0] for word in words], is_pretokenized=True, add_special_tokens=False).word_ids
    return [
        (words[word_of[piece]].start(), words[word_of[min(piece + 128, len(word_of) - 1)]].end())
        for piece in range(382, len(word_of), 382)
    ]
