"""A ranking of candidates that is learned: how much each feature counts, and what a word says of a part of a code.

The score of a candidate is a linear sum of its features (:mod:`~clinner_spacy.linking.features`) and of one learned
number for each pair of a word in the mention and a part of the code (:mod:`~clinner_spacy.linking.codes`), as
"metast" and "/6". A softmax over the candidates and "none of them" makes it a probability (conditional logit).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clinner_spacy.linking.codes import part_hashes, word_hashes
from clinner_spacy.linking.features import FEATURES, Floats

#: Numbers for pairs of word and part; pairs that fall on one share it.
PAIRS = 1 << 17

#: How strongly learned numbers are held near zero: those of pairs, those of features.
HOLD_PAIRS, HOLD_FEATURES = 2.0, 0.2
STEPS = 40


class Ranker(NamedTuple):
    """features: float32 (n_features,); pairs: float32 (:data:`PAIRS`,)."""

    features: Floats
    pairs: Floats


class Pairs(NamedTuple):
    """places: int64 (n,), among all pairs, those of one candidate after the other; sizes: int64 (n_candidates,)."""

    places: NDArray[np.int64]
    sizes: NDArray[np.int64]


class Choice(NamedTuple):
    """A mention to learn from: the features of its candidates and of none, float32 (n + 1, n_features); the pairs of
    the candidates; the row that is right; and how much it counts."""

    features: Floats
    pairs: Pairs
    right: int
    weight: float


def pairs_of(folded: str, codes: Sequence[str]) -> Pairs:
    """The pairs of each code's parts with the words of a folded text."""
    words = word_hashes(folded) * np.uint32(0x9E3779B1)
    parts = [part_hashes(code) for code in codes]
    places = (np.concatenate(parts)[:, None] ^ words).ravel() % np.uint32(PAIRS)
    return Pairs(places.astype(np.int64), np.asarray([len(some) * len(words) for some in parts]))


def probabilities(ranker: Ranker, features: Floats, pairs: Pairs) -> Floats:
    """How probable each candidate is to be right, float32 (n,); what lacks to 1 is that none is."""
    logits = features @ ranker.features
    if len(pairs.places):
        logits[:-1] += np.add.reduceat(ranker.pairs[pairs.places], np.cumsum(pairs.sizes) - pairs.sizes)
    exp = np.exp(logits - logits.max())
    return (exp / exp.sum())[:-1].astype(np.float32)


def train_ranker(choices: Sequence[Choice]) -> Ranker:
    """Learn from mentions whose right candidate is known, by L-BFGS; the same choices give the same ranking."""
    X = torch.from_numpy(np.concatenate([choice.features for choice in choices]))
    sizes = [len(choice.features) for choice in choices]
    owner = torch.repeat_interleave(torch.arange(len(choices)), torch.tensor(sizes))
    begin = np.cumsum(sizes) - sizes
    right = torch.from_numpy(begin + [choice.right for choice in choices])
    weight = torch.tensor([choice.weight for choice in choices])
    # The last row of each choice, "none of them", has no pairs.
    n_pairs = np.concatenate([np.append(choice.pairs.sizes, 0) for choice in choices])
    row = torch.repeat_interleave(torch.arange(len(X)), torch.from_numpy(n_pairs))
    pairs = torch.from_numpy(np.concatenate([choice.pairs.places for choice in choices]))
    scale = X.std(0) + 1e-6
    w = torch.zeros(len(FEATURES), requires_grad=True)
    table = torch.zeros(PAIRS, requires_grad=True)
    optimizer = torch.optim.LBFGS([w, table], max_iter=STEPS, history_size=8, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        # torch's embedding_bag takes ten times as long backwards.
        logits = (X @ (w / scale)).index_add(0, row, table.index_select(0, pairs))
        top = torch.full((len(choices),), -torch.inf).scatter_reduce(0, owner, logits.detach(), "amax")
        total = torch.zeros(len(choices)).index_add(0, owner, (logits - top[owner]).exp()).log() + top
        held = HOLD_PAIRS * (table**2).sum() / 2 + HOLD_FEATURES * (w**2).sum() / 2
        value = (weight * (total - logits[right])).sum() + held
        value.backward()
        return value

    optimizer.step(loss)  # type: ignore[arg-type]
    return Ranker((w / scale).detach().numpy(), table.detach().numpy())
