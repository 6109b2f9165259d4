"""clinner.Transformer.v1: a Hugging Face encoder as tok2vec, reading texts of any length in overlapping windows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from spacy.tokens import Doc
from thinc.api import Model
from thinc.types import Floats2d
from thinc.util import torch2xp
from torch import Tensor

from clinner_spacy.encoders.batches import Batch, fill_batches
from clinner_spacy.encoders.encoder import Encoder, read_encoder
from clinner_spacy.encoders.hub import fetch_encoder
from clinner_spacy.encoders.settings import EncoderSettings, Precision
from clinner_spacy.encoders.shim import EncoderShim, backward, shim_of
from clinner_spacy.encoders.windows import Plan, plan_windows
from clinner_spacy.errors import ClinnerError

Docs = list[Doc]
Vectors = list[Floats2d]
Ints = NDArray[np.int64]


class Readings(NamedTuple):
    """The words of a batch of documents, each in the windows that hold it.

    ``word``: int (n_readings,), the word that is read, counted from the batch's first, ascending; a word without a
    piece has no reading. ``parts``: what each call of the encoder gives, on its device: int (n,), places in ``word``,
    and float32 (n, width), their vectors. When training, a gradient of these runs back into the encoder by autograd.
    """

    word: Ints
    parts: Iterator[tuple[Tensor, Tensor]]


def build_transformer(
    name: str,
    revision: str | None = None,
    window: int | Literal["sentence"] | None = None,
    overlap: int | None = None,
    precision: Precision = "auto",
    batch_tokens: int | None = None,
    freeze: bool | int = False,
    device: str | None = None,
    local_files_only: bool = False,
) -> Model[Docs, Vectors]:
    """A vector a word, float (n_words, width) a document: the last layer at the word's first piece.

    Words are the Doc's; those that hold nothing to read (white space, control characters) get zeros. A word that
    several windows hold is read where it has most context; nothing is cut and no word is split. Weights are read when
    the model is initialized, or come with a saved pipeline; then neither ``name`` nor a network is needed.

    name: a directory with config, tokenizer and weights, or a repository of the Hugging Face hub. The other settings
    are those of :class:`~clinner_spacy.encoders.settings.EncoderSettings`.

    A tagger may take more than one vector a word: ``attrs["read"](model, docs, every, is_train)`` gives the
    :class:`Readings` of each window that holds a word (``every``), or of the one with most context.
    """
    settings = EncoderSettings(
        revision=revision,
        local_files_only=local_files_only,
        window=window,
        overlap=overlap,
        precision=precision,
        batch_tokens=batch_tokens,
        device=device,
        freeze=freeze,
    )
    return Model(
        "clinner_transformer",
        forward,
        init=init,
        dims={"nO": None},
        attrs={"name": name, "read": read},
        shims=[EncoderShim(settings)],
    )


def init(model: Model[Docs, Vectors], X: Docs | None = None, Y: Vectors | None = None) -> None:
    shim, name = shim_of(model), model.attrs["name"]
    if shim.encoder is None:
        fill(model, read_encoder(fetch_encoder(name, shim.settings.revision, shim.settings.local_files_only)))


def fill(model: Model[Docs, Vectors], encoder: Encoder) -> None:
    """Put an encoder into the model; its settings are checked against what the encoder can read."""
    shim = shim_of(model)
    window_size(shim.settings, encoder, model.attrs["name"])
    shim.fill(encoder)
    model.set_dim("nO", encoder.width, force=True)


def forward(model: Model[Docs, Vectors], docs: Docs, is_train: bool) -> tuple[Vectors, Callable[[Vectors], Docs]]:
    word, parts = read(model, docs, every=False, is_train=is_train)
    lengths = [len(doc) for doc in docs]
    Y: Any = model.ops.alloc2f(sum(lengths), model.get_dim("nO"))
    read_parts = [(word[index.cpu().numpy()], vectors) for index, vectors in parts]
    for words, vectors in read_parts:
        Y[words] = torch2xp(vectors.detach(), ops=model.ops)

    def backprop(dY: Vectors) -> Docs:
        gradient = model.ops.xp.concatenate(dY)
        for words, vectors in read_parts:
            backward(vectors, gradient[words])
        return docs

    return split(Y, lengths), backprop


def read(model: Model[Docs, Vectors], docs: Docs, every: bool, is_train: bool) -> Readings:
    """Read all documents in windows. every: a word in each window that holds it; else in the one with most context.

    Raises ClinnerError if the encoder has not been read.
    """
    shim = shim_of(model)
    plan, batches = prepare(model, docs, every, is_train)
    if is_train and batches:
        order = np.concatenate([batch.readings for batch in batches])
        parts = iter([(order, shim.trainable_vectors(batches))])
    else:
        parts = ((batch.readings, shim.predict(batch).float()) for batch in batches)
    return Readings(plan.word, ((torch.from_numpy(order).to(vectors.device), vectors) for order, vectors in parts))


def prepare(model: Model[Docs, Vectors], docs: Docs, every: bool, is_train: bool) -> tuple[Plan, list[Batch]]:
    """Cut words into pieces, lay windows and fill batches; ``every`` as in :func:`read`."""
    shim, name = shim_of(model), model.attrs["name"]
    encoder = shim.encoder_called(name)
    size, overlap = window_size(shim.settings, encoder, name)
    pieces = encoder.pieces(docs, size)
    plan = plan_windows(pieces.counts, segments(docs, shim.settings.window), size, overlap, every)
    budget = shim.batch_tokens(is_train)
    parts = fill_batches(plan, pieces.ids, encoder.pieces.prefix, encoder.pieces.suffix, encoder.pad, budget)
    return plan, list(parts)


def window_size(settings: EncoderSettings, encoder: Encoder, name: str) -> tuple[int, int]:
    """Pieces of text a window, and its overlap. Raises ClinnerError if the encoder cannot read so many."""
    window = encoder.window(settings.window if isinstance(settings.window, int) else None, name)
    overlap = window // 4 if settings.overlap is None else settings.overlap
    size = window - encoder.n_special
    if not 0 <= overlap < size:
        raise ClinnerError(
            f"overlap={overlap} must be from 0 to less than the window's {size} pieces of text; "
            "lower it or raise `window`."
        )
    return size, overlap


def segments(docs: Docs, window: int | str | None) -> list[int]:
    """Words of each segment of text read by itself: documents, or sentences where that is asked for and known."""
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
