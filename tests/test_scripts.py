"""The scripts behind the model that ships: what is held back stays out, silver completes gold, a mean is a mean."""

from __future__ import annotations

import importlib.util
import random
import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import spacy
import srsly

from clinner_spacy.checkpoints import load_checkpoint
from clinner_spacy.corpora.docbin import read_docs, save_docs
from clinner_spacy.corpora.document import Document
from clinner_spacy.letters import bare
from tests.pipeline.conftest import NOTES, gold, tagger, train

SCRIPTS = Path(__file__).parents[1] / "scripts"

DEV = "Mujer de 60 años que acude por fiebre de tres días de evolución, tos seca y dolor torácico de tipo pleurítico."


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("text", "stays"),
    [
        ("Otro caso, sin nada en común con los demás. Tos.", True),  # a short text may stand anywhere by chance
        (f"Caso 7. {DEV.replace(' ', '  ')} Se ingresa.", False),
        (DEV[:80] + " y nada más.", False),
        ("Antes de nada: " + DEV[-80:], False),
    ],
)
def test_open_texts_hold_nothing_that_is_held_back(tmp_path, text, stays):
    srsly.write_jsonl(tmp_path / "es.jsonl", [{"id": "1", "text": text}])
    found = script("gold").open_texts(tmp_path / "es.jsonl", [Document("dev", DEV), Document("short", "Tos.")])
    assert [document.text for document in found] == ([text] if stays else [])


def test_a_language_without_open_texts(tmp_path):
    assert script("gold").open_texts(tmp_path / "cs.jsonl", []) == []


def test_translated_cases_and_texts_lie_apart():
    folder = script("gold").folder_of
    assert folder("MultiClinNER-es") == folder("SiMoNERo-ro") == "gold"
    assert folder("MultiClinNER-nl") == "gold/translated"
    assert folder("NUBes-es") == folder("texts-it") == "texts"


def test_words_of_all_languages_stand_beside_those_that_are_as_common():
    words = [(f"nl{n}", 4 + n % 2) for n in range(40)] + [(f"és{n}", 4 + n % 2) for n in range(40)] + [("2.", 4)]
    lines = list(script("ngram_vectors").equally_common(words, random.Random(0)))
    assert sorted(word for line in lines for word in line) == sorted(bare(word) for word, _ in words)
    assert all(len({int(re.sub(r"\D", "", word)) % 2 for word in line}) == 1 for line in lines)
    assert any({"nl", "es"} <= {word[:2] for word in line} for line in lines)


@pytest.fixture
def teachers(tmp_path) -> list[Path]:
    """Two pipelines with the same tasks and other weights."""
    paths = [tmp_path / "a", tmp_path / "b"]
    for path, steps in zip(paths, (60, 80), strict=True):
        nlp = spacy.blank("es")
        nlp.add_pipe("multiclin_ner", config={"checkpoint": None, "model": tagger(transitions=True)})
        train(nlp, [gold(nlp, *note) for note in NOTES], steps).to_disk(path)
    return paths


@pytest.mark.filterwarnings("ignore::clinner_spacy.errors.WordsWarning")
def test_the_mean_of_two(tmp_path, teachers):
    script("average").main(tmp_path / "mean", teachers)
    a, b, mean = (load_checkpoint(str(path)).model for path in (*teachers, tmp_path / "mean"))
    assert not np.allclose(a.get_param("W"), b.get_param("W"))
    for nodes in zip(a.walk(), b.walk(), mean.walk(), strict=True):
        for name in nodes[0].param_names:
            if nodes[0].has_param(name):
                first, second, third = (node.get_param(name) for node in nodes)
                assert np.allclose((first + second) / 2, third, atol=1e-6)


@pytest.mark.filterwarnings("ignore::clinner_spacy.errors.WordsWarning")
def test_silver_completes_gold_and_open_texts(tmp_path, teachers):
    nlp = spacy.blank("es")
    text, mentions = NOTES[0]
    task = min(mentions)
    known = gold(nlp, text, {task: []}).reference  # nothing of this task: that is gold, too
    gold_folder, texts = tmp_path / "gold", tmp_path / "texts"
    (gold_folder / "translated").mkdir(parents=True)
    texts.mkdir()
    save_docs(gold_folder / "translated" / "notes.spacy", [known])
    save_docs(texts / "open.spacy", [nlp.make_doc(text)])
    script("silver").main([gold_folder, texts], tmp_path / "completed", [str(path) for path in teachers])
    (noted,) = read_docs(tmp_path / "completed" / "translated" / "notes.spacy", nlp.vocab)
    (opened,) = read_docs(tmp_path / "completed" / "open.spacy", nlp.vocab)
    assert not noted.spans[task] and set(noted.spans) == set(opened.spans)
    assert {span.text for span in opened.spans[task]} == set(mentions[task])
