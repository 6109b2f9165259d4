"""The DT4H publisher's procedure, written out, on a tiny checkpoint: one window and several."""

from __future__ import annotations

import re
import unicodedata

import pytest
import spacy
import torch
from tokenizers import Tokenizer
from transformers import AutoModel

from clinner_spacy.cli.annotate import annotate_texts
from clinner_spacy.tables.found import Text
from tests.tiny import TEXT, config, save_dt4h

WINDOW, OVERLAP = 62, 16


def reference(path, text, task):
    """Words between white space; windows of 62 pieces sharing 16; a vote a window and word at its first piece; a label
    other than O wins a tie; a stray I neither opens nor closes; edges trimmed. Windows hold whole words here."""
    tokenizer = Tokenizer.from_file(str(path.parent / "base" / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    words = list(re.finditer(r"\S+", text))
    encoding = tokenizer.encode([word[0] for word in words], is_pretokenized=True, add_special_tokens=False)
    state = torch.load(path, weights_only=True)
    encoder = AutoModel.from_config(config("xlm-roberta")).eval()
    encoder.load_state_dict({k.removeprefix("encoder."): v for k, v in state.items() if k.startswith("encoder.")})
    votes: list[list[str]] = [[] for _ in words]
    n = len(encoding.ids)
    for first in range(0, max(n - OVERLAP, 1), WINDOW - OVERLAP):
        inner = range(first, min(first + WINDOW, n))
        with torch.no_grad():
            ids = torch.tensor([[0, *(encoding.ids[k] for k in inner), 2]])
            X = encoder(input_ids=ids)[0][0, 1:-1]
        logits = X @ state[f"classifiers.{task}.weight"].T + state[f"classifiers.{task}.bias"]
        for k, row in zip(inner, logits, strict=True):
            word = encoding.word_ids[k]
            whole = [m for m, owner in enumerate(encoding.word_ids) if owner == word]
            if k == whole[0] and whole[-1] in inner:
                votes[word].append("BIO"[int(row.argmax())])
    spans: list[list[int]] = []
    is_open = False
    for word, given in zip(words, votes, strict=True):
        counts = {tag: given.count(tag) for tag in dict.fromkeys(given)}
        most = max(counts.values(), default=0)
        tied = [tag for tag, count in counts.items() if count == most]
        tag = next((tag for tag in tied if tag != "O"), "O")
        if tag == "B":
            spans.append([word.start(), word.end()])
        elif tag == "I" and is_open:
            spans[-1][1] = word.end()
        is_open = tag == "B" or (tag == "I" and is_open)
    return {span for span in (trimmed(text, *span) for span in spans) if span[0] < span[1]}


def trimmed(text, start, end):
    def edge(char):
        return char.isspace() or unicodedata.category(char).startswith("P")

    while start < end and edge(text[end - 1]):
        end -= 1
    while start < end and edge(text[start]):
        start += 1
    return start, end


@pytest.mark.parametrize("text", [TEXT[0][:60], "\n".join(TEXT)], ids=["one window", "several"])
def test_the_publishers_procedure(tmp_path, text):
    path = save_dt4h(tmp_path)
    nlp = spacy.blank("xx")
    settings = {"checkpoint": str(path), "base_model": str(tmp_path / "base"), "precision": "fp32"}
    nlp.add_pipe("multiclin_ner", config={**settings, "words": "whitespace", "overlap": OVERLAP, "task": "disease"})
    nlp.get_pipe("multiclin_ner").load()
    (found,) = annotate_texts([Text("a", text)], nlp, [("disease", "DISEASE")])
    expected = {trimmed(text, mention.start, mention.end) for mention in found.found}
    assert expected
    assert expected == reference(path, text, "disease")
