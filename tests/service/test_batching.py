from __future__ import annotations

import asyncio
from collections.abc import Sequence

from clinner_spacy.service.batching import Batcher


def test_what_arrives_together_is_read_in_one_batch() -> None:
    batches: list[list[str]] = []

    def read(texts: Sequence[str]) -> list[str]:
        batches.append(list(texts))
        return [text.upper() for text in texts]

    async def ask() -> list[list[str]]:
        batcher = Batcher(read, batch_size=4, wait=0.05, queue=100)
        batcher.start()
        answers = await asyncio.gather(*(batcher.submit([f"a{n}", f"b{n}"]) for n in range(3)))
        await batcher.close()
        return answers

    assert asyncio.run(ask()) == [["A0", "B0"], ["A1", "B1"], ["A2", "B2"]]
    assert batches == [["a0", "b0", "a1", "b1"], ["a2", "b2"]]
