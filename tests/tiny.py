"""Checkpoints of every published format, small and with random weights, made where a test needs them."""

from __future__ import annotations

import re
import zlib
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoConfig, AutoModel, AutoModelForTokenClassification

TEXT = (
    "Paciente de 70 años con diabetes mellitus tipo 2, hipertensión arterial y fibrilación auricular.",
    "Refiere disnea de esfuerzo, dolor torácico opresivo y edemas en miembros inferiores desde hace 3 días.",
    "Se realiza ecocardiograma, coronariografía y prostatectomía radical; tratamiento con enalapril 10 mg/12 h.",
    "The patient was admitted with shortness of breath; a chest X-ray showed pulmonary oedema.",
    "Il paziente riferisce dolore addominale, nausea e vomito; TC addome: ascite.",
)

KINDS = ("xlm-roberta", "roberta", "bert", "deberta-v2", "modernbert")
BIO = ("O", "B-DISEASE", "I-DISEASE")
CODES = ("CHE", "DIS", "LIV")


def tokenizer(kind: str) -> Tokenizer:
    """Unigram with Metaspace, byte-level BPE (without a prefix space, as often saved) or WordPiece, of TEXT.

    Only BPE is trained: what the library's other trainers give is another vocabulary at each call.
    """
    if kind in ("xlm-roberta", "deberta-v2"):
        begin, pad, end, unknown = ("<s>", "<pad>", "</s>", "<unk>") if kind == "xlm-roberta" else SQUARE
        special = [(token, 0.0) for token in (begin, pad, end, unknown)]
        built = Tokenizer(models.Unigram(special + [(piece, -2.0) for piece in pieces("▁", "")], unk_id=3))
        built.normalizer = normalizers.NFKC()
        built.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(prepend_scheme="always")]
        )
    elif kind == "bert":
        begin, pad, end, unknown = SQUARE
        vocabulary = [*SQUARE, *pieces("", "##")]
        built = Tokenizer(models.WordPiece({piece: n for n, piece in enumerate(vocabulary)}, unk_token=unknown))
        built.normalizer = normalizers.BertNormalizer(lowercase=False, strip_accents=False)
        built.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    else:
        begin, pad, end, unknown = ("<s>", "<pad>", "</s>", "<unk>") if kind == "roberta" else SQUARE
        built = Tokenizer(models.BPE())
        built.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        built.decoder = decoders.ByteLevel()
        trainer: Any = trainers.BpeTrainer(
            vocab_size=400,
            special_tokens=[begin, pad, end, unknown],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        built.train_from_iterator([" " + line for line in TEXT], trainer)
    built.add_special_tokens([begin, pad, end, unknown])
    built.post_processor = processors.TemplateProcessing(
        single=f"{begin} $A {end}", special_tokens=[(token, built.token_to_id(token)) for token in (begin, end)]
    )
    built.enable_truncation(8)  # as some repositories have it; it must not apply
    return built


def pieces(begin: str, inside: str) -> list[str]:
    """The words of TEXT in pieces of up to five characters, and each character alone, with what stands before a piece
    that begins a word and one that does not."""
    words = re.findall(r"\w+|[^\w\s]", " ".join(TEXT))
    cut = {(inside if at else begin) + word[at : at + 5] for word in words for at in range(0, len(word), 5)}
    return sorted(cut | {mark + letter for word in words for letter in word for mark in (begin, inside)})


SQUARE = ("[CLS]", "[PAD]", "[SEP]", "[UNK]")


def config(kind: str, **extra: Any) -> Any:
    """The smallest config with 64 positions for text."""
    fields: dict[str, Any] = {
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "vocab_size": tokenizer(kind).get_vocab_size(),
        "max_position_embeddings": 66 if "roberta" in kind else 64,
        "pad_token_id": 1,
        "bos_token_id": 0,
        "eos_token_id": 2,
        "initializer_range": 0.5,
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
    }
    if kind == "deberta-v2":
        fields |= {
            "relative_attention": True,
            "pos_att_type": ["p2c", "c2p"],
            "position_biased_input": False,
            "position_buckets": 16,
            "type_vocab_size": 0,
        }
    if kind == "modernbert":
        fields |= {"cls_token_id": 0, "sep_token_id": 2, "local_attention": 8, "reference_compile": False}
        fields |= {"initializer_cutoff_factor": 2.0}
    return AutoConfig.for_model(kind, **(fields | extra))


def drawn(model: Any, seed: int = 0) -> Any:
    """The model with weights that depend on their names and ``seed`` alone, not on how transformers initialises.

    Embeddings of pieces outweigh what all pieces share, so that a random head has mentions to find.
    """
    with torch.no_grad():
        for name, weight in model.named_parameters():
            chance = torch.Generator().manual_seed(seed + zlib.crc32(name.encode()))
            values = torch.randn(weight.shape, generator=chance)
            if weight.ndim == 1:
                weight.copy_(values / 10 + ("norm" in name.lower() and name.endswith("weight")))
            else:
                weight.copy_(values * (1.0 if "embed" in name and "type" not in name else 0.25))
    return model


def save_encoder(path: Path, kind: str = "xlm-roberta", weights: bool = True, **extra: Any) -> Path:
    """A bare encoder's directory: config, tokenizer and, unless told otherwise, weights."""
    path.mkdir(parents=True, exist_ok=True)
    model = drawn(AutoModel.from_config(config(kind, **extra)))
    if weights:
        model.save_pretrained(path)
    else:
        model.config.save_pretrained(path)
    tokenizer(kind).save(str(path / "tokenizer.json"))
    return path


def save_tagger(path: Path, kind: str = "xlm-roberta", tags: tuple[str, ...] = BIO, **extra: Any) -> Path:
    """A token-classification directory."""
    path.mkdir(parents=True, exist_ok=True)
    named = {"id2label": dict(enumerate(tags)), "label2id": {tag: n for n, tag in enumerate(tags)}}
    model = drawn(AutoModelForTokenClassification.from_config(config(kind, **named, **extra)))
    torch.manual_seed(0)
    torch.nn.init.normal_(model.classifier.weight, std=2.0)
    model.save_pretrained(path)
    tokenizer(kind).save(str(path / "tokenizer.json"))
    return path


def save_dt4h(
    path: Path, heads: tuple[str, ...] = ("classifiers.disease", "classifiers.symptom"), prefix: str = ""
) -> Path:
    """``path``/mtl.pt and, in ``path``/base, the config and tokenizer of its encoder."""
    save_encoder(path / "base", weights=False)
    encoder = drawn(AutoModel.from_config(config("xlm-roberta")))
    torch.manual_seed(0)
    state = {f"encoder.{name}": value for name, value in encoder.state_dict().items()}
    for head in heads:
        state |= {f"{head}.weight": torch.randn(3, 16) / 2, f"{head}.bias": torch.tensor([4.0, 2.0, 0.0])}
    torch.save({prefix + name: value for name, value in state.items()}, path / "mtl.pt")
    return path / "mtl.pt"


def save_relations(
    path: Path, kind: str = "bert", labels: tuple[str, ...] = ("Has_Dose", "Used_for"), codes: tuple[str, ...] = CODES
) -> Path:
    """A relation extractor's directory in the format of the medspaner models: markers for ``codes``."""
    path.mkdir(parents=True, exist_ok=True)
    built = tokenizer(kind)
    built.add_tokens([f"<{end}{side}:{code}>" for code in codes for side in "SO" for end in ("", "/")])
    built.save(str(path / "tokenizer.json"))
    named = {"id2label": dict(enumerate(labels)), "label2id": {label: n for n, label in enumerate(labels)}}
    encoder = drawn(AutoModel.from_config(config(kind, vocab_size=built.get_vocab_size(), **named)))
    torch.manual_seed(0)
    encoder.config.save_pretrained(path)
    state = {f"{kind.split('-')[0]}.{name}": value.clone() for name, value in encoder.state_dict().items()}
    state |= {"layer_norm.weight": torch.rand(32) + 0.5, "layer_norm.bias": torch.randn(32)}
    state |= {"linear.weight": torch.randn(len(labels), 32), "linear.bias": torch.randn(len(labels))}
    save_file(state, path / "model.safetensors", metadata={"format": "pt"})
    return path
