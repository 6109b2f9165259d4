"""clinner.Transformer.v1: a Hugging Face encoder as tok2vec, reading texts of any length in overlapping windows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from spacy.tokens import Doc
from thinc.api import Model
from thinc.types import Floats1d, Floats2d
from thinc.util import torch2xp, xp2torch

from clinner_spacy.encoders.batches import Batch, batches
from clinner_spacy.encoders.encoder import Encoder, read_encoder
from clinner_spacy.encoders.precision import Precision
from clinner_spacy.encoders.shim import EncoderShim, shim_of
from clinner_spacy.encoders.votes import fold, log_probabilities, vote
from clinner_spacy.encoders.windows import Plan, plan_windows
from clinner_spacy.errors import ClinnerError
from clinner_spacy.ner.orphans import open_orphans

Docs = list[Doc]
Vectors = list[Floats2d]
Merge = Literal["center", "vote"]


@dataclass(frozen=True)
class Settings:
    """How texts are read; see :func:`build_transformer`."""

    name: str
    revision: str | None
    local_files_only: bool
    window: int | Literal["sentence"] | None
    overlap: int | None
    batch_tokens: int | None
    merge: Merge


def build_transformer(
    name: str,
    revision: str | None = None,
    window: int | Literal["sentence"] | None = None,
    overlap: int | None = None,
    merge: Merge = "center",
    precision: Precision = "auto",
    batch_tokens: int | None = None,
    freeze: bool | int = False,
    device: str | None = None,
    local_files_only: bool = False,
) -> Model[Docs, Vectors]:
    """A vector a word, float (n_words, width) a document: the last layer at the word's first piece.

    Words are the Doc's; those that hold nothing to read (white space, control characters) get zeros. Weights are read
    when the model is initialized, or come with a saved pipeline; then neither ``name`` nor a network is needed.

    name: a directory with config, tokenizer and weights, or a repository of the Hugging Face hub, at ``revision``.
    window: pieces read at once, special tokens included, by default 512 or what the encoder has positions for;
        "sentence" reads each sentence by itself where the Doc has sentence bounds.
    overlap: pieces that neighbouring windows share, by default a quarter of the window. Nothing is cut and no word is
    split. merge: what counts for a word that several windows hold: "center", the window in which it has most context,
    or "vote", each
        window's best tag, as the publisher of the DT4H models does. Vectors for training are always those of "center".
    precision: of the weights at inference: "fp32", "bf16", "fp16", or "auto", bf16 where the device computes in it.
        Training keeps float32 weights, and computes in bf16 where inference does.
    batch_tokens: tokens the encoder reads in one call, padding included; by default 8192, and 2048 where a processor
    predicts. Lower it if memory runs out.
    freeze: true keeps the encoder as it is in training, a number its embeddings and that many of its lowest layers.
    device: e.g. "cuda:1"; by default where thinc's arrays are.
    local_files_only: never ask the hub, only its cache.
    """
    if merge not in ("center", "vote"):
        raise ClinnerError(f'merge={merge!r} is unknown; use "center" or "vote".')
    if batch_tokens is not None and batch_tokens < 1:
        raise ClinnerError(f"batch_tokens={batch_tokens} is below 1; leave it out or raise it.")
    return Model(
        "clinner_transformer",
        forward,
        init=init,
        dims={"nO": None},
        attrs={
            "settings": Settings(name, revision, local_files_only, window, overlap, batch_tokens, merge),
            "score_words": score_words,
        },
        shims=[EncoderShim(precision, device, freeze)],
    )


def init(model: Model[Docs, Vectors], X: Docs | None = None, Y: Vectors | None = None) -> None:
    if shim_of(model).encoder is None:
        from clinner_spacy.encoders.hub import fetch_encoder

        settings = model.attrs["settings"]
        fill(model, read_encoder(fetch_encoder(settings.name, settings.revision, settings.local_files_only)))


def fill(model: Model[Docs, Vectors], encoder: Encoder) -> None:
    """Put an encoder into the model; its settings are checked against what the encoder can read."""
    window_size(model.attrs["settings"], encoder)
    shim_of(model).fill(encoder)
    model.set_dim("nO", encoder.width, force=True)


def forward(model: Model[Docs, Vectors], docs: Docs, is_train: bool) -> tuple[Vectors, Callable[[Vectors], Docs]]:
    shim = shim_of(model)
    lengths = [len(doc) for doc in docs]
    plan, parts = prepare(model, docs, every=False, is_train=is_train)
    order = np.concatenate([part.readings for part in parts]) if parts else np.empty(0, dtype=np.int64)
    words = plan.word[order]
    Y: Any = model.ops.alloc2f(sum(lengths), model.get_dim("nO"))
    if not parts:
        return split(Y, lengths), lambda dY: docs
    if not is_train:
        vectors = torch.cat([shim.predict(part).float() for part in parts])
        Y[words] = torch2xp(vectors, ops=model.ops)
        return split(Y, lengths), lambda dY: docs
    vectors, backprop_vectors = shim.begin_update(parts)
    Y[words] = torch2xp(vectors, ops=model.ops)

    def backprop(dY: Vectors) -> Docs:
        backprop_vectors(model.ops.xp.concatenate(dY)[words])
        return docs

    return split(Y, lengths), backprop


def score_words(
    model: Model[Docs, Vectors], docs: Docs, W: Floats2d, b: Floats1d, heads: dict[str, Any]
) -> list[Floats2d]:
    """The log-probability of each task's tags for every word, float (n_words, n_columns) a document.

    W (n_tags, width), b (n_tags,): the heads of all tasks, which join the encoder on its device, so that only scores
    leave it. heads: ``widths``, ``columns`` and ``stray`` as
    :func:`~clinner_spacy.models.multitask.build_multitask_tagger` has them. The rows of words without a piece are
    NaN: nothing was read there. Raises ClinnerError if the encoder's own numbers overflow or are none.
    """
    shim, settings = shim_of(model), model.attrs["settings"]
    widths = heads["widths"] or [len(b)]
    plan, parts = prepare(model, docs, every=settings.merge == "vote", is_train=False)
    Y: Any = np.full((sum(len(doc) for doc in docs), sum(widths)), np.nan, dtype=np.float32)
    if parts:
        with torch.inference_mode():
            logits = torch.empty(len(plan.word), len(b), device=shim.device)
            weight, bias = xp2torch(W, device=shim.device), xp2torch(b, device=shim.device)
            for part in parts:
                readings = torch.from_numpy(part.readings).to(shim.device)
                logits[readings] = torch.addmm(bias, shim.predict(part).float(), weight.T)
            if not torch.isfinite(logits).all():
                raise ClinnerError(
                    f"The encoder {settings.name!r} gives no finite numbers with precision={shim.precision!r}; "
                    'use "fp32" or "bf16", or check its weights.'
                )
            words, scores = merge_readings(plan, logits, widths, heads["columns"])
        Y[words] = scores.cpu().numpy()
    lengths = [len(doc) for doc in docs]
    if heads["stray"] == "open":
        open_orphans(Y, lengths, widths)
    return split(model.ops.asarray2f(Y), lengths)


def merge_readings(
    plan: Plan, logits: torch.Tensor, widths: list[int], columns: list[int] | None
) -> tuple[NDArray[np.int64], torch.Tensor]:
    """The words that were read, and the log-probabilities of their tags."""
    if columns is not None:
        logits = fold(logits, columns, sum(widths))
    log_probs = log_probabilities(logits, widths)
    words, owner = np.unique(plan.word, return_inverse=True)
    if len(words) < len(owner):
        log_probs = vote(log_probs, torch.from_numpy(owner).to(logits.device), len(words), widths)
    return words, log_probs


def prepare(model: Model[Docs, Vectors], docs: Docs, every: bool, is_train: bool) -> tuple[Plan, list[Batch]]:
    """Cut words into pieces, lay windows and fill batches. every: read a word in each window that holds it."""
    settings = model.attrs["settings"]
    encoder = shim_of(model).encoder_called(settings.name)
    size, overlap = window_size(settings, encoder)
    pieces = encoder.pieces(docs, size)
    plan = plan_windows(pieces.counts, stretches(docs, settings.window), size, overlap, every)
    budget = shim_of(model).batch_tokens(settings.batch_tokens, is_train)
    parts = batches(plan, pieces.ids, encoder.pieces.prefix, encoder.pieces.suffix, encoder.pad, budget)
    return plan, list(parts)


def window_size(settings: Settings, encoder: Encoder) -> tuple[int, int]:
    """Pieces of text a window, and its overlap. Raises ClinnerError if the encoder cannot read so many."""
    window = encoder.window(settings.window if isinstance(settings.window, int) else None, settings.name)
    overlap = window // 4 if settings.overlap is None else settings.overlap
    size = window - encoder.n_special
    if not 0 <= overlap < size:
        raise ClinnerError(
            f"overlap={overlap} must be from 0 to less than the window's {size} pieces of text; "
            "lower it or raise `window`."
        )
    return size, overlap


def stretches(docs: Docs, window: int | str | None) -> list[int]:
    """Words of each stretch of text read by itself: documents, or sentences where that is asked for and known."""
    if window != "sentence":
        return [len(doc) for doc in docs]
    return [
        length
        for doc in docs
        for length in ([len(sent) for sent in doc.sents] if doc.has_annotation("SENT_START") else [len(doc)])
    ]


def split(Y: Floats2d, lengths: list[int]) -> list[Floats2d]:
    """A batch's matrix -> one a document."""
    ends = np.cumsum(lengths)
    return [Y[end - length : end] for end, length in zip(ends.tolist(), lengths, strict=True)]
