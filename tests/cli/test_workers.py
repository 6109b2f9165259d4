"""--n-process: whatever happens, the command answers soon, its processes end and nothing half done stays."""

from __future__ import annotations

import errno
import os
import random
import resource
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from clinner_spacy.cli.workers import spread
from clinner_spacy.errors import ClinnerError
from tests.cli.conftest import TEXT
from tests.cli.processes import PATIENCE, Command, until
from tests.cli.test_predict import write

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")

#: Kills tried by the slow test, spread over all ways.
KILLS = 60


def squares(batches: Iterable[list[int]]) -> Iterator[list[int]]:
    for batch in batches:
        if 13 in batch:
            raise ClinnerError("thirteen")
        if 99 in batch:
            os._exit(1)
        yield [number * number for number in batch]


def test_results_come_in_order_however_large() -> None:
    batches = [list(range(n, n + n % 7)) for n in range(20, 60)]
    assert list(spread(batches, squares, 3)) == [n * n for batch in batches for n in batch]
    huge = [[b"x" * 3_000_000] for _ in range(6)]  # more than a pipe holds, both ways
    assert [len(part) for part in spread(huge, iter, 2)] == [3_000_000] * 6
    assert list(spread([], squares, 2)) == []


@pytest.mark.parametrize(("bad", "message"), [(13, "thirteen"), (99, "ended before its time")])
def test_what_goes_wrong_in_a_process_is_told(bad: int, message: str) -> None:
    with pytest.raises(ClinnerError, match=message):
        list(spread([[1], [2], [bad], *([n] for n in range(200, 300))], squares, 2))


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """Notes that take about a second."""
    return write(tmp_path / "in", {f"{n:03}.txt": f"{TEXT}\n" * 40 for n in range(150)})


def predict(saved: Path, notes: Path, *args: object, before=lambda: None) -> Command:
    output = notes.parent / "out"
    format = () if "--format" in args else ("--format", "tsv")
    command = ["predict", notes, output, "--model", saved, *format, *args]
    return Command(command, notes.parent / "log", before)


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name not in ("in", "log"))


@pytest.mark.parametrize(
    ("to", "number", "code"),
    [
        ("parent", signal.SIGTERM, 143),
        ("parent", signal.SIGINT, None),
        ("all", signal.SIGINT, None),  # Ctrl-C
        ("worker", signal.SIGKILL, 1),
        ("worker", signal.SIGTERM, 1),
    ],
)
def test_signals(saved: Path, notes: Path, to: str, number: int, code: int | None) -> None:
    command = predict(saved, notes, "--n-process", 2)
    try:
        assert until(lambda: len(command.workers()) == 2, 60)
        time.sleep(0.1)
        targets = {"parent": [command.pid], "all": command.processes(), "worker": command.workers()[:1]}[to]
        for pid in targets:
            os.kill(pid, number)
        ended = command.wait()
        log = command.log.read_text()
        assert ended is not None and ended != 0 and code in (None, ended), log
        assert until(lambda: not command.processes(), PATIENCE) and leftovers(notes.parent) == []
        assert "Traceback" not in log and (to != "worker" or log.count("\n") == 1), log
    finally:
        command.end()


@pytest.mark.parametrize("n_process", [1, 2])
def test_a_full_disk(saved: Path, notes: Path, n_process: int) -> None:
    def small_files() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    command = predict(saved, notes, "--n-process", n_process, before=small_files)
    try:
        assert command.wait(60) == 1
        assert "cannot be written: " + os.strerror(errno.EFBIG) in command.log.read_text()
        assert until(lambda: not command.processes(), PATIENCE) and leftovers(notes.parent) == []
    finally:
        command.end()


@pytest.mark.slow
def test_killed_at_any_moment(saved: Path, notes: Path) -> None:
    """SIGTERM, SIGINT or SIGKILL to the command or one of its processes; table or brat; one process or two."""
    before = {path.name: path.read_bytes() for path in notes.iterdir()}
    expected, seconds = {}, {}
    for format in ("tsv", "brat"):
        for n in (1, 2):
            start = time.monotonic()
            command = predict(saved, notes, "--format", format, "--n-process", n)
            assert command.wait(60) == 0, command.log.read_text()
            seconds[format, n] = time.monotonic() - start
            expected[format] = _taken(notes.parent / "out")
    dice, outcomes = random.Random(9), []
    for number in range(KILLS):
        format, n = dice.choice(("tsv", "brat")), dice.choice((1, 2, 2))
        sent, to_worker = dice.choice((signal.SIGTERM, signal.SIGINT, signal.SIGKILL)), n == 2 and dice.random() < 0.4
        command = predict(saved, notes, "--format", format, "--n-process", n)
        try:
            if to_worker:
                until(command.workers, 60)
            time.sleep(dice.uniform(0.02, (0.4 if to_worker else 0.95) * seconds[format, n]))
            target = (command.workers() if to_worker else [command.pid])[:1]
            for pid in target:
                os.kill(pid, sent)
            ignored = to_worker and (sent == signal.SIGINT or not target)
            ended = command.wait(60 if ignored else PATIENCE)
            what = f"{number}: {format}, {n} processes, {sent.name} to {'worker' if to_worker else 'command'}: {ended}"
            assert ended is not None, what
            assert until(lambda: not command.processes(), PATIENCE), f"{what}, orphans"  # noqa: B023
            assert "Traceback" not in command.log.read_text(), what + command.log.read_text()
            output = notes.parent / "out"
            assert not output.exists() or _taken(output) == expected[format], f"{what}, partial output"
            for name in leftovers(notes.parent):
                assert sent == signal.SIGKILL and not to_worker and name.startswith(".multiclin."), f"{what}, {name}"
                _taken(notes.parent / name)
            assert {path.name: path.read_bytes() for path in notes.iterdir()} == before, what
            outcomes.append(ended)
        finally:
            command.end()
    print(f"{len(outcomes)} kills, {sum(code != 0 for code in outcomes)} of them before the end")
    assert sum(code != 0 for code in outcomes) > KILLS / 2  # the moments were not all too late


def _taken(path: Path) -> dict[str, bytes]:
    """What a file or folder holds; it is gone then."""
    if path.is_file():
        files = {"": path.read_bytes()}
        path.unlink()
        return files
    files = {str(file.relative_to(path)): file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()}
    for file in sorted(path.rglob("*"), reverse=True):
        file.unlink() if file.is_file() else file.rmdir()
    path.rmdir()
    return files
