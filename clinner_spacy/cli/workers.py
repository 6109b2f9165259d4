"""Work spread over processes that end with the command, however it ends."""

from __future__ import annotations

import multiprocessing
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

from clinner_spacy.errors import ClinnerError

Item = TypeVar("Item")
Result = TypeVar("Result")

#: Turns batches into their results, one after the other.
Work = Callable[[Iterable[list[Item]]], Iterator[list[Result]]]

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def spread(batches: Iterable[list[Item]], work: Work, n_process: int) -> Iterator[Result]:
    """The results of all batches, in their order; each process runs ``work`` on those that it is given.

    A process has one batch at a time, so that neither side ever waits for the other to read. Raises ClinnerError when a
    process ends before its time.
    """
    workers: list[_Worker] = []
    try:
        with _held(SIGNALS):  # what a child would do on one while it is being made is undefined
            for _ in range(n_process):
                workers.append(_Worker(work, [worker.connection for worker in workers]))
        sentinels = [worker.process.sentinel for worker in workers]
        free, busy = deque(workers), deque[_Worker]()
        for batch in batches:
            results: list[Result] = []
            if not free:
                free.append(busy.popleft())
                results = free[0].receive(sentinels)
            busy.append(free.popleft())
            busy[-1].send(batch)
            yield from results
        while busy:
            yield from busy.popleft().receive(sentinels)
    finally:
        for worker in workers:
            worker.process.kill()
        for worker in workers:
            worker.process.join()


class _Worker:
    """A process and the connection to it."""

    def __init__(self, work: Work, others: list[Connection]) -> None:
        # Forked processes share the weights that are in memory; on other systems forking is not safe.
        context: Any = multiprocessing.get_context("fork" if sys.platform == "linux" else None)
        self.connection, far_end = context.Pipe()
        ours = [*others, self.connection]
        self.process = context.Process(target=_run, args=(work, far_end, ours), daemon=True)
        self.process.start()
        far_end.close()  # the connection ends when the process does

    def send(self, batch: list) -> None:
        try:
            self.connection.send(batch)
        except OSError as error:
            raise self._ended() from error

    def receive(self, sentinels: list[int]) -> list:
        """The results of the batch sent last. ``sentinels`` are those of all processes: when one ends, all is over."""
        try:
            if self.connection not in wait([self.connection, *sentinels]):
                raise self._ended()
            results = self.connection.recv()
        except (EOFError, OSError) as error:
            raise self._ended() from error
        if isinstance(results, ClinnerError):
            raise results
        return results

    def _ended(self) -> ClinnerError:
        return ClinnerError(
            "A process of --n-process ended before its time, killed perhaps for want of memory; try fewer processes."
        )


def _run(work: Work, connection: Connection, of_parent: list[Connection]) -> None:
    """What a process does: it ends when its parent does, since the connection ends then."""
    for end in of_parent:  # a fork holds them, too, and would keep the connection open
        end.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches parent and children; the parent ends them
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _release(SIGNALS)
    try:
        for results in work(iter(connection.recv, None)):
            connection.send(results)
    except ClinnerError as error:
        connection.send(error)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        pass
    except Exception as error:  # its words may be those of a text
        connection.send(ClinnerError(f"A process failed ({type(error).__name__}); try without --n-process."))


@contextmanager
def _held(signals: Iterable[signal.Signals]) -> Iterator[None]:
    """Let signals wait until the block ends."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _release(signals: Iterable[signal.Signals]) -> None:
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
