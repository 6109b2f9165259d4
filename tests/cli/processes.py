"""Commands as real processes that can be killed: forked from the tests, which have the slow imports behind them."""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from clinner_spacy.cli import app

PATIENCE = 5.0  # seconds within which a command has to answer


class Command:
    """``multiclin`` in a session of its own; what it prints goes to ``log``."""

    def __init__(self, args: list[object], log: Path, before: Callable[[], None] = lambda: None) -> None:
        self.log = log
        self.pid = os.fork()
        if self.pid == 0:
            _run([str(arg) for arg in args], log, before)

    def processes(self) -> list[int]:
        """Those of its session that live, itself first."""
        return sorted(pid for pid, (session, state) in _stats().items() if session == self.pid and state != "Z")

    def workers(self) -> list[int]:
        return [pid for pid in self.processes() if pid != self.pid]

    def wait(self, seconds: float = PATIENCE) -> int | None:
        """Its exit code, minus the signal that killed it, or None if it has not ended after so long."""
        status = until(lambda: os.waitpid(self.pid, os.WNOHANG) if self.pid else None, seconds, lambda got: got[0] != 0)
        return None if status is None else os.waitstatus_to_exitcode(status[1])

    def end(self) -> None:
        for pid in self.processes():
            os.kill(pid, signal.SIGKILL)


def until(look: Callable, seconds: float, enough: Callable = bool):
    """What ``look`` gives once it is enough, None if that takes longer."""
    stop = time.monotonic() + seconds
    while True:
        got = look()
        if enough(got):
            return got
        if time.monotonic() > stop:
            return None
        time.sleep(0.005)


def _run(args: list[str], log: Path, before: Callable[[], None]) -> None:
    """What the child does; it never comes back."""
    code = 99
    try:
        os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in the background
        target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(target, 1)
        os.dup2(target, 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
        before()
        app(args)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _stats() -> dict[int, tuple[int, str]]:
    """Session and state of every process."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        found[int(path.parent.name)] = int(fields[3]), fields[0]
    return found
