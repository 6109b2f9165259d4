"""The inverted index finds what comparing all with all finds."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinner_spacy.linking import grams
from clinner_spacy.linking.grams import build_grams, cosines_with, queries_of, search

NAMES = ["tos", "tos seca", "fiebre", "dolor toracico", "dolor abdominal", "carcinoma", "adenocarcinoma", "+"]

words = st.text(alphabet="abcde ñ😀", max_size=12).map(lambda text: " ".join(text.split()))


def grams_of(text: str) -> set[str]:
    padded = f" {text} "
    return {padded[i : i + n] for n in (2, 3, 4) for i in range(len(padded) - n + 1)}


def cosines(names: list[str], query: str) -> np.ndarray:
    """All with all, as the module's docstring says."""
    have = Counter(gram for name in names for gram in grams_of(name))
    known = {gram for text in [*names, query] for gram in grams_of(text)}
    weight = {gram: np.log((1 + len(names)) / (1 + have[gram])) + 1 for gram in known}

    def norm(text: str) -> float:
        return np.sqrt(sum(weight[gram] ** 2 for gram in grams_of(text)))

    dots = [sum(weight[gram] ** 2 for gram in grams_of(query) & grams_of(name)) for name in names]
    return np.array([dot / norm(name) / norm(query) for dot, name in zip(dots, names, strict=True)])


@settings(deadline=None)
@given(st.lists(words, min_size=1, max_size=8, unique=True), words, st.integers(1, 10), st.sampled_from([1, 1000]))
def test_equals_comparing_all_with_all(names: list[str], query: str, k: int, budget: int) -> None:
    index = build_grams(names)
    expected = cosines(names, query)
    asked = queries_of(index, [query])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grams, "BUDGET", budget)
        patch.setattr(grams, "SPARE", 100)
        (alike,) = search(index, asked, k)
    np.testing.assert_allclose(alike.cosines, expected[alike.names], atol=1e-5)
    assert list(alike.cosines) == sorted(alike.cosines, reverse=True)
    if budget > 1:
        found = np.sort(expected[expected > 0])[::-1][:k]
        np.testing.assert_allclose(alike.cosines, found, atol=1e-5)
    np.testing.assert_allclose(cosines_with(index, asked[0], np.arange(len(names))), expected, atol=1e-5)


def test_a_name_is_most_like_itself() -> None:
    index = build_grams(NAMES)
    for n, alike in enumerate(search(index, queries_of(index, NAMES), 3)):
        assert alike.names[0] == n and alike.cosines[0] == pytest.approx(1)


def test_chunks_make_the_same_index(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = build_grams(NAMES)
    monkeypatch.setattr(grams, "CHUNK", 3)
    for one, other in zip(whole, build_grams(NAMES), strict=True):
        np.testing.assert_array_equal(one, other)


def test_nothing_alike() -> None:
    index = build_grams(["tos"])
    (alike,) = search(index, queries_of(index, ["xyz"]), 3)
    assert len(alike.names) == 0
