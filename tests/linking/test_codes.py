"""Parts of codes and words."""

from __future__ import annotations

import numpy as np

from clinner_spacy.linking.codes import part_hashes, split_codes, word_hashes

CODES = ["8140/3", "8140/6", "8000/6", "C34.1", "C34", "38341003"]


def test_heads_and_tails() -> None:
    parts = split_codes(CODES)
    assert [parts.head[n] == parts.head[0] for n in range(6)] == [True, True, False, False, False, False]
    assert parts.tail[1] == parts.tail[2] != parts.tail[0]
    assert parts.head[3] == parts.head[4] and parts.tail[4] == parts.tail[5]


def test_siblings_share_a_head() -> None:
    parts = split_codes(CODES)
    assert sorted(parts.siblings(parts.head[[0]])) == [0, 1]
    assert sorted(parts.siblings(parts.head[[3, 5]])) == [3, 4, 5]
    assert len(parts.siblings(parts.head[[]])) == 0


def test_codes_alike_share_parts() -> None:
    one, other, third = map(part_hashes, ("8140/3", "8140/6", "C34.1"))
    assert len(np.intersect1d(one, other)) > len(np.intersect1d(one, third))


def test_inflected_words_share_numbers() -> None:
    assert len(np.intersect1d(word_hashes("metastasis"), word_hashes("metastasico"))) > 0
    assert len(word_hashes("")) == 0
