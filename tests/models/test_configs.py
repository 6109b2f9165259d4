"""The training configs that the other tests do not run, on a few sentences."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import spacy
from spacy.training.initialize import init_nlp
from spacy.training.loop import train
from spacy.util import load_config

from clinner_spacy.corpora.docbin import save_docs
from clinner_spacy.corpora.document import to_doc
from clinner_spacy.corpora.multiclin import read_multiclin
from tests.layout import DOSES, write_doses
from tests.tiny import TEXT, save_encoder

CONFIGS = Path(__file__).parents[2] / "configs"
MENTIONS = ("diabetes mellitus tipo 2", "dolor torácico opresivo")


@pytest.fixture
def split(tmp_path) -> Path:
    """A split in the MultiClinNER layout with one task and two documents."""
    folder = tmp_path / "corpus-train" / "corpus-train-disease"
    for part in ("txt", "tsv"):
        (folder / part).mkdir(parents=True)
    rows = ["filename\tlabel\tstart_span\tend_span\ttext"]
    for name, text, mention in zip("ab", TEXT, MENTIONS, strict=False):
        (folder / "txt" / f"{name}.txt").write_text(text, encoding="utf8")
        start = text.index(mention)
        rows.append(f"{name}\tDISEASE\t{start}\t{start + len(mention)}\t{mention}")
    (folder / "tsv" / "corpus.tsv").write_text("\n".join(rows) + "\n", encoding="utf8")
    return folder.parent


def learn(config: str, encoder: Path, split: Path, output: Path, **overrides: Any) -> None:
    corpus = {"paths.encoder": str(encoder), "paths.train": str(split), "paths.dev": str(split)}
    train_with(config, output, **corpus, **overrides)


def train_with(config: str, output: Path, **overrides: Any) -> None:
    settings = {
        "nlp.lang": "es",
        "system.gpu_allocator": None,
        "training.max_epochs": 0,
        "training.max_steps": 60,
        "training.eval_frequency": 30,
        "training.optimizer.learn_rate": 0.01,
        **overrides,
    }
    nlp = init_nlp(load_config(CONFIGS / config, overrides=settings))
    output.mkdir()
    with Path(os.devnull).open("w") as out:
        train(nlp, output, stdout=out, stderr=out)


def found(pipeline: Path) -> list[str]:
    doc = spacy.load(pipeline)(TEXT[0])
    return [span.text for span in doc.spans["sc"]]


def test_xlmr(tmp_path, split):
    encoder = save_encoder(tmp_path / "encoder")
    window = {"components.multiclin_ner.model.tok2vec.window": 64}
    learn("xlmr.cfg", encoder, split, tmp_path / "out", **window)
    assert found(tmp_path / "out" / "model-last") == [MENTIONS[0]]


def test_from_embedded(tmp_path, split):
    corpus = tmp_path / "corpus.spacy"
    nlp = spacy.blank("es")
    save_docs(corpus, (to_doc(document, nlp) for document in read_multiclin(split)))
    paths = {f"corpora.{part}.paths": [str(corpus)] for part in ("train", "dev")}
    train_with("from_embedded.cfg", tmp_path / "out", **paths)
    assert found(tmp_path / "out" / "model-last") == [MENTIONS[0]]


def test_shared_transformer(tmp_path, split):
    pytest.importorskip("spacy_transformers", reason="needs the extra [spacy-transformers], and with it transformers 4")
    encoder = save_encoder(tmp_path / "encoder", "bert")
    (encoder / "tokenizer_config.json").write_text(
        '{"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "[PAD]"}'
    )
    spans = {f"components.transformer.model.get_spans.{key}": n for key, n in (("window", 16), ("stride", 12))}
    accumulate = {"training.accumulate_gradient": 1}
    learn("shared_transformer.cfg", encoder, split, tmp_path / "out", **spans, **accumulate)
    assert found(tmp_path / "out" / "model-last") == [MENTIONS[0]]


@pytest.mark.slow
def test_relations(tmp_path):
    corpus = write_doses(tmp_path / "brat")
    learn("relations.cfg", None, corpus, tmp_path / "out", **{"training.max_steps": 30})
    nlp = spacy.load(tmp_path / "out" / "model-last")
    text, mentions, relations = DOSES
    doc = nlp.make_doc(text)
    starts = [(text.index(words), words, label) for label, words in mentions]
    doc.spans["sc"] = [doc.char_span(start, start + len(words), label) for start, words, label in starts]
    nlp(doc)
    assert [(r["label"], r["head"], r["tail"]) for r in doc._.relations] == relations
