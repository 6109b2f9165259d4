"""The service under load, on loopback: latency, notes a second, errors, memory, beside one made as DT4H's is described.

    python benchmarks/serve.py --corpora ../shared/corpora
    python benchmarks/serve.py --texts notes/ --only embedded --seconds 5 --requests 2000

Services: "embedded", the model inside; "xlm-r", an XLM-R base of full size with random weights that finds three tasks;
"flask", Flask with three transformers pipelines around the same encoder, one a task, text by text (needs Flask), which
is asked in turn with "xlm-r". Each is a process of its own. A client sends one note a request, waits for the answer and
sends the next. Processor seconds are what the service's process took: they depend less on what else the machine does.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from importlib.util import find_spec
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import httpx
import typer
from workers import answer, ask, worker

SERVICES = ("embedded", "xlm-r", "flask")

#: Numbers of clients that ask at once, and how many do where services are compared.
CLIENTS, BESIDE = (1, 8, 64), 8

#: Requests before anything is measured, and seconds that an answer may take.
WARM, PATIENCE = 8, 600.0


class Answered(NamedTuple):
    """seconds: of each answer; failures: answers that are none; elapsed: seconds of them all; processor: seconds that
    the service's process took."""

    seconds: list[float]
    failures: int
    elapsed: float
    processor: float

    def row(self) -> str:
        count = len(self.seconds)
        p50, p99 = (1000 * value for value in (statistics.median(self.seconds), percentile(self.seconds, 0.99)))
        rates = f"{count / self.elapsed:,.1f} | {self.processor / count:.3f}"
        return f"{rates} | {p50:,.0f} | {p99:,.0f} | {count:,} | {self.failures}"


COLUMNS = "notes/s | processor s a note | p50, ms | p99, ms | requests | errors"


def main(
    corpora: Annotated[Path | None, typer.Option(help="Folder with the MultiClinNER corpora; their dev parts.")] = None,
    texts: Annotated[Path | None, typer.Option(help="Folder with .txt files to send instead.")] = None,
    only: Annotated[list[str] | None, typer.Option(help=f"{', '.join(SERVICES)}, memory; repeat.")] = None,
    count: Annotated[int, typer.Option(min=1, help="Notes of a round; every service reads whole rounds.")] = 32,
    seconds: Annotated[float, typer.Option(help="No new round begins after these.")] = 20.0,
    turns: Annotated[int, typer.Option(min=1, help="Rounds of each, of flask and xlm-r in turn.")] = 3,
    requests: Annotated[int, typer.Option(min=100, help="For memory, with the embedded model.")] = 20_000,
) -> None:
    from contenders import build
    from throughput import count_words, read_texts

    found = read_texts(corpora, texts)
    notes = found[:count]
    wanted = only or [*SERVICES, "memory"]
    words, busy = count_words(notes), os.getloadavg()[0]
    print(f"{len(notes)} notes a round, {words:,} words; {os.cpu_count()} cores, {busy:.1f} processes at work before")
    with tempfile.TemporaryDirectory() as work:
        if {"xlm-r", "flask"} & set(wanted):
            build(Path(work), found)
        for name in [name for name in SERVICES if name in wanted and name != "flask"]:
            measure(name, work, notes, seconds)
        if "flask" in wanted and find_spec("flask") is None:
            print("flask is left out: it is not installed")
        elif "flask" in wanted:
            compare(work, notes, turns)
    if "memory" in wanted:
        shortest = sorted(found, key=len)[: len(found) // 2]
        watch_memory(shortest, requests)


def measure(name: str, work: str, notes: Sequence[str], seconds: float) -> None:
    """Print a row for each number of clients."""
    with worker(serve, name, work) as service:
        print(f"\n| service | clients | {COLUMNS} | memory |\n|---|---|---|---|---|---|---|---|---|")
        load(service, iter(notes[:WARM]), 1)
        for clients in CLIENTS:
            done = load(service, rounds(notes, seconds), clients)
            memory = ask(service, "memory") / 2**20
            print(f"| {name} | {clients} | {done.row()} | {memory:,.0f} MiB |", flush=True)


def compare(work: str, notes: Sequence[str], turns: int) -> None:
    """Print rows of two services that answer the same notes in turn, and how much faster ours is."""
    with worker(serve, "xlm-r", work) as ours, worker(serve, "flask", work) as theirs:
        print(f"\n| in turn | clients | {COLUMNS} |\n|---|---|---|---|---|---|---|---|")
        faster, cheaper = [], []
        for service in (ours, theirs):
            load(service, iter(notes[:WARM]), 1)
        for _ in range(turns):
            a, b = (load(service, iter(notes), BESIDE) for service in (ours, theirs))
            for name, done in (("xlm-r", a), ("flask", b)):
                print(f"| {name} | {BESIDE} | {done.row()} |", flush=True)
            faster.append(b.elapsed / a.elapsed)
            cheaper.append(b.processor / a.processor)
        medians = [statistics.median(ratios) for ratios in (faster, cheaper)]
        print(f"\nOurs: {medians[0]:.1f} times the notes a second, {medians[1]:.1f} times those a processor second.")


def watch_memory(notes: Sequence[str], requests: int) -> None:
    """Print what the service holds as requests go by, each with a word that no other has."""
    sent = (f"{note} HC{n:06d}" for n, note in enumerate(itertools.cycle(notes)))
    print("\n| requests | memory | errors |\n|---|---|---|")
    with worker(serve, "embedded", "") as service:
        done, errors = 0, 0
        for share in (0.01, 0.25, 0.5, 0.75, 1.0):
            more = int(requests * share) - done
            errors += load(service, itertools.islice(sent, more), BESIDE).failures
            done += more
            print(f"| {done:,} | {ask(service, 'memory') / 2**20:,.0f} MiB | {errors} |", flush=True)


# Clients


def rounds(notes: Sequence[str], seconds: float) -> Iterator[str]:
    """The notes again and again, until a round ends after ``seconds``."""
    begin = time.perf_counter()
    while True:
        yield from notes
        if time.perf_counter() - begin > seconds:
            return


def load(service: Connection, notes: Iterator[str], clients: int) -> Answered:
    """Send the notes, each once, ``clients`` at a time."""
    port, before = ask(service, "port"), ask(service, "processor")
    begin = time.perf_counter()
    taken, failures = asyncio.run(send(port, notes, clients))
    return Answered(taken, failures, time.perf_counter() - begin, ask(service, "processor") - before)


async def send(port: int, notes: Iterator[str], clients: int) -> tuple[list[float], int]:
    taken: list[float] = []
    failures = 0

    async def client() -> None:
        nonlocal failures
        # A pool of one connection each: a pool of 64 takes more of the processor than the service does.
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE, verify=False) as http:
            for note in notes:  # all clients take from the same
                begin = time.perf_counter()
                told = await http.post("/process_bulk", json=[{"text": note}])
                taken.append(time.perf_counter() - begin)
                failures += not (told.status_code == 200 and told.json()[0]["nlp_output"]["processing_success"])

    await asyncio.gather(*(client() for _ in range(clients)))
    return taken, failures


def percentile(values: Iterable[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


# Services


def serve(name: str, work: str, connection: Connection) -> None:
    """Serve on a free port of loopback; tell it, and what memory and time this process takes."""
    port = (serve_flask if name == "flask" else serve_ours)(name, Path(work))
    tell = {"port": lambda: port, "memory": resident, "processor": time.process_time}
    answer(connection, lambda asked: tell[asked]())


def serve_ours(name: str, work: Path) -> int:
    import uvicorn

    from clinner_spacy.cli.model import build_nlp
    from clinner_spacy.service.app import build_app
    from clinner_spacy.service.reader import Reader

    random = {"model": str(work / "mtl.pt"), "base_model": str(work / "base")}
    nlp = build_nlp(**random, lang="es") if name == "xlm-r" else build_nlp(lang="es")
    app = build_app({"es": Reader(nlp, name)})
    server = uvicorn.Server(uvicorn.Config(app, port=0, access_log=False, log_level="warning"))
    threading.Thread(target=server.run, daemon=True).start()
    while not server.started:
        time.sleep(0.05)
    return int(server.servers[0].sockets[0].getsockname()[1])


def serve_flask(name: str, work: Path) -> int:
    """Flask's own server, a thread a request; a pipeline a task, and texts one after another."""
    import logging

    import flask
    from contenders import OVERLAP, TASKS
    from transformers import AutoModelForTokenClassification, AutoTokenizer, pipeline
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    tokenizer = AutoTokenizer.from_pretrained(work / "tagger")
    model = AutoModelForTokenClassification.from_pretrained
    settings = {"tokenizer": tokenizer, "aggregation_strategy": "first", "stride": OVERLAP}
    pipes = {task: pipeline("token-classification", model=model(work / "tagger"), **settings) for task in TASKS}
    app = flask.Flask(__name__)

    @app.post("/process_bulk")
    def process_bulk() -> Any:
        answers = []
        for note in flask.request.get_json():
            answers.append(as_dt4h(note, {task: pipe(note["text"]) for task, pipe in pipes.items()}))
        return flask.jsonify(answers)

    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return int(server.server_port)


def as_dt4h(note: dict[str, Any], found: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    annotations = [
        {
            "concept_class": task,
            "start_offset": int(one["start"]),
            "end_offset": int(one["end"]),
            "mention_string": note["text"][one["start"] : one["end"]],
            "extraction_confidence": float(one["score"]),
        }
        for task, mentions in found.items()
        for one in mentions
    ]
    return {"nlp_output": {"record_metadata": note, "annotations": annotations, "processing_success": True}}


def resident() -> int:
    """Bytes of memory that this process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    typer.run(main)
