"""How a Hugging Face encoder is fetched and how it reads texts: made once, passed whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, Self, get_args

from clinner_spacy.errors import ClinnerError

Precision = Literal["auto", "fp32", "bf16", "fp16"]


@dataclass(frozen=True)
class EncoderSettings:
    """The settings that every encoder has. Raises ClinnerError for a value that no encoder can have.

    revision: a branch, tag or commit of the repository that the encoder comes from.
    local_files_only: never ask the hub, only its cache.
    window: pieces read at once, special tokens included, by default 512 or what the encoder has positions for;
        "sentence" reads each sentence by itself where the Doc has sentence bounds.
    overlap: pieces that neighbouring windows share, by default a quarter of the window.
    precision: of the weights at inference: "fp32", "bf16", "fp16", or "auto", bf16 where the device computes in it.
        Training keeps float32 weights, and computes in bf16 where inference does.
    batch_tokens: tokens the encoder reads in one call, padding included; by default 8192, and 1024 a core where a
        processor predicts. Lower it if memory runs out.
    device: e.g. "cuda:1"; by default where thinc's arrays are.
    freeze: true keeps the encoder as it is in training, a number its embeddings and that many of its lowest layers.
    """

    revision: str | None = None
    local_files_only: bool = False
    window: int | Literal["sentence"] | None = None
    overlap: int | None = None
    precision: Precision = "auto"
    batch_tokens: int | None = None
    device: str | None = None
    freeze: bool | int = False

    def __post_init__(self) -> None:
        if self.precision not in get_args(Precision):
            raise ClinnerError(
                f"precision={self.precision!r} is unknown; use one of {', '.join(get_args(Precision))}."
            )
        if self.batch_tokens is not None and self.batch_tokens < 1:
            raise ClinnerError(f"batch_tokens={self.batch_tokens} is below 1; leave it out or raise it.")

    def changed(self) -> dict[str, Any]:
        """The settings that are other than the defaults."""
        return {field.name: value for field in fields(self) if (value := getattr(self, field.name)) != field.default}

    def with_changes(self, changes: Mapping[str, Any]) -> Self:
        """These settings with those of ``changes`` that are not None."""
        return replace(self, **{name: value for name, value in changes.items() if value is not None})


DEFAULTS = EncoderSettings()
