"""The checkpoints that tests make are the same in each process, so that a test that fails once fails again."""

from __future__ import annotations

import pytest

from tests.tiny import KINDS, tokenizer


@pytest.mark.parametrize("kind", KINDS)
def test_a_tokenizer_is_the_same_each_time(kind: str) -> None:
    assert len({tokenizer(kind).to_str() for _ in range(3)}) == 1
