"""The embedded model's network beside the same layers as torch modules: is what it does by hand worth it?

    python benchmarks/embedded_torch.py ../shared/corpora/MultiClinNER-es/MultiClinNER-es-dev

The weights that ship, one thread, the same batches of documents, taken in turn; words per second, medians of rounds.
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
from thinc.api import Model
from torch import Tensor, nn
from torch.nn.functional import embedding

from clinner_spacy.corpora.multiclin import read_multiclin
from clinner_spacy.models.spelling import _ngram_vectors

#: Documents of a batch, as the pipeline reads them; of a training step, about 1,000 words.
READ, LEARNED = 64, 4


class Maxout(nn.Module):
    """thinc's maxout and layer norm; with ``window`` 1 a word is read between its neighbours, as a residual layer."""

    def __init__(self, maxout: Model, norm: Model, window: int) -> None:
        super().__init__()
        W, self.window = maxout.get_param("W"), window
        self.shape = W.shape[:2]
        self.linear = nn.Linear(W.shape[2], W.shape[0] * W.shape[1])
        self.norm = nn.LayerNorm(W.shape[0], eps=1e-8)
        self.linear.weight.data = torch.tensor(W.reshape(-1, W.shape[2]))
        self.linear.bias.data = torch.tensor(maxout.get_param("b").reshape(-1))
        self.norm.weight.data = torch.tensor(norm.get_param("G"))
        self.norm.bias.data = torch.tensor(norm.get_param("b"))

    def forward(self, X: Tensor) -> Tensor:
        if not self.window:
            return self.norm(self.linear(X).view(-1, *self.shape).amax(-1))
        edge = X.new_zeros(1, X.shape[1])
        near = torch.hstack([torch.vstack([edge, X[:-1]]), X, torch.vstack([X[1:], edge])])
        return X + self.norm(self.linear(near).view(-1, *self.shape).amax(-1))


class Spelling(nn.Module):
    """clinner.SpellingEmbed.v1 without its cache: the hashed features of each distinct word of a batch."""

    def __init__(self, ours: Model) -> None:
        super().__init__()
        features, mix = ours.layers
        self.hashed = [feature.layers[1] for feature in features.layers]
        self.tables = nn.ParameterList(torch.tensor(layer.get_param("E")) for layer in self.hashed)
        self.mix = Maxout(*mix.layers[0].layers, window=0)
        self.ngrams, self.settings = ours.get_param("ngrams"), ours.attrs["floret"]

    def forward(self, docs: list[Doc]) -> Tensor:
        vocab = docs[0].vocab
        orths, inverse = np.unique(np.concatenate([doc.to_array([ORTH]) for doc in docs]), return_inverse=True)
        words = [vocab[int(orth)] for orth in orths]
        ids = np.asarray([[word.norm, word.prefix, word.suffix, word.shape] for word in words], dtype=np.uint64)
        found = [torch.from_numpy(_ngram_vectors(self.ngrams, self.settings, vocab, orths))]
        for column, (layer, table) in reversed(list(enumerate(zip(self.hashed, self.tables, strict=True)))):
            keys = layer.ops.hash(np.ascontiguousarray(ids[:, column]), layer.attrs["seed"]) % table.shape[0]
            found.insert(0, embedding(torch.from_numpy(keys.astype("int64")), table).sum(1))
        return self.mix(torch.hstack(found))[torch.from_numpy(inverse)]


class Windows(nn.Module):
    """clinner.WindowEncoder.v1 over the documents of a batch, padded between them as there."""

    def __init__(self, ours: Model) -> None:
        super().__init__()
        layers = ours.layers[0].layers[0].layers
        self.depth = len(layers)
        inner = [layer.layers[0].layers[1].layers[0].layers for layer in layers]
        self.layers = nn.Sequential(*[Maxout(maxout, norm, window=1) for maxout, norm in inner])

    def forward(self, X: Tensor, lengths: list[int]) -> Tensor:
        pad = X.new_zeros(self.depth, X.shape[1])
        rows = torch.vstack([part for of_doc in X.split(lengths) for part in (pad, of_doc)] + [pad])
        return self.layers(rows)[self.places(lengths)]

    def places(self, lengths: list[int]) -> Tensor:
        """Where the documents' own words stand among the rows."""
        starts = np.cumsum([self.depth, *[n + self.depth for n in lengths[:-1]]])
        return torch.from_numpy(np.concatenate([np.arange(s, s + n) for s, n in zip(starts, lengths, strict=True)]))


def main(corpus: Path, rounds: int = 5) -> None:
    torch.set_num_threads(1)
    nlp = spacy.blank("es")
    component = nlp.add_pipe("multiclin_ner")
    component.load()
    ours = component.model.layers[0]
    theirs = Spelling(ours.layers[0]), Windows(ours.layers[1])
    docs = [nlp.make_doc(document.text) for document in read_multiclin(corpus)]
    check(ours, theirs, docs[:8])
    print(f"{sum(map(len, docs)):,} words of {len(docs)} documents; words per second, medians of {rounds} rounds")
    row("embedding, reading", docs, READ, rounds, ours.layers[0].predict, no_grad(theirs[0]))
    row("embedding, learning", docs, LEARNED, rounds, step(ours.layers[0]), torch_step(theirs[0]))
    embedded = {id(doc): X for doc, X in zip(docs, ours.layers[0].predict(docs), strict=True)}
    vectors = lambda batch: [embedded[id(doc)] for doc in batch]  # noqa: E731
    joined = lambda batch: (torch.from_numpy(np.vstack(vectors(batch))), [len(doc) for doc in batch])  # noqa: E731
    read, learn = ours.layers[1].predict, step(ours.layers[1])
    row("CNN, reading", docs, READ, rounds, lambda b: read(vectors(b)), no_grad(lambda b: theirs[1](*joined(b))))
    learned = torch_step(lambda b: theirs[1](*joined(b)), theirs[1])
    row("CNN, learning", docs, LEARNED, rounds, lambda b: learn(vectors(b)), learned)


def check(ours: Model, theirs: tuple[Spelling, Windows], docs: list[Doc]) -> None:
    """Both ways must give the same vectors."""
    lengths = [len(doc) for doc in docs]
    with torch.no_grad():
        same = theirs[1](theirs[0](docs), lengths).numpy()
    difference = abs(np.vstack(ours.predict(docs)) - same).max()
    assert difference < 1e-3, difference


def no_grad(run: Callable) -> Callable:
    return torch.no_grad()(run)


def step(model: Model) -> Callable:
    """A pass forward and back by thinc."""

    def run(batch: list) -> None:
        Y, backprop = model.begin_update(batch)
        backprop(Y)

    return run


def torch_step(run: Callable, module: nn.Module | None = None) -> Callable:
    """A pass forward and back by autograd."""

    def both(batch: list) -> None:
        (module or run).zero_grad()
        Y = run(batch)
        Y.backward(Y.detach())

    return both


def row(name: str, docs: list[Doc], size: int, rounds: int, ours: Callable, theirs: Callable) -> None:
    """Time both ways in turn, batch by batch in the same order, and print a line."""
    batches = [docs[n : n + size] for n in range(0, len(docs), size)]
    speeds: tuple[list[float], list[float]] = [], []
    for _ in range(rounds + 1):
        for run, of_run in zip((ours, theirs), speeds, strict=True):
            begin = time.perf_counter()
            for batch in batches:
                run(batch)
            of_run.append(sum(map(len, docs)) / (time.perf_counter() - begin))
    by_hand, torchs = (statistics.median(of_run[1:]) for of_run in speeds)  # the first round warms caches
    print(f"| {name} | {by_hand:,.0f} | {torchs:,.0f} | {by_hand / torchs:.2f}x |")


if __name__ == "__main__":
    typer.run(main)
