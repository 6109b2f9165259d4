"""Notes per second and memory of the ways to read a table of notes: one process, several, workers of Ray.

    python benchmarks/scale.py --corpora ../shared/corpora --notes 100000

Notes of some 20 to 150 words are cut from the corpora's texts, shuffled, and repeated where they are too few. Each way
reads the same Parquet files into one, in processes of its own. Start-up is what a run of 64 notes takes; notes a second
are those of a whole run, and those after start-up. Memory is the most that all processes of a way held together, by
their proportional share (PSS), and processor time what they used together; both are looked at twice a second. On a
machine with other work, compare processor time. Without Ray (extra ``ray``) its rows are left out.
"""

from __future__ import annotations

import functools
import itertools
import multiprocessing
import os
import random
import re
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import typer

from clinner_spacy.tables.annotate import Annotate

#: Notes in a file, and in a batch of those that read one.
NOTES_A_FILE, NOTES_A_BATCH = 10_000, 1000
#: Words in a note, drawn evenly.
WORDS = (20, 150)
#: Notes of a run that is all start-up.
FEW = 64


class Run(NamedTuple):
    """What one run took."""

    seconds: float
    cpu: float
    memory: int
    mentions: int


def main(
    corpora: Annotated[Path, typer.Option(help="Folder with the corpora.")],
    notes: Annotated[int, typer.Option(min=1000)] = 100_000,
    workers: Annotated[int, typer.Option(min=1, help="The most that read at the same time.")] = 2,
) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        words = write_notes(folder / "all", corpora, notes)
        write_notes(folder / "few", corpora, FEW)
        print(f"{notes:,} notes, {words:,} words\n")
        compare(folder, notes, workers)
        growth(folder, corpora, notes)


def compare(folder: Path, notes: int, workers: int) -> None:
    ways = [("one process", plain, 1), *((f"n_process={n}", processes, n) for n in range(2, workers + 1))]
    if find_spec("ray"):
        ways += [(f"Ray, {n} workers", on_ray, n) for n in range(1, workers + 1)]
    print("| | start-up | notes/s | after start-up | processor time | peak memory |\n|---|---|---|---|---|---|")
    mentions = set()
    for name, way, n in ways:
        few, run = measure(way, folder / "few", n), measure(way, folder / "all", n)
        after = (notes - FEW) / (run.seconds - few.seconds)
        print(f"| {name} | {few.seconds:.1f} s | {notes / run.seconds:,.0f} | {after:,.0f} ", end="")
        print(f"| {few.cpu:.0f} + {run.cpu - few.cpu:.0f} s | {run.memory / 2**30:.2f} GiB |", flush=True)
        mentions.add(run.mentions)
    if len(mentions) > 1:
        raise SystemExit(f"The ways do not agree on the mentions there are: {mentions}.")


def growth(folder: Path, corpora: Path, notes: int) -> None:
    """One process on more and more notes."""
    print("\n| notes | seconds | processor time | peak memory |\n|---|---|---|---|")
    for n in [n for n in (1000, 10_000, 100_000) if n < notes] + [notes]:
        write_notes(folder / f"grow-{n}", corpora, n)
        run = measure(plain, folder / f"grow-{n}", 1)
        print(f"| {n:,} | {run.seconds:.1f} | {run.cpu:.1f} s | {run.memory / 2**30:.2f} GiB |", flush=True)


# Notes


def write_notes(folder: Path, corpora: Path, notes: int) -> int:
    """Parquet files with so many notes; gives the number of their words."""
    folder.mkdir()
    texts = list(itertools.islice(itertools.cycle(cut(corpora)), notes))
    for n in range(0, notes, NOTES_A_FILE):
        part = texts[n : n + NOTES_A_FILE]
        ids = [f"note-{n + i:07}" for i in range(len(part))]
        pq.write_table(pa.table({"note_id": ids, "text": part}), folder / f"{n:07}.parquet")
    return sum(len(text.split()) for text in texts)


@functools.cache
def cut(corpora: Path) -> list[str]:
    """The corpora's distinct texts in all languages, cut at white space into notes, shuffled."""
    draw = random.Random(0)
    found = []
    for text in sorted({file.read_text(encoding="utf8") for file in corpora.glob("MultiClinNER-*/*/*/txt/*.txt")}):
        pieces = re.findall(r"\S+\s*", text)
        while pieces:
            n = draw.randint(*WORDS)
            found.append("".join(pieces[:n]))
            pieces = pieces[n:]
    draw.shuffle(found)
    return found


# Ways


#: The embedded model, as a config: a function of this file could not be found by other processes.
PIPELINE = {
    "nlp": {"lang": "xx", "pipeline": ["multiclin_ner"]},
    "components": {"multiclin_ner": {"factory": "multiclin_ner"}},
}


def batches(source: Path) -> Iterator[pa.RecordBatch]:
    for file in sorted(source.iterdir()):
        yield from pq.ParquetFile(file).iter_batches(NOTES_A_BATCH)


def plain(source: Path, output: Path, workers: int) -> None:
    import torch

    torch.set_num_threads(1)
    annotate = Annotate(PIPELINE)
    write(map(annotate, batches(source)), output)


def processes(source: Path, output: Path, workers: int) -> None:
    """As ``predict --n-process`` does."""
    import torch

    from clinner_spacy.cli.annotate import annotate_texts
    from clinner_spacy.pipeline.components import labels_of
    from clinner_spacy.tables.annotate import load_pipeline
    from clinner_spacy.tables.arrow import as_table, mention_columns
    from clinner_spacy.tables.found import Text
    from clinner_spacy.tables.records import mention_records

    torch.set_num_threads(1)
    nlp = load_pipeline(PIPELINE)
    texts = (Text(row["note_id"], row["text"]) for batch in batches(source) for row in batch.to_pylist())
    found = annotate_texts(texts, nlp, labels_of(nlp), workers)
    columns = mention_columns(said=False, linked=False)
    tables = (
        as_table([record for note in notes for record in mention_records(note)], columns)
        for notes in iter(lambda: list(itertools.islice(found, NOTES_A_BATCH)), [])
    )
    write(tables, output)


def on_ray(source: Path, output: Path, workers: int) -> None:
    from clinner_spacy.tables.ray_job import predict_with_ray

    predict_with_ray(source, output / "found", {"pipeline": PIPELINE}, workers)


def write(tables: Iterator[pa.Table], output: Path) -> None:
    first = next(tables)
    with pq.ParquetWriter(output / "found.parquet", first.schema) as writer:
        for table in itertools.chain([first], tables):
            writer.write_table(table)


# Measuring


def measure(way: Any, source: Path, workers: int) -> Run:
    """Run a way in a process of its own and watch all its processes."""
    with tempfile.TemporaryDirectory() as output:
        process = multiprocessing.get_context("spawn").Process(target=way, args=(source, Path(output), workers))
        begin = time.perf_counter()
        process.start()
        memory, cpu = 0, {}
        while process.is_alive():
            there = family(process.pid or 0)
            memory = max(memory, sum(map(held, there)))
            cpu |= {pid: spent(pid) or cpu.get(pid, 0) for pid in there}
            process.join(0.5)
        seconds = time.perf_counter() - begin
        if process.exitcode:
            raise SystemExit(f"{way.__name__} failed.")
        found = [pq.read_metadata(file).num_rows for file in Path(output).rglob("*.parquet")]
    return Run(seconds, sum(cpu.values()), memory, sum(found))


def family(pid: int) -> set[int]:
    """A process and all its descendants."""
    parent = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:  # it has just ended
            continue
    found, size = {pid}, 0
    while len(found) > size:
        size = len(found)
        found |= {child for child, above in parent.items() if above in found}
    return found


def held(pid: int) -> int:
    """Bytes that a process holds, its share of what several hold."""
    try:
        return int(Path(f"/proc/{pid}/smaps_rollup").read_text().partition("\nPss:")[2].split()[0]) * 1024
    except (OSError, IndexError):
        return 0


def spent(pid: int) -> float:
    """Seconds of a processor that a process has used."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    typer.run(main)
