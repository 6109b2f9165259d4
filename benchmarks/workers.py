"""Processes of their own that benchmarks/throughput.py asks."""

from __future__ import annotations

import contextlib
import multiprocessing
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from typing import Any


@contextlib.contextmanager
def worker(target: Callable[..., None], *args: Any) -> Iterator[Connection]:
    """A process of its own that answers what it is sent."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=target, args=(*args, there), daemon=True)
    process.start()
    there.close()
    try:
        yield here
    finally:
        here.close()
        process.join()


def ask(connection: Connection, question: Any) -> Any:
    connection.send(question)
    return connection.recv()


def answer(connection: Connection, reply: Callable[[Any], Any]) -> None:
    with contextlib.suppress(EOFError):
        while True:
            connection.send(reply(connection.recv()))


def peak() -> int:
    """The most memory that this process has held, in bytes."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
