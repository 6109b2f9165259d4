"""The embedded model's network computed by thinc and by torch, station by station.

    python benchmarks/embedded_torch.py ../shared/corpora/MultiClinNER-es/MultiClinNER-es-dev

The embedding that ships is thinc's, with a cache of distinct words, beside a torch module without; the CNN that ships
is torch's, in blocks, beside spaCy's layers as thinc computes them. The weights that ship, one thread, the same batches
of documents, taken in turn; words per second, medians of rounds.
"""

# ruff: noqa: E402 (one thread must be asked for before numpy is imported)

from __future__ import annotations

import os

for variable in ("OMP_NUM_THREADS", "BLIS_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = "1"

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import spacy
import torch
import typer
from spacy.attrs import ORTH
from spacy.tokens import Doc
from thinc.api import Model, with_array
from torch import Tensor, nn
from torch.nn.functional import embedding

from clinner_spacy.corpora.multiclin import read_multiclin
from clinner_spacy.models.spelling import _ids, _ngram_vectors, _words
from clinner_spacy.models.window_encoder import EPSILON
from clinner_spacy.pipeline.tagger import MultiClinNER

#: Documents of a batch, as the pipeline reads them; of a training step, about 1,000 words.
READ, LEARNED = 64, 4


class Spelling(nn.Module):
    """clinner.SpellingEmbed.v1 without its cache: the hashed features of each distinct word of a batch."""

    def __init__(self, ours: Model) -> None:
        super().__init__()
        features, mix = ours.layers
        self.hashed = [feature.layers[1] for feature in features.layers]
        self.tables = nn.ParameterList(torch.tensor(layer.get_param("E")) for layer in self.hashed)
        maxout, norm = mix.layers[0].layers
        self.shape = maxout.get_param("W").shape
        self.linear = nn.Linear(self.shape[2], self.shape[0] * self.shape[1])
        self.norm = nn.LayerNorm(self.shape[0], eps=EPSILON)
        self.linear.weight.data = torch.tensor(maxout.get_param("W").reshape(-1, self.shape[2]))
        self.linear.bias.data = torch.tensor(maxout.get_param("b").reshape(-1))
        self.norm.weight.data, self.norm.bias.data = (torch.tensor(norm.get_param(name)) for name in ("G", "b"))
        self.ngrams, self.settings = ours.get_param("ngrams"), ours.attrs["floret"]
        self.folded = ours.attrs["folded"]

    def forward(self, docs: list[Doc]) -> Tensor:
        vocab = docs[0].vocab
        orths, inverse = np.unique(np.concatenate([doc.to_array([ORTH]) for doc in docs]), return_inverse=True)
        ids = _ids(vocab, orths, self.folded)
        found = [torch.from_numpy(_ngram_vectors(self.ngrams, self.settings, _words(vocab, orths, self.folded)))]
        for column, (layer, table) in reversed(list(enumerate(zip(self.hashed, self.tables, strict=True)))):
            keys = layer.ops.hash(np.ascontiguousarray(ids[:, column]), layer.attrs["seed"]) % table.shape[0]
            found.insert(0, embedding(torch.from_numpy(keys.astype("int64")), table).sum(1))
        mixed = self.norm(self.linear(torch.hstack(found)).view(-1, *self.shape[:2]).amax(-1))
        return mixed[torch.from_numpy(inverse)]


def main(corpus: Path, rounds: int = 5) -> None:
    torch.set_num_threads(1)
    nlp = spacy.blank("es")
    component: MultiClinNER = nlp.add_pipe("multiclin_ner")  # type: ignore[assignment]
    component.load()
    embed, encode = component.model.layers[0].layers
    blocks = encode.layers[0]  # read without dilations, which spaCy's layers do not have: as many products
    blocks.attrs["dilations"] = [1] * len(blocks.attrs["dilations"])
    embed_torch, encode_thinc = Spelling(embed), with_array(blocks.layers[0], pad=encode.attrs["pad"])
    docs = [nlp.make_doc(document.text) for document in read_multiclin(corpus)]
    vectors = embed.predict(docs)
    with torch.no_grad():
        same(np.vstack(vectors[:8]), embed_torch(docs[:8]).numpy())
    same(np.vstack(encode.predict(vectors)), np.vstack(encode_thinc.predict(vectors)))
    print(f"{sum(map(len, docs)):,} words of {len(docs)} documents; words per second, medians of {rounds} rounds")
    print("| | by thinc | by torch | torch is faster by |\n|---|---|---|---|")
    row("embedding, reading", docs, READ, rounds, embed.predict, no_grad(embed_torch))
    row("embedding, learning", docs, LEARNED, rounds, step(embed), torch_step(embed_torch))
    row("CNN, reading", vectors, READ, rounds, encode_thinc.predict, encode.predict)
    row("CNN, learning", vectors, LEARNED, rounds, step(encode_thinc), step(encode))


def same(ours: np.ndarray, theirs: np.ndarray) -> None:
    """Both ways must give the same vectors."""
    assert np.allclose(ours, theirs, atol=1e-3), abs(ours - theirs).max()


def no_grad(run: Callable) -> Callable:
    return torch.no_grad()(run)


def step(model: Model) -> Callable:
    """A pass forward and back by thinc."""

    def run(batch: list) -> None:
        Y, backprop = model.begin_update(batch)
        backprop(Y)

    return run


def torch_step(module: nn.Module) -> Callable:
    """A pass forward and back by autograd."""

    def both(batch: list) -> None:
        module.zero_grad()
        Y = module(batch)
        Y.backward(Y.detach())

    return both


def row(name: str, docs: list, size: int, rounds: int, by_thinc: Callable, by_torch: Callable) -> None:
    """Time both ways in turn, batch by batch in the same order, and print a line."""
    batches = [docs[n : n + size] for n in range(0, len(docs), size)]
    speeds: tuple[list[float], list[float]] = [], []
    for _ in range(rounds + 1):
        for run, of_run in zip((by_thinc, by_torch), speeds, strict=True):
            begin = time.perf_counter()
            for batch in batches:
                run(batch)
            of_run.append(sum(map(len, docs)) / (time.perf_counter() - begin))
    thincs, torchs = (statistics.median(of_run[1:]) for of_run in speeds)  # the first round warms caches
    print(f"| {name} | {thincs:,.0f} | {torchs:,.0f} | {torchs / thincs:.2f}x |")


if __name__ == "__main__":
    typer.run(main)
