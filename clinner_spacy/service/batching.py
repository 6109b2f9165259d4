"""Texts of requests that arrive together are read in one batch, behind a queue that can be full."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

Result = TypeVar("Result")


#: Between two batches it is seen who has given up; a batch of so many characters takes a second or less.
BATCH_CHARACTERS = 100_000


class QueueFull(Exception):
    """More texts wait than may."""


class Batcher(Generic[Result]):
    """Hands texts to ``read``, in a thread of its own, as many at a time as wait.

    batch_size: texts of one batch at most; a batch of more than BATCH_CHARACTERS is not added to. wait: seconds that
    the first text of a batch waits for others. queue, characters: texts that may wait at most, and their characters.
    """

    def __init__(
        self,
        read: Callable[[Sequence[str]], list[Result]],
        *,
        batch_size: int,
        wait: float,
        queue: int,
        characters: int,
    ) -> None:
        self._read = read
        self._batch_size = batch_size
        self._wait = wait
        self._queue = queue
        self._characters = characters
        self._waiting: deque[tuple[str, asyncio.Future[Result]]] = deque()
        self._arrived = asyncio.Event()
        self._thread = ThreadPoolExecutor(1)
        self._task: asyncio.Task[None] | None = None
        self._closing = False

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Answer what waits, then stop."""
        self._closing = True
        self._arrived.set()
        if self._task is not None:
            await self._task
        self._thread.shutdown()

    async def submit(self, texts: Sequence[str]) -> list[Result]:
        """The result of each text. Raises QueueFull, with no text taken, if they do not all fit."""
        waiting = [text for text, future in self._waiting if not future.done()]
        if len(waiting) + len(texts) > self._queue or sum(map(len, [*waiting, *texts])) > self._characters:
            raise QueueFull
        loop = asyncio.get_running_loop()
        futures: list[asyncio.Future[Result]] = [loop.create_future() for _ in texts]
        self._waiting.extend(zip(texts, futures, strict=True))
        self._arrived.set()
        return list(await asyncio.gather(*futures))

    async def _run(self) -> None:
        while True:
            await self._arrived.wait()
            if not self._closing and len(self._waiting) < self._batch_size:
                await asyncio.sleep(self._wait)
            await self._read_batch()
            if not self._waiting:
                if self._closing:
                    return
                self._arrived.clear()

    async def _read_batch(self) -> None:
        batch: list[tuple[str, asyncio.Future[Result]]] = []
        size = 0
        while self._waiting and len(batch) < self._batch_size and size < BATCH_CHARACTERS:
            text, future = self._waiting.popleft()
            if not future.done():  # who gave up has cancelled
                batch.append((text, future))
                size += len(text)
        if not batch:
            return
        loop = asyncio.get_running_loop()
        try:
            results = await loop.run_in_executor(self._thread, self._read, [text for text, _ in batch])
        except Exception as error:
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), result in zip(batch, results, strict=True):
            if not future.done():
                future.set_result(result)
