"""A terminology of a million terms: how long it takes to build, to open and to use, and how much memory.

    python benchmarks/linking_scale.py scale --lexicons ../shared/lexicons --corpora ../shared/corpora

Seconds are those of one core, memory the most that a process had; each step has a process of its own.
"""

# ruff: noqa: E402 (one thread must be asked for before numpy is imported)

from __future__ import annotations

import os

for variable in ("OMP_NUM_THREADS", "BLIS_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = "1"

import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from linking import Corpora, Lexicons, read_hpo

from clinner_spacy.linking.corpus import read_annotated
from clinner_spacy.linking.index import build_index
from clinner_spacy.linking.linker import Linker, Mention
from clinner_spacy.linking.source import Source
from clinner_spacy.linking.store import open_source, save_source
from clinner_spacy.linking.terminology import Term, Terminology

app = typer.Typer(add_completion=False)

#: What is put before or behind a term to make ten of it.
MODIFIERS = ("{}", "severe {}", "{} grade 2", "bilateral {}", "{} crónica", "acute {}", "{} of the left side")
MODIFIERS += ("familial {}", "{} sin complicaciones", "recurrent {}", "{} tipo 1", "{} in remission", "mild {}")


@app.command()
def scale(
    lexicons: Lexicons,
    corpora: Corpora,
    n_terms: Annotated[int, typer.Option(help="Terms to index.")] = 1_000_000,
) -> None:
    """Build, open and use an index of a million terms, each in a process of its own; memory is the most it had."""
    folder = Path(tempfile.mkdtemp())
    try:
        for step in ("build", "open", "use"):
            command = [
                sys.executable,
                __file__,
                f"scale-{step}",
                str(folder),
                str(lexicons),
                str(corpora),
                str(n_terms),
            ]
            subprocess.run(command, check=True)
    finally:
        shutil.rmtree(folder)


@app.command(hidden=True)
def scale_build(folder: Path, lexicons: Path, corpora: Path, n_terms: int) -> None:
    base = list(dict.fromkeys(term for terms in read_hpo(lexicons).values() for term in terms))
    made = (Term(t.code, modifier.format(t.term), lang=t.lang) for modifier in MODIFIERS for t in base)
    terms = [term for term, _ in zip(made, range(n_terms), strict=False)]
    begin = time.process_time()
    save_source(Source(build_index(Terminology(terms), lang="es")), folder)
    size = sum(file.stat().st_size for file in folder.iterdir()) / 1e6
    seconds = time.process_time() - begin
    print(f"build {len(terms):,} terms: {seconds:.0f} s, {memory():.2f} GB, {size:,.0f} MB on disk", flush=True)


@app.command(hidden=True)
def scale_open(folder: Path, lexicons: Path, corpora: Path, n_terms: int) -> None:
    begin = time.perf_counter()
    linker = Linker(open_source(folder).index)
    opened = time.perf_counter() - begin
    linker([Mention("severe fever"), Mention("fiebre muy alta")], 5)
    seconds = time.perf_counter() - begin
    print(f"open {opened * 1000:.0f} ms, two mentions looked up after {seconds:.2f} s; {memory():.2f} GB", flush=True)


@app.command(hidden=True)
def scale_use(folder: Path, lexicons: Path, corpora: Path, n_terms: int) -> None:
    """All mentions of CANTEMIST-NORM in their order, which are tumours and hence seldom in the ontology; and terms of
    the ontology, each ten times, in four of five as they are and in one with a letter left out."""
    import spacy

    chance = random.Random(0)
    parts = ("train-set", "dev-set1", "dev-set2")
    tumours = [
        Mention(m.text, m.label) for p in parts for m in read_annotated(corpora / "Cantemist-norm-es" / p, "notes")
    ]
    spanish = [term.term for term in read_hpo(lexicons)["es"]]
    phenotypes = [Mention(_misspelled(term, chance)) for term in chance.sample(spanish, 3000)] * 10
    chance.shuffle(phenotypes)
    for name, mentions in (("tumours", tumours), ("phenotypes", phenotypes)):
        nlp = spacy.blank("es")
        linker: Any = nlp.add_pipe("concept_linker", config={"index": str(folder)})
        linker.load()
        begin = time.process_time()
        for start in range(0, len(mentions), 1000):
            linker.candidates(set(mentions[start : start + 1000]))
        seconds = time.process_time() - begin
        n = len(set(mentions))
        speed = f"{len(mentions) / seconds:,.0f} mentions/s, {n / seconds:,.0f} distinct/s"
        print(f"{name}: {len(mentions):,} mentions, {n:,} distinct: {speed}; {memory():.2f} GB", flush=True)


def _misspelled(term: str, chance: random.Random) -> str:
    place = chance.randrange(len(term))
    return term if chance.random() < 0.8 else term[:place] + term[place + 1 :]


def memory() -> float:
    """The most memory that this process has had, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


if __name__ == "__main__":
    app()
