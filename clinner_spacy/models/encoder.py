"""A Hugging Face encoder with its tokenizer: reading a published one, and keeping it without pickle or network.

Built through ``AutoConfig``, ``AutoModel``, ``AutoModelForTokenClassification`` and ``AutoTokenizer`` only, as they
are in transformers 4.48 to 5.x; code that comes with a repository is never run.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import srsly
from safetensors.torch import load, save
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from transformers import AutoConfig, AutoModel, AutoModelForTokenClassification, AutoTokenizer

from clinner_spacy.errors import ClinnerError
from clinner_spacy.words.pieces import PieceTokenizer

INITIALIZERS = {"normal_", "uniform_", "trunc_normal_", "kaiming_uniform_", "xavier_uniform_", "xavier_normal_"}


@dataclass
class Encoder:
    """``module`` maps (ids, attention_mask) to a sequence of vectors as its first output, float (n, length, width).

    ``tagger``: the module is a token classifier without its last matrix product, which keeps what some architectures
    have between their encoder and that product; else it is the bare encoder.
    """

    module: nn.Module
    config: Any
    pieces: PieceTokenizer
    tagger: bool = False

    @property
    def width(self) -> int:
        return int(self.config.hidden_size)

    @property
    def pad(self) -> int:
        return int(getattr(self.config, "pad_token_id", None) or 0)

    @property
    def n_special(self) -> int:
        return len(self.pieces.prefix) + len(self.pieces.suffix)

    @property
    def max_tokens(self) -> int:
        """How many tokens one window may have, special tokens counted in."""
        for name, part in self.module.named_modules():
            if name.endswith("position_embeddings") and isinstance(part, nn.Embedding):
                # RoBERTa and its kin count positions from the padding index on.
                return part.num_embeddings - (0 if part.padding_idx is None else part.padding_idx + 1)
        return getattr(self.config, "max_position_embeddings", None) or sys.maxsize


def read_config(path: Path) -> Any:
    """The ``config.json`` of a model directory. Raises ClinnerError if it is missing or its architecture unknown."""
    try:
        return AutoConfig.from_pretrained(path, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise ClinnerError(
            f"{path / 'config.json'} describes no encoder that transformers knows by itself "
            f"({_brief(error)}); code shipped with a model is never run."
        ) from error


def read_pieces(path: Path) -> PieceTokenizer:
    """The tokenizer of a model directory: its ``tokenizer.json``, else one converted from the vocabulary files."""
    try:
        if (path / "tokenizer.json").is_file():
            return PieceTokenizer(Tokenizer.from_file(str(path / "tokenizer.json")))
        tokenizer = AutoTokenizer.from_pretrained(path, use_fast=True, local_files_only=True)
    except Exception as error:  # tokenizers raises bare Exception
        raise ClinnerError(
            f"The tokenizer in {path} cannot be read ({_brief(error)}); add its tokenizer.json."
        ) from error
    if not tokenizer.is_fast:
        raise ClinnerError(
            f"The tokenizer in {path} has only a slow form ({type(tokenizer).__name__}); add its tokenizer.json."
        )
    return PieceTokenizer(tokenizer.backend_tokenizer)


def read_encoder(path: Path) -> Encoder:
    """A published encoder with its weights, float32. A token classifier's head is left out."""
    config = read_config(path)
    module = _from_pretrained(AutoModel, path, config)
    return Encoder(_without_pooler(module), config, read_pieces(path))


def read_tagger(path: Path) -> tuple[Encoder, Tensor, Tensor]:
    """A published token classifier as an encoder and its head: weight (n_tags, width) and bias (n_tags,)."""
    config = read_config(path)
    module = _from_pretrained(AutoModelForTokenClassification, path, config)
    head = getattr(module, "classifier", None)
    if not isinstance(head, nn.Linear):
        raise ClinnerError(
            f"The token classifier in {path} ({type(module).__name__}) has no linear `classifier` to read."
        )
    module.classifier = nn.Identity()
    weight = head.weight.detach()
    bias = head.bias.detach() if head.bias is not None else weight.new_zeros(len(weight))
    return Encoder(module, config, read_pieces(path), tagger=True), weight, bias


def build_module(config: Any, tagger: bool, weights: Mapping[str, Tensor], source: str) -> nn.Module:
    """The module that ``config`` describes, filled with ``weights``; a pooler, which nothing here uses, is left out.

    Raises ClinnerError naming the weights that are missing, too many or of another shape.
    """
    with _SkipInit():
        module = (AutoModelForTokenClassification if tagger else AutoModel).from_config(config)
    if tagger:
        module.classifier = nn.Identity()
    module = _without_pooler(module).float()
    own = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    given = {name: value for name, value in weights.items() if not name.startswith("pooler.")}
    wrong = [f"{name} is missing" for name in own if name not in given]
    wrong += [f"{name} has no place" for name in given if name not in own]
    wrong += [
        f"{name} is {tuple(given[name].shape)} where {own[name]} is needed"
        for name in own
        if name in given and tuple(given[name].shape) != own[name]
    ]
    if wrong:
        shown = ", ".join(wrong[:3]) + (f" and {len(wrong) - 3} more" if len(wrong) > 3 else "")
        raise ClinnerError(
            f"{source} does not fit the encoder that its config describes ({config.model_type}): {shown}."
        )
    module.load_state_dict(given)
    return module


def encoder_to_bytes(encoder: Encoder) -> bytes:
    """Config, tokenizer and float32 weights (safetensors) in one message."""
    weights = {name: value.detach().cpu().contiguous() for name, value in encoder.module.state_dict().items()}
    state = {
        "tagger": encoder.tagger,
        "config": encoder.config.to_json_string(use_diff=False),
        "tokenizer": encoder.pieces.tokenizer.to_str(),
        "weights": save(weights),
    }
    return srsly.msgpack_dumps(state)


def encoder_from_bytes(data: bytes) -> Encoder:
    """The inverse of :func:`encoder_to_bytes`, in whatever version of transformers is installed."""
    state = srsly.msgpack_loads(data)
    fields = srsly.json_loads(state["config"])
    try:
        config = AutoConfig.for_model(**fields)
    except (ValueError, KeyError) as error:
        raise ClinnerError(
            f"The saved encoder is of type {fields.get('model_type')!r}, which this version of transformers "
            "does not know; update transformers."
        ) from error
    pieces = PieceTokenizer(Tokenizer.from_str(state["tokenizer"]))
    module = build_module(config, state["tagger"], load(state["weights"]), "The saved encoder")
    return Encoder(module, config, pieces, state["tagger"])


def freeze(encoder: Encoder, depth: bool | int) -> None:
    """Exclude from training all of it (True), its embeddings and ``depth`` lowest layers (int), or nothing (False)."""
    for parameter in encoder.module.parameters():
        parameter.requires_grad_(depth is not True)
    if depth is True or not depth:
        return
    n_layers = encoder.config.num_hidden_layers
    stacks = [part for part in encoder.module.modules() if isinstance(part, nn.ModuleList) and len(part) == n_layers]
    if not stacks or depth > n_layers:
        raise ClinnerError(
            f"freeze={depth} asks for more layers than the {n_layers} of this encoder; lower it or use true."
        )
    body: Any = getattr(encoder.module, "base_model", encoder.module)
    for part in (getattr(body, "embeddings", body.get_input_embeddings()), *stacks[0][:depth]):
        part.requires_grad_(False)


class _SkipInit(TorchFunctionMode):
    """Leave new weights as they lie in memory: all are overwritten, and drawing 300 million numbers takes seconds."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(func, "__name__", "") in INITIALIZERS:
            return args[0] if args else (kwargs or {})["tensor"]
        return func(*args, **(kwargs or {}))


def _from_pretrained(factory: Any, path: Path, config: Any) -> nn.Module:
    try:
        module = factory.from_pretrained(path, config=config, local_files_only=True)
    except (OSError, ValueError, RuntimeError) as error:
        raise ClinnerError(f"The weights in {path} cannot be read ({_brief(error)}); fetch them again.") from error
    return module.float()


def _without_pooler(module: nn.Module) -> nn.Module:
    if isinstance(getattr(module, "pooler", None), nn.Module):
        setattr(module, "pooler", None)  # noqa: B010 - as an attribute, torch takes it for a tensor
    return module


def _brief(error: BaseException) -> str:
    return f"{type(error).__name__}: " + str(error).strip().split("\n")[0].split(". ")[0][:200]
