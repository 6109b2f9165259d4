"""Train relation extraction on a brat corpus and measure it with gold spans.

    python benchmarks/relations.py CT-EBM-SP --model pairs
    python benchmarks/relations.py CT-EBM-SP --model markers

The folder has ``train`` and ``dev``. Tables go to standard output, in Markdown.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import spacy
from spacy.cli.train import train
from spacy.training import Example
from spacy.util import load_config
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from clinner_spacy.corpora.readers import create_brat_reader
from clinner_spacy.scoring.relations import score_relations

CONFIG = Path(__file__).parents[1] / "configs" / "relations.cfg"
THRESHOLDS = (0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6)

#: The labels in the table of the published models' card that the corpus has.
CARD = (
    *("Experiences", "Has_Age", "Has_Dose_or_Strength", "Has_Drug_Form", "Has_Duration_or_Interval", "Has_Frequency"),
    *("Has_Quantifier_or_Qualifier", "Has_Result_or_Value", "Has_Route_or_Mode", "Location_of", "Used_for"),
)
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--model", choices=["pairs", "markers"], default="pairs")
    parser.add_argument("--output", type=Path, help="where to keep the trained pipeline (default: nowhere)")
    parser.add_argument("--pipeline", type=Path, help="measure this one, without training")
    parser.add_argument(
        "--limit", type=int, nargs=2, metavar=("TRAIN", "DEV"), default=(0, 0), help="documents; 0: all"
    )
    parser.add_argument("--epochs", type=int, help="default: the config's, and 1 for markers")
    args = parser.parse_args()
    dev = create_brat_reader([str(args.corpus / "dev")], limit=args.limit[1])
    if args.pipeline:
        nlp = spacy.load(args.pipeline)
        measure(nlp, list(dev(nlp)), str(args.pipeline.name))
        return
    with tempfile.TemporaryDirectory() as scratch:
        output = args.output or Path(scratch)
        config = Path(scratch) / "relations.cfg"
        write_config(config, args, output)
        started = time.perf_counter()
        train(config, output, overrides={f"paths.{part}": str(args.corpus / part) for part in ("train", "dev")})
        minutes = (time.perf_counter() - started) / 60
        nlp = spacy.load(output / "model-last")
        measure(nlp, list(dev(nlp)), f"{args.model}, trained in {minutes:.1f} minutes")


def write_config(path: Path, args: argparse.Namespace, output: Path) -> None:
    """configs/relations.cfg, with another model and fewer pairs in no relation for "markers"."""
    config = load_config(CONFIG)
    planned, schedule = config["training"]["max_epochs"], config["training"]["optimizer"]["learn_rate"]
    epochs = args.epochs or (1 if args.model == "markers" else planned)
    schedule["total_steps"] = schedule["total_steps"] * epochs // planned
    if args.model == "markers":
        small_bert(output / "encoder", args.corpus / "train")
        config["components"]["clinical_relations"] |= {
            "negatives": 1,
            "model": {"@architectures": "clinner.EntityMarkers.v1", "name": str(output / "encoder"), "window": 128},
        }
        config["training"]["optimizer"]["learn_rate"] |= {
            "initial_rate": 0.001,
            "total_steps": (args.limit[0] or 720) // 3 * epochs,
        }
    config["training"] |= {"max_epochs": epochs, "eval_frequency": 10**6}  # the last model is measured, not the best
    for part, limit in zip(("train", "dev"), args.limit, strict=True):
        config["corpora"][part]["limit"] = limit
    config.to_disk(path)


def small_bert(folder: Path, corpus: Path, width: int = 128, layers: int = 2) -> None:
    """An untrained BERT with a vocabulary of its own, for want of a pretrained one."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True, strip_accents=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=8000, special_tokens=list(SPECIAL), show_progress=False)
    tokenizer.train([str(path) for path in sorted(corpus.glob("*.txt"))], trainer)
    ids = [(word, tokenizer.token_to_id(word)) for word in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ids)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]").save_pretrained(folder)
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=4,
        intermediate_size=2 * width,
        hidden_dropout_prob=0.1,
    )
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)


def measure(nlp: Any, examples: list[Example], title: str) -> None:
    """Print measures at several thresholds, per label at the component's own, and the accuracy between true pairs."""
    component = nlp.get_pipe("clinical_relations")
    started = time.perf_counter()
    all_pairs = component.relate_gold(examples, 0.0)
    seconds = time.perf_counter() - started
    print(f"\n## {title}\n")
    n_pairs, n_words = sum(map(len, all_pairs)), sum(len(example.predicted) for example in examples)
    print(f"{n_pairs:,} candidate pairs in {n_words:,} words of dev: {n_words / seconds:,.0f} words a second\n")
    print(f"accuracy between true pairs: {scores_at(0.0, examples, all_pairs)['relations_gold_r']:.3f}\n")
    print("| threshold | P | R | F1 |\n|---|---|---|---|")
    for threshold in THRESHOLDS:
        print(f"| {threshold} | {row(scores_at(threshold, examples, all_pairs), 'relations_gold_')} |")
    scores = scores_at(component.threshold, examples, all_pairs)
    print("\n| label | gold | P | R | F1 |\n|---|---|---|---|---|")
    counts = [r["label"] for example in examples for r in example.reference._.relations or ()]
    for label, measures in scores["relations_gold_per_type"].items():
        print(f"| {label} | {counts.count(label)} | {row(measures, '')} |")
    print(f"| all | {len(counts)} | {row(scores, 'relations_gold_')} |")
    of_card = scores_at(component.threshold, examples, all_pairs, CARD)
    n_of_card = sum(label in CARD for label in counts)
    print(f"| those of the card's table | {n_of_card} | {row(of_card, 'relations_gold_')} |")


def scores_at(
    threshold: float, examples: list[Example], found: list[list[dict[str, Any]]], labels: tuple[str, ...] | None = None
) -> dict[str, Any]:
    kept = [[r for r in doc if r["score"] >= threshold] for doc in found]
    return score_relations(examples, with_gold_spans=kept, labels=labels)


def row(measures: dict[str, Any], prefix: str) -> str:
    return " | ".join(f"{measures[prefix + letter]:.3f}" for letter in "prf")


if __name__ == "__main__":
    main()
