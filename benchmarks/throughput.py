"""Words per second of every way to get three tasks' mentions out of an XLM-R base, and of the embedded model.

    python benchmarks/throughput.py --corpora ../shared/corpora
    python benchmarks/throughput.py --texts notes/ --only ours --only limit
    python benchmarks/throughput.py --corpora ../shared/corpora --encoder modernbert --encoder bert

Random weights of full size (12 layers, width 768, 250,002 pieces), real texts. Each contender lives in a process of its
own; they read in turn, round after round, and medians count. Those that are slow read fewer texts of the same shuffle.
Two peers need spacy-huggingface-pipelines (and with it transformers 4.x) and edsnlp[ml]; what is not installed is left
out.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.util import find_spec
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Annotated, Any

import spacy
import typer
from stations import profile
from workers import answer, ask, peak, worker

PARTS = ("MultiClinNER-es", "MultiClinNER-es-cardio", "MultiClinNER-en")

#: Name -> function in contenders.py, its settings, and the package it needs.
CONTENDERS: dict[str, tuple[str, dict[str, Any], str]] = {
    "reference": ("reference", {}, "torch"),
    "pipeline": ("hf_pipeline", {}, "torch"),
    "pipeline, bf16": ("hf_pipeline", {"dtype": "bfloat16"}, "torch"),
    "hf_token_pipe": ("hf_token_pipe", {}, "spacy_huggingface_pipelines"),
    "hf_token_pipe, bf16": ("hf_token_pipe", {"dtype": "bfloat16"}, "spacy_huggingface_pipelines"),
    "edsnlp, batches of 16": ("edsnlp", {}, "edsnlp"),
    "edsnlp, one by one": ("edsnlp", {"batch_size": 1}, "edsnlp"),
    "ours, fp32": ("ours", {"precision": "fp32"}, "torch"),
    "ours, 256/32": ("ours", {"window": 256, "overlap": 32}, "torch"),
    "ours": ("ours", {}, "torch"),
    "embedded": ("embedded", {}, "torch"),
}

#: Fewest texts a contender reads in a round: some of them want whole batches.
MIN_TEXTS = 24


def main(
    corpora: Annotated[Path | None, typer.Option(help="Folder with the MultiClinNER corpora; their dev parts.")] = None,
    texts: Annotated[Path | None, typer.Option(help="Folder with .txt files to read instead.")] = None,
    only: Annotated[list[str] | None, typer.Option(help=f"{', '.join(CONTENDERS)}, limit, scale; repeat.")] = None,
    rounds: Annotated[int, typer.Option(min=1)] = 3,
    seconds: Annotated[float, typer.Option(help="About how long a contender reads in a round.")] = 15.0,
    encoder: Annotated[
        list[str] | None,
        typer.Option(
            help="One task on this encoder (xlm-r-large, modernbert, eurobert, deberta-v2, bert), nothing else; repeat."
        ),
    ] = None,
    count: Annotated[int, typer.Option(min=2, help="Texts a round, for --encoder.")] = 8,
    work: Annotated[Path | None, typer.Option(help="Where the weights are kept (default: nowhere).")] = None,
) -> None:
    found = read_texts(corpora, texts)
    wanted = only or [*CONTENDERS, "limit", "scale"]
    with tempfile.TemporaryDirectory() as scratch:
        folder = work or Path(scratch)
        if encoder:
            import encoders

            print(f"{count} texts, {count_words(found[:count]):,} words, {os.cpu_count()} cores\n", flush=True)
            encoders.compare(folder, found[:count], encoder, rounds, count_words)
            return
        from contenders import build

        build(folder, found)
        print(f"{len(found)} texts, {count_words(found):,} words, {os.cpu_count()} cores\n", flush=True)
        compare(folder, found, wanted, rounds, seconds)
        if "ours" in wanted:
            profile(folder, found)
        if "scale" in wanted:
            for name in ("ours", "embedded"):
                scale(folder, found, name)
            processes(found)


def read_texts(corpora: Path | None, texts: Path | None) -> list[str]:
    """Distinct texts, shuffled."""
    if texts is not None:
        files = sorted(texts.rglob("*.txt"))
    elif corpora is not None:
        files = [file for part in PARTS for file in sorted((corpora / part / f"{part}-dev").rglob("*.txt"))]
    else:
        raise SystemExit("Name --corpora or --texts.")
    found = sorted({file.read_text(encoding="utf8") for file in files})
    random.Random(0).shuffle(found)
    return found


@functools.cache
def _blank() -> Any:
    nlp = spacy.blank("es")
    nlp.max_length = sys.maxsize
    return nlp


def count_words(texts: Sequence[str]) -> int:
    return sum(len(_blank().make_doc(text)) for text in texts)


# In turn


def compare(work: Path, texts: list[str], wanted: Sequence[str], rounds: int, seconds: float) -> None:
    """Print words per second, memory and ratios of all contenders, and the limit that matrix products set."""
    named = [name for name in wanted if name in CONTENDERS]
    for name in [name for name in named if find_spec(CONTENDERS[name][2]) is None]:
        print(f"{name} is left out: {CONTENDERS[name][2]} is not installed")
        named.remove(name)
    with contextlib.ExitStack() as stack:
        workers = {name: stack.enter_context(worker(serve, work, name)) for name in named}
        gauge = stack.enter_context(worker(serve_limit, work)) if "limit" in wanted else None
        parts = {name: share(texts, ask(workers[name], texts[:MIN_TEXTS])["seconds"], seconds) for name in named}
        taken: dict[str, list[dict[str, Any]]] = {name: [] for name in named}
        beside: dict[str, list[float]] = {name: [] for name in named}
        limits: list[dict[str, float]] = []
        for _ in range(rounds):
            for name in named:
                taken[name].append(ask(workers[name], parts[name]))
                if "ours" in workers and name not in ("ours", "embedded"):  # the same texts, as long for one as another
                    seconds_of_ours = ask(workers["ours"], parts[name])["seconds"]
                    beside[name].append(taken[name][-1]["seconds"] / seconds_of_ours)
            if gauge is not None:
                limits.append(ask(gauge, seconds / 5))
    print("| | words/s | range | ours is faster by | mentions a 1,000 words | peak memory | texts a round |")
    print("|---|---|---|---|---|---|---|")
    rates: dict[str, float] = {}
    for name, rows in taken.items():
        n_words = count_words(parts[name])
        low, rates[name], high = (n_words / f(row["seconds"] for row in rows) for f in (max, statistics.median, min))
        ratio = f"{statistics.median(beside[name]):.1f}x" if beside[name] else ""
        mentions, memory = 1000 * rows[-1]["mentions"] / n_words, rows[-1]["peak"] / 2**30
        print(f"| {name} | {rates[name]:,.0f} | {low:,.0f}–{high:,.0f} | {ratio} ", end="")
        print(f"| {mentions:.0f} | {memory:.1f} GiB | {len(parts[name])} |")
    if limits:
        print_limit(work, rates, limits, parts)


def share(texts: list[str], seconds_of_first: float, seconds: float) -> list[str]:
    """As many texts as are read in about ``seconds``; all of them, again and again, if need be."""
    n = max(MIN_TEXTS, int(MIN_TEXTS * seconds / seconds_of_first))
    return list(itertools.islice(itertools.cycle(texts), n))


def print_limit(
    work: Path, rates: dict[str, float], limits: list[dict[str, float]], parts: dict[str, list[str]]
) -> None:
    """What share of the machine's matrix products ours reaches.

    Counted are the layers' products and attention over all that the windows hold, what they share and special tokens
    included ("as read"), and over each piece of the text once ("once"); never padding.
    """
    print("\n| | TFLOP/s of 768 x 3072 products | limit, words/s | ours | share, as read | once | pieces/s |")
    print("|---|---|---|---|---|---|---|")
    for name in [name for name in rates if CONTENDERS[name][0] == "ours"]:
        settings, n_words = CONTENDERS[name][1], count_words(parts[name])
        with worker(serve_flop, work, settings) as counting:
            told = ask(counting, parts[name])
        flops = statistics.median(row[settings.get("precision", "bf16")] for row in limits)
        as_read, once = (rates[name] * told[key] / n_words / flops for key in ("flop", "flop_once"))
        pieces = rates[name] * told["pieces"] / n_words
        print(f"| {name} | {flops / 1e12:.2f} | {flops * n_words / told['flop']:,.0f} ", end="")
        print(f"| {rates[name]:,.0f} | {as_read:.0%} | {once:.0%} | {pieces:,.0f} |")


# Workers


def serve(work: Path, name: str, connection: Connection) -> None:
    import contenders
    import torch

    function, settings, _ = CONTENDERS[name]
    if name == "embedded":
        torch.set_num_threads(1)
    read = getattr(contenders, function)(work, **settings)

    def reply(texts: list[str]) -> dict[str, Any]:
        begin = time.perf_counter()
        mentions = read(texts)
        return {"seconds": time.perf_counter() - begin, "mentions": mentions, "peak": peak()}

    answer(connection, reply)


def serve_limit(work: Path, connection: Connection) -> None:
    import contenders
    import torch

    gauges = {"bf16": contenders.limit(work), "fp32": contenders.limit(work, torch.float32)}
    answer(connection, lambda seconds: {name: gauge(seconds) for name, gauge in gauges.items()})


def serve_flop(work: Path, settings: dict[str, Any], connection: Connection) -> None:
    """What the layers' products and attention cost for texts."""
    import contenders

    from clinner_spacy.encoders.shim import shim_of
    from clinner_spacy.models.transformer import prepare

    nlp = contenders.pipeline_of_ours(work, **settings)
    encoder = nlp.get_pipe("multiclin_ner").model.get_ref("tok2vec")
    config = shim_of(encoder).encoder.config
    width, layers = config.hidden_size, config.num_hidden_layers

    def reply(texts: list[str]) -> dict[str, float]:
        docs = list(map(nlp.make_doc, texts))
        plan, _ = prepare(encoder, docs, every=False, is_train=False)
        pieces = sum(shim_of(encoder).encoder.pieces(docs, contenders.WINDOW).counts.tolist())
        size = (plan.end - plan.begin + shim_of(encoder).encoder.n_special).astype(float)
        a_token = 2 * (4 * width**2 + 2 * width * config.intermediate_size) + 4 * width * (size**2).sum() / size.sum()
        return {"pieces": pieces, "flop": layers * a_token * size.sum(), "flop_once": layers * a_token * pieces}

    answer(connection, reply)


# Growth


def scale(work: Path, texts: list[str], name: str) -> None:
    """Cost and memory of 1, 4 and 16 times a text, and of one document of 200,000 words."""
    one = texts[:40] if name == "ours" else texts
    print(f"\n| {name} | words | words/s | peak memory |\n|---|---|---|---|")
    long = " ".join(itertools.islice(itertools.cycle(texts), 200_000 // max(1, count_words(texts) // len(texts)) + 1))
    for title, part in (*((f"{n} x", one * n) for n in (1, 4, 16)), ("one document", [long])):
        with worker(serve, work, name) as connection:
            ask(connection, texts[:4])
            row = ask(connection, part)
        words = count_words(part)
        print(f"| {title} | {words:,} | {words / row['seconds']:,.0f} | {row['peak'] / 2**30:.2f} GiB |", flush=True)


def processes(texts: list[str]) -> None:
    """The embedded model on two processes, after a prediction in the parent."""
    import torch

    torch.set_num_threads(1)
    nlp = spacy.blank("es")
    nlp.add_pipe("multiclin_ner")
    nlp(texts[0])
    many = texts * 4
    words = count_words(many)
    for n in (1, 2):
        begin = time.perf_counter()
        for _ in nlp.pipe(many, n_process=n, batch_size=64):
            pass
        print(f"\nembedded, n_process={n}: {words / (time.perf_counter() - begin):,.0f} words/s", end="")
    print()


if __name__ == "__main__":
    typer.run(main)
