from __future__ import annotations

from collections import Counter

import torch
from hypothesis import given
from hypothesis import strategies as st

from clinner_spacy.ner.merge import fold, log_probabilities, vote


def reference(choices: list[int]) -> int:
    """One vote a window; on a tie a label other than O, the first of them."""
    votes = Counter(choices)
    best = max(votes.values())
    tied = [tag for tag in votes if votes[tag] == best]
    return next((tag for tag in tied if tag), 0)


@given(st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=5), min_size=1, max_size=6))
def test_vote_is_that_of_the_reference(words):
    choices = torch.tensor([tag for readings in words for tag in readings])
    owner = torch.tensor([n for n, readings in enumerate(words) for _ in readings])
    logits = torch.randn(len(choices), 5, generator=torch.Generator().manual_seed(0))
    logits[torch.arange(len(choices)), choices] += 10
    merged = vote(log_probabilities(logits, [5]), owner, len(words), [5])
    assert merged.argmax(dim=1).tolist() == [reference(readings) for readings in words]
    assert torch.allclose(merged.exp().sum(dim=1), torch.ones(len(words)))


def test_the_score_is_the_mean_of_the_readings_that_voted_for_the_winner():
    probabilities = torch.tensor([[0.2, 0.8], [0.4, 0.6], [0.9, 0.1]])
    merged = vote(probabilities.log(), torch.tensor([0, 0, 0]), 1, [2])
    assert torch.allclose(merged.exp(), torch.tensor([[0.3, 0.7]]))


def test_tasks_vote_by_themselves():
    one = torch.tensor([[5.0, 0.0, 0.0, 5.0], [0.0, 5.0, 0.0, 5.0], [5.0, 0.0, 5.0, 0.0]])
    merged = vote(log_probabilities(one, [2, 2]), torch.tensor([0, 0, 0]), 1, [2, 2])
    assert [part.argmax().item() for part in merged[0].split(2)] == [0, 1]


def test_fold_takes_the_best_tag_of_a_column():
    logits = torch.tensor([[0.0, 3.0, 1.0, 2.0, 4.0]])  # O, B, I, L, U
    assert fold(logits, [0, 1, 2, 2, 1], 3).tolist() == [[0.0, 4.0, 2.0]]
    assert fold(torch.tensor([[0.0, 3.0]]), [0, 2], 3).tolist() == [[0.0, float("-inf"), 3.0]]
