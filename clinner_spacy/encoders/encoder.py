"""A Hugging Face encoder with its tokenizer: reading a published one, and keeping it without pickle or network.

Built through ``AutoConfig``, ``AutoModel``, ``AutoModelForTokenClassification`` and ``AutoTokenizer`` only, as they
are in transformers 4.48 to 5.x; code that comes with a repository is never run.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import srsly
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, AutoModelForTokenClassification, AutoTokenizer
from transformers.utils import logging

from clinner_spacy.encoders.config_size import check_counts, check_size
from clinner_spacy.encoders.hub import VOCABULARIES
from clinner_spacy.encoders.pieces import PieceTokenizer, without_panics
from clinner_spacy.encoders.torch_files import check_finite, check_numbers, check_sizes
from clinner_spacy.errors import ClinnerError

#: Pieces a window, special tokens included, unless the config or the encoder's positions say otherwise.
DEFAULT_WINDOW = 512

#: Dropout of attention weights keeps torch from its fast kernels: without, a training step takes a third of the time.
ATTENTION_DROPOUT = ("attention_probs_dropout_prob", "attention_dropout")

#: Top-level parts that are not read: what comes after the vectors of the words.
UNUSED = ("pooler", "classifier")

#: Without the first, transformers asks on standard input whether code that lies beside a model may run.
SAFELY: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}

#: Fields of a config that name code, or kernels of the hub, which are code.
CODE = ("auto_map", "custom_pipelines", "quantization_config")


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

    def window(self, asked: int | None, name: str) -> int:
        """Tokens of a window: those asked for, or the default. Raises ClinnerError if it has no positions for them."""
        window = min(DEFAULT_WINDOW, self.max_tokens) if asked is None else asked
        if window > self.max_tokens:
            raise ClinnerError(
                f"window={window} is more than the {self.max_tokens} pieces that {name} has positions for; lower it."
            )
        return window


def read_config(path: Path) -> Any:
    """The ``config.json`` of a model directory. Raises ClinnerError if it is missing or its architecture unknown."""
    try:
        check_counts(srsly.read_json(path / "config.json"))
        return plain(AutoConfig.from_pretrained(path, **SAFELY))
    except Exception as error:  # what is in the file may break anything
        raise ClinnerError(
            f"{path / 'config.json'} describes no encoder that transformers knows by itself "
            f"({brief(error)}); code shipped with a model is never run."
        ) from error


def plain(config: Any) -> Any:
    """A config without what names code, a folder of this machine or another precision than that of training."""
    if getattr(config, "quantization_config", None):
        raise ValueError("its weights are quantized")
    for field in CODE:
        if hasattr(config, field):
            delattr(config, field)
    for field in ATTENTION_DROPOUT:
        if hasattr(config, field):
            setattr(config, field, 0.0)
    config._attn_implementation = None  # may name a kernel
    setattr(config, "dtype" if hasattr(config, "dtype") else "torch_dtype", torch.float32)
    config.name_or_path = ""
    return config


def read_pieces(path: Path) -> PieceTokenizer:
    """The tokenizer of a model directory: its ``tokenizer.json``, else one converted from the vocabulary files."""
    if not any((path / name).is_file() for name in VOCABULARIES):
        raise ClinnerError(f"{path} holds no tokenizer ({', '.join(VOCABULARIES)}); add its tokenizer.json.")
    try:
        if (path / "tokenizer.json").is_file():
            with without_panics():
                return PieceTokenizer(Tokenizer.from_file(str(path / "tokenizer.json")))
        tokenizer = AutoTokenizer.from_pretrained(path, use_fast=True, **SAFELY)
    except Exception as error:  # tokenizers raises bare Exception
        raise ClinnerError(
            f"The tokenizer in {path} cannot be read ({brief(error)}); add its tokenizer.json."
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
    return Encoder(_bare(module), config, _pieces_of(module, path))


def read_tagger(path: Path) -> tuple[Encoder, Tensor, Tensor]:
    """A published token classifier as an encoder and its head: weight (n_tags, width) and bias (n_tags,)."""
    config = read_config(path)
    module = _from_pretrained(AutoModelForTokenClassification, path, config)
    head = getattr(module, "classifier", None)
    if not isinstance(head, nn.Linear):
        raise ClinnerError(
            f"The token classifier in {path} ({type(module).__name__}) has no linear `classifier` to read."
        )
    weight = head.weight.detach()
    bias = head.bias.detach() if head.bias is not None else weight.new_zeros(len(weight))
    return Encoder(_bare(module), config, _pieces_of(module, path), tagger=True), weight.float(), bias.float()


def _pieces_of(module: Any, path: Path) -> PieceTokenizer:
    """The tokenizer beside an encoder, which must be its own."""
    pieces = read_pieces(path)
    check_tokenizer(pieces, module.config, module.get_input_embeddings().num_embeddings, path)
    return pieces


def check_tokenizer(pieces: PieceTokenizer, config: Any, known: int, where: str | Path) -> None:
    """Raise ClinnerError if a tokenizer is plainly another model's: if the encoder has embeddings for fewer pieces than
    it (``known``), or for twice as many, or pads with what is another piece there."""
    pad, ids = config.pad_token_id, [pieces.published.token_to_id(token) for token in ("<pad>", "[PAD]")]
    strange = isinstance(pad, int) and pad in range(known) and pad not in ids and any(id is not None for id in ids)
    other = f", whose padding, {pad}, is another piece there" if strange else ""
    if strange or not known / 2 <= pieces.size <= known:
        raise ClinnerError(
            f"The tokenizer in {where} has {pieces.size} pieces, the encoder knows {known}{other}: they do not belong "
            "together; put the model's own tokenizer there."
        )


def build_module(config: Any, tagger: bool, weights: Mapping[str, Tensor], source: str) -> nn.Module:
    """The module that ``config`` describes, filled with ``weights``; a pooler, which nothing here uses, is left out.

    Raises ClinnerError naming the weights that are missing, too many, of another shape, quantized or not finite.
    """
    factory = AutoModelForTokenClassification if tagger else AutoModel
    try:
        with torch.device("meta"):  # only shapes: nothing is drawn at random, nothing allocated
            blank = factory.from_config(config, trust_remote_code=False)
    except Exception as error:  # what is in the config may break anything
        raise ClinnerError(
            f"The config of {source} describes no encoder that transformers can make ({brief(error)}); save it again."
        ) from error
    described = blank.state_dict()
    shapes = {name: tuple(value.shape) for name, value in described.items()}
    unused = {name: shape for name, shape in shapes.items() if name.split(".")[0] in UNUSED}
    own = {name: shape for name, shape in shapes.items() if name not in unused}
    # Files of old versions hold buffers that are computed now.
    computed = {name for name, _ in blank.named_buffers()} - set(own)
    given = {name: value for name, value in weights.items() if name not in unused and name not in computed}
    check_finite(given, source)
    wrong = [f"{name} is missing" for name in own if name not in given]
    wrong += [f"{name} has no place" for name in given if name not in own]
    wrong += [
        f"{name} is {tuple(given[name].shape)} where {own[name]} is needed"
        for name in own
        if name in given and tuple(given[name].shape) != own[name]
    ]
    wrong += [
        f"{name} is {given[name].dtype} where {described[name].dtype} is needed"
        for name in own
        if name in given and given[name].is_floating_point() != described[name].is_floating_point()
    ]
    if wrong:
        shown = ", ".join(wrong[:3]) + (f" and {len(wrong) - 3} more" if len(wrong) > 3 else "")
        raise ClinnerError(
            f"{source} does not fit the encoder that its config describes ({config.model_type}): {shown}."
        )
    full = {name: value.float() if value.is_floating_point() else value for name, value in given.items()}
    full |= {name: torch.zeros(shape) for name, shape in unused.items()}
    with _quiet():
        return _bare(type(blank).from_pretrained(None, config=config, state_dict=full))


def freeze(encoder: Encoder, depth: bool | int) -> None:
    """Exclude from training all of it (True), its embeddings and ``depth`` lowest layers (int), or nothing (False)."""
    for parameter in encoder.module.parameters():
        parameter.requires_grad_(depth is not True)
    if depth is True or not depth:
        return
    n_layers = encoder.config.num_hidden_layers
    stacks = [part for part in encoder.module.modules() if isinstance(part, nn.ModuleList) and len(part) == n_layers]
    if not stacks or not 0 <= depth <= n_layers:
        raise ClinnerError(
            f"freeze={depth} is no number of layers of this encoder, which has {n_layers}; lower it or use true."
        )
    body: Any = getattr(encoder.module, "base_model", encoder.module)
    for part in (getattr(body, "embeddings", body.get_input_embeddings()), *stacks[0][:depth]):
        part.requires_grad_(False)


def _from_pretrained(factory: Any, path: Path, config: Any) -> Any:
    for file in sorted(path.glob("*.bin")):
        check_sizes(file)
    for file in sorted(path.glob("*.safetensors")):
        check_numbers(file)
    try:
        check_size(factory, config, path)
        with _quiet():
            module, info = factory.from_pretrained(path, config=config, output_loading_info=True, **SAFELY)
    except ClinnerError:
        raise
    except Exception as error:  # each format of weights has errors of its own
        raise ClinnerError(f"The weights in {path} cannot be read ({brief(error)}); fetch them again.") from error
    missing = sorted(key for key in info["missing_keys"] if "pooler." not in key and "position_ids" not in key)
    if missing:
        raise ClinnerError(
            f"The weights in {path} are no {type(module).__name__}: "
            f"{missing[0]} and {len(missing) - 1} more are missing."
        )
    check_finite(module.state_dict(), str(path))
    return module


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Putting weights in place takes a moment; transformers 5 draws a bar for it even into files, and a table of what
    does not fit, which we say in a sentence."""
    shown, verbosity = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if shown:
            logging.enable_progress_bar()


def _bare(module: nn.Module) -> nn.Module:
    """A module without its unused parts, in float32."""
    if isinstance(getattr(module, "pooler", None), nn.Module):
        setattr(module, "pooler", None)  # noqa: B010 - as an attribute, mypy takes it for a tensor
    if isinstance(getattr(module, "classifier", None), nn.Module):
        module.classifier = nn.Identity()
    return module.float()


def brief(error: BaseException) -> str:
    """The beginning of what an error says, on one line."""
    return f"{type(error).__name__}: " + str(error).strip().split("\n")[0].split(". ")[0][:200]
