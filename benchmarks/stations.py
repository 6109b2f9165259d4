"""Where the time of ours goes, for benchmarks/throughput.py."""

from __future__ import annotations

import functools
import pkgutil
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from workers import answer, ask, worker

#: Where the time of ours goes: station -> what is timed. What is called within another is taken off that.
STATIONS = {
    "spaCy tokenizer": "spacy.language.Language.make_doc",
    "piece tokenizer": "clinner_spacy.encoders.pieces.PieceTokenizer.__call__",
    "windows and batches": "clinner_spacy.models.transformer.prepare",
    "encoder": "clinner_spacy.encoders.shim.EncoderShim.predict",
    "heads and votes": "clinner_spacy.models.multitask.score_readings",
    "decode": "clinner_spacy.pipeline.tagger.predictions",
    "spans and entities": "clinner_spacy.pipeline.tagger.MultiClinNER.set_annotations",
}


def profile(work: Path, texts: list[str]) -> None:
    with worker(serve_profile, work) as connection:
        ask(connection, texts[:64])
        spent = ask(connection, texts[:300])
    total = sum(spent.values())
    print("\n| station | share |\n|---|---|")
    for name, seconds in spent.items():
        print(f"| {name} | {seconds / total:.1%} |")


def serve_profile(work: Path, connection: Connection) -> None:
    import contenders

    spent: dict[str, float] = {}
    inside: list[float] = []
    for station, path in STATIONS.items():
        time_calls(path, station, spent, inside)
    nlp = contenders.pipeline_of_ours(work)

    def reply(texts: list[str]) -> dict[str, float]:
        spent.update(dict.fromkeys(STATIONS, 0.0))
        begin = time.perf_counter()
        for _ in nlp.pipe(texts):
            pass
        rest = time.perf_counter() - begin - sum(spent.values())
        return {**spent, "the rest of nlp.pipe": rest}

    answer(connection, reply)


def time_calls(path: str, station: str, spent: dict[str, float], inside: list[float]) -> None:
    """Add up the seconds of each call of a function, without those of timed functions that it calls."""
    owner_path, name = path.rsplit(".", 1)
    owner = pkgutil.resolve_name(owner_path)
    function = getattr(owner, name)

    @functools.wraps(function)
    def timed(*args: Any, **kwargs: Any) -> Any:
        inside.append(0.0)
        begin = time.perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            taken = time.perf_counter() - begin
            spent[station] = spent.get(station, 0.0) + taken - inside.pop()
            if inside:
                inside[-1] += taken

    setattr(owner, name, timed)
