"""The encoder inside a checkpoint of a publisher's own class, built from its config and weights without that class."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import srsly

from clinner_spacy.checkpoints.relations import read_weights
from clinner_spacy.encoders.config_size import check_counts
from clinner_spacy.encoders.hub import VOCABULARIES
from clinner_spacy.encoders.torch_files import check_finite
from clinner_spacy.errors import ClinnerError
from clinner_spacy.ner.chain import CRF

#: What a config has that is not the encoder's: it would be saved along with every pipeline, and mean nothing there.
NOT_THE_ENCODERS = (
    *(
        "model_type",
        "architectures",
        "auto_map",
        "id2label",
        "label2id",
        "transformers_version",
        "torch_dtype",
        "dtype",
    ),
    *("_name_or_path", "name_or_path", "num_labels", "problem_type"),
)

#: Vocabularies of this size and more are that of XLM-RoBERTa; smaller ones under the same names are RoBERTa's.
MULTILINGUAL = 200_000


class Checkpoint:
    """The config and weights of a directory: fields of ``config.json``, and tensors by name.

    config: the encoder's, where there is none beside the weights. base: where the tokenizer is, then, unless it is
    beside them.
    """

    def __init__(
        self, path: Path, name: str, config: dict[str, Any] | None = None, base: Path | None = None
    ) -> None:
        self.path = path
        own = base is None or any((path / file).is_file() for file in VOCABULARIES)
        self.pieces_at = path if own or base is None else base
        self.name = name
        self.config = read_json(path / "config.json") if config is None else config
        self.weights = read_weights(path)

    def take(self, key: str, *shape: int | None) -> Any:
        """Take a head's tensor out of the weights, as a float32 array.

        shape: what it must have; None where any number will do. Raises ClinnerError if it is missing or does not fit.
        """
        if key not in self.weights:
            raise ClinnerError(f"{self.name} has no weights {key}, which its config asks for; fetch it again.")
        value = self.weights.pop(key)
        fits = len(value.shape) == len(shape) and all(
            need in (None, found) for need, found in zip(shape, value.shape, strict=True)
        )
        if not fits or not value.is_floating_point():
            needed = tuple("any" if need is None else need for need in shape)
            raise ClinnerError(
                f"{key} in {self.name} is {tuple(value.shape)} of {value.dtype} where {needed} in floating point is "
                "needed; fetch it again."
            )
        check_finite({key: value}, self.name)
        return value.float().numpy()

    def linear(self, prefix: str, n_out: int | None = None, width: int | None = None) -> tuple[Any, Any]:
        """Take weight and bias of a linear layer."""
        weight = self.take(f"{prefix}.weight", n_out, width)
        return weight, self.take(f"{prefix}.bias", len(weight))

    def layers(self, prefix: str) -> list[tuple[Any, Any]]:
        """Take a linear layer, or the linear layers of a Sequential with that name, whose parts are numbered."""
        places = sorted(
            int(key.split(".")[1]) for key in self.weights if re.fullmatch(rf"{re.escape(prefix)}\.\d+\.weight", key)
        )
        found: list[tuple[Any, Any]] = []
        for part in [f"{prefix}.{n}" for n in places] or [prefix]:
            found.append(self.linear(part, None, len(found[-1][0]) if found else None))
        return found

    def crf(self, prefix: str, n_tags: int) -> tuple[Any, ...]:
        """Take the parameters of a CRF, as pytorch-crf names them: those of :data:`CRF`."""
        shapes = ((n_tags, n_tags), (n_tags,), (n_tags,))
        return tuple(self.take(f"{prefix}.{name}", *shape) for name, shape in zip(CRF, shapes, strict=True))

    def encoder(self) -> Any:
        """The :class:`~clinner_spacy.encoders.encoder.Encoder` of the weights that are left.

        Raises ClinnerError if they are none that the config describes.
        """
        from transformers import AutoConfig

        from clinner_spacy.encoders.encoder import Encoder, build_module, check_tokenizer, plain, read_pieces

        prefix, weights = without_prefix(self.weights, self.name)
        fields = {key: value for key, value in self.config.items() if key not in NOT_THE_ENCODERS}
        kind = self.kind(prefix)
        try:
            check_counts(fields)
            config = plain(AutoConfig.for_model(kind, **fields))
        except Exception as error:  # what is in the file may break anything
            raise ClinnerError(
                f"{self.path / 'config.json'} describes no encoder that transformers knows by itself "
                f"(model type {self.config.get('model_type')!r}, weights under {prefix!r})."
            ) from error
        encoder = Encoder(build_module(config, False, weights, self.name), config, read_pieces(self.pieces_at))
        check_tokenizer(encoder.pieces, config, config.vocab_size, self.pieces_at)
        return encoder

    def kind(self, prefix: str) -> str:
        """The encoder's model type: the config's own, or what prefix and vocabulary tell where it names a tagger."""
        own = str(self.config.get("model_type"))
        if "crf" not in own:
            return own
        if prefix in ("bert", "deberta", "modernbert"):
            return "deberta-v2" if prefix == "deberta" else prefix
        size = self.config.get("vocab_size")
        return "xlm-roberta" if isinstance(size, int) and size >= MULTILINGUAL else "roberta"


def without_prefix(weights: Mapping[str, Any], name: str) -> tuple[str, dict[str, Any]]:
    """What stands before the names of all weights (``roberta``, ``backbone``), and the weights without."""
    split = [key.split(".") for key in weights]
    n = 0
    while split and all(len(parts) > n + 1 and parts[n] == split[0][n] for parts in split):
        n += 1
    if not n:
        shown = ", ".join(sorted(weights)[:4]) or "nothing"
        raise ClinnerError(f"{name} has no one encoder beside its heads, but {shown}; name another checkpoint.")
    return split[0][n - 1], {key.split(".", n)[n]: value for key, value in weights.items()}


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object. Raises ClinnerError if the file is missing or damaged."""
    try:
        return dict(srsly.read_json(path))
    except (OSError, ValueError, TypeError) as error:
        raise ClinnerError(f"{path} is missing or damaged: it is no JSON object; fetch it again.") from error
