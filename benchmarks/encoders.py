"""Words per second of a single-task tagger on one encoder after the other, beside transformers.pipeline.

Called by ``throughput.py --encoder``: random weights of full size, the same directory for all contenders, the same
texts in turn. What is read is one model, once: with three tasks both would take three times as long.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import spacy
import torch
from contenders import OVERLAP, TOKENIZER_CONFIG, WINDOW, _bias, _states, _tokenizer
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoModelForTokenClassification, AutoTokenizer, pipeline

BASE = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072}
LARGE = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}
POSITIONS = {"pos_att_type": ["p2c", "c2p"], "relative_attention": True, "position_buckets": 256, "type_vocab_size": 0}

#: Encoder -> its model type in transformers, and the sizes that published ones have.
ENCODERS: dict[str, tuple[str, dict[str, Any]]] = {
    "xlm-r-large": ("xlm-roberta", LARGE | {"vocab_size": 250_002, "max_position_embeddings": 514}),
    "modernbert": ("modernbert", {"vocab_size": 50_368, "reference_compile": False}),
    "eurobert": ("eurobert", BASE | {"vocab_size": 128_256}),
    "deberta-v2": ("deberta-v2", BASE | POSITIONS | {"vocab_size": 128_100, "position_biased_input": False}),
    "bert": ("bert", BASE | {"vocab_size": 28_996}),
}

#: Takes texts, returns how many mentions it found in them.
Read = Callable[[Sequence[str]], int]


def compare(work: Path, texts: Sequence[str], names: Sequence[str], rounds: int, words: Callable[..., int]) -> None:
    """Print words per second of both and their ratio, for each encoder; texts: what is read in a round."""
    print("| encoder | pipeline, fp32 | pipeline, bf16 | ours, fp32 | ours, bf16 | bf16 to fp32 | bf16 to bf16 |")
    print("|---|---|---|---|---|---|---|")
    for name in names:
        try:
            build(work / name, name, texts)
        except ValueError as error:  # a line of transformers that does not know it
            print(f"{name} is left out: {' '.join(str(error).split())[:80]}")
            continue
        taken = in_turn(work / name, texts, rounds)
        rates = (words(texts) / statistics.median(seconds) for seconds in taken.values())
        print(f"| {name} | {' | '.join(f'{rate:,.0f}' for rate in rates)} ", end="")
        for peer in ("pipeline fp32", "pipeline bf16"):
            ratios = [theirs / own for theirs, own in zip(taken[peer], taken["ours bf16"], strict=True)]
            print(f"| {statistics.median(ratios):.1f}x ", end="")
        print("|", flush=True)


def in_turn(folder: Path, texts: Sequence[str], rounds: int) -> dict[str, list[float]]:
    """The seconds of each contender, round by round."""
    kinds = (("pipeline", of_transformers), ("ours", ours))
    readers = {f"{kind} {precision}": read(folder, precision) for kind, read in kinds for precision in ("fp32", "bf16")}
    taken: dict[str, list[float]] = {name: [] for name in readers}
    for read in readers.values():
        read(texts[:1])
    for _ in range(rounds):
        for name, read in readers.items():
            begin = time.perf_counter()
            read(texts)
            taken[name].append(time.perf_counter() - begin)
    return taken


def build(folder: Path, name: str, texts: Sequence[str]) -> None:
    """A directory with a tagger whose random head finds about as many mentions as there are. Raises ValueError if
    transformers has no such encoder."""
    kind, sizes = ENCODERS[name]
    special = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2, "cls_token_id": 0, "sep_token_id": 2}
    tags = {"id2label": {0: "O", 1: "B-X", 2: "I-X"}, "label2id": {"O": 0, "B-X": 1, "I-X": 2}}
    config = AutoConfig.for_model(kind, **special, **tags, **sizes)
    folder.mkdir(parents=True, exist_ok=True)
    _tokenizer(texts, config.vocab_size).save(str(folder / "tokenizer.json"))
    names = {"model_input_names": ["input_ids", "attention_mask"]}
    (folder / "tokenizer_config.json").write_text(json.dumps(TOKENIZER_CONFIG | names))
    torch.manual_seed(0)
    tagger = AutoModelForTokenClassification.from_config(config).eval()
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    states = _states(tagger.base_model, tokenizer, texts[:2])
    tagger.classifier.bias = torch.nn.Parameter(_bias(states @ tagger.classifier.weight.detach().T))
    tagger.save_pretrained(folder)


def of_transformers(folder: Path, precision: str) -> Read:
    """transformers.pipeline in batches of 8."""
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
    tagger = AutoModelForTokenClassification.from_pretrained(folder, torch_dtype=dtype)
    tokenizer = AutoTokenizer.from_pretrained(folder, model_max_length=WINDOW)
    settings: dict[str, Any] = {"aggregation_strategy": "first", "stride": OVERLAP, "batch_size": 8}
    pipe = pipeline("token-classification", model=tagger, tokenizer=tokenizer, **settings)
    return lambda texts: sum(map(len, pipe(list(texts))))


def ours(folder: Path, precision: str) -> Read:
    """This package, from text to spans."""
    nlp = spacy.blank("es")
    nlp.add_pipe("multiclin_ner", config={"checkpoint": str(folder), "precision": precision})
    return lambda texts: sum(len(doc.spans["sc"]) for doc in nlp.pipe(texts))
