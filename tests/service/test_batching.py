from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import pytest

from clinner_spacy.service.batching import BATCH_CHARACTERS, Batcher, QueueFull


def test_what_arrives_together_is_read_in_one_batch() -> None:
    batches: list[list[str]] = []

    def read(texts: Sequence[str]) -> list[str]:
        batches.append(list(texts))
        return [text.upper() for text in texts]

    async def ask() -> list[list[str]]:
        batcher = Batcher(read, batch_size=4, wait=0.05, queue=100, characters=1000)
        batcher.start()
        answers = await asyncio.gather(*(batcher.submit([f"a{n}", f"b{n}"]) for n in range(3)))
        await batcher.close()
        return answers

    assert asyncio.run(ask()) == [["A0", "B0"], ["A1", "B1"], ["A2", "B2"]]
    assert batches == [["a0", "b0", "a1", "b1"], ["a2", "b2"]]


def test_what_nobody_waits_for_is_not_read() -> None:
    """A request of large texts that is given up holds up others for one batch, not for all of its texts."""
    batches: list[int] = []

    def read(texts: Sequence[str]) -> list[str]:
        batches.append(len(texts))
        time.sleep(0.2)
        return list(texts)

    async def ask() -> list[str]:
        batcher = Batcher(read, batch_size=64, wait=0, queue=100, characters=10 * BATCH_CHARACTERS)
        batcher.start()
        large = asyncio.create_task(batcher.submit(["x" * BATCH_CHARACTERS] * 9))
        await asyncio.sleep(0.1)
        with pytest.raises(QueueFull):
            await batcher.submit(["y" * 3 * BATCH_CHARACTERS])
        large.cancel()
        answer = await batcher.submit(["small"])
        await batcher.close()
        return answer

    assert asyncio.run(ask()) == ["small"]
    assert batches == [1, 1]
