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
from clinner_spacy.encoders.blocks import every_position, plan_blocks
from clinner_spacy.encoders.encoder import Encoder, read_encoder
from clinner_spacy.encoders.hub import fetch_encoder
from clinner_spacy.encoders.pieces import Pieces
from clinner_spacy.encoders.settings import EncoderSettings, Precision
from clinner_spacy.encoders.shim import EncoderShim, backward, shim_of
from clinner_spacy.encoders.units import OF_TEXT, Units, Words, checked_words, cut_units
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


class Positions(NamedTuple):
    """Every position of every window that a batch of documents is read in, special tokens and pads too, in order.

    ``word``: int (n_positions,), the word that is read there, or NOBODY; each word that has a piece stands once.
    ``lengths``: int (n_windows,), positions a window. ``parts``: as in :class:`Readings`, over the positions.
    """

    word: Ints
    lengths: Ints
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
    words: Words = "doc",
    context: int | None = None,
) -> Model[Docs, Vectors]:
    """A vector a word, float (n_words, width) a document: the last layer at the word's first piece.

    Words are the Doc's; those that hold nothing to read (white space, control characters) get zeros. A word that
    several windows hold is read where it has most context; nothing is cut and no word is split. Weights are read when
    the model is initialized, or come with a saved pipeline; then neither ``name`` nor a network is needed.

    name: a directory with config, tokenizer and weights, or a repository of the Hugging Face hub. The other settings
    are those of :class:`~clinner_spacy.encoders.settings.EncoderSettings`.

    words: what is tagged (see :mod:`clinner_spacy.encoders.units`); only taggers take other units than the Doc's words.
    context: pieces on both sides of the block that counts in a window, for "pieces"; without, windows overlap.

    A tagger may take more than one vector a word: ``attrs["read"](model, docs, every, is_train)`` gives the
    :class:`Readings` of each window that holds a word (``every``), or of the one with most context;
    ``attrs["positions"](model, docs)`` the :class:`Positions`. Both read the units that ``attrs["units"](model, docs)``
    cuts documents into.
    """
    if checked_words(words) != "doc" and window == "sentence":
        raise ClinnerError(f'window="sentence" reads the Doc\'s words, not words={words!r}; leave one of the two out.')
    if context is not None and (words != "pieces" or overlap is not None):
        raise ClinnerError(f'context={context} is for words="pieces" and takes the place of overlap; leave one out.')
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
        attrs={
            "name": name,
            "words": words,
            "context": context,
            "read": read,
            "positions": positions,
            "units": units,
        },
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
    if model.attrs["words"] != "doc":
        raise ClinnerError(
            f"words={model.attrs['words']!r} of {model.attrs['name']!r} is for a multiclin_ner that shares its encoder "
            "with no other component; leave it out."
        )
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


def units(model: Model[Docs, Vectors], docs: Docs) -> list[Units]:
    """What is tagged of each document. Raises ClinnerError if the encoder has not been read."""
    return cut_units(docs, model.attrs["words"], shim_of(model).encoder_called(model.attrs["name"]).pieces)


def read(model: Model[Docs, Vectors], docs: Docs, every: bool, is_train: bool) -> Readings:
    """Read all documents in windows. every: a word in each window that holds it; else in the one with most context.

    Raises ClinnerError if the encoder has not been read.
    """
    shim = shim_of(model)
    plan, batches = prepare(model, docs, every, is_train)
    if is_train and batches:
        order = np.concatenate([batch.readings for batch in batches])
        return Readings(plan.word, iter([on_device(order, shim.trainable_vectors(batches))]))
    return Readings(plan.word, vectors_of(model, batches))


def positions(model: Model[Docs, Vectors], docs: Docs) -> Positions:
    """Read all documents in windows, and every position of them. Raises ClinnerError as :func:`read` does."""
    pieces = shim_of(model).encoder_called(model.attrs["name"]).pieces
    plan, ids = make_plan(model, docs, every=False)
    plan = every_position(plan, len(pieces.prefix), len(pieces.suffix))
    lengths = np.bincount(plan.window, minlength=len(plan.begin))
    return Positions(plan.word, lengths, vectors_of(model, fill_plan(model, plan, ids, is_train=False)))


def prepare(model: Model[Docs, Vectors], docs: Docs, every: bool, is_train: bool) -> tuple[Plan, list[Batch]]:
    """Cut words into pieces, lay windows and fill batches; ``every`` as in :func:`read`."""
    plan, ids = make_plan(model, docs, every)
    return plan, fill_plan(model, plan, ids, is_train)


def make_plan(model: Model[Docs, Vectors], docs: Docs, every: bool) -> tuple[Plan, Ints]:
    """Cut words into pieces and lay windows over them; ``every`` as in :func:`read`. The plan and the pieces."""
    shim, name, context = shim_of(model), model.attrs["name"], model.attrs["context"]
    encoder = shim.encoder_called(name)
    size, overlap = window_size(shim.settings, encoder, name)
    cut: Callable[[Docs, int], Pieces] = encoder.pieces.known if model.attrs["words"] in OF_TEXT else encoder.pieces
    pieces = cut(docs, size)
    if context is not None:
        if not 0 <= 2 * context < size:
            raise ClinnerError(f"{name} is read in blocks with {context} pieces on both sides; raise `window`.")
        return plan_blocks(pieces.counts, [len(doc) for doc in docs], size, context), pieces.ids
    return plan_windows(pieces.counts, segments(docs, shim.settings.window), size, overlap, every), pieces.ids


def fill_plan(model: Model[Docs, Vectors], plan: Plan, ids: Ints, is_train: bool) -> list[Batch]:
    """The calls of the encoder that a plan takes."""
    shim = shim_of(model)
    encoder = shim.encoder_called(model.attrs["name"])
    prefix, suffix, pad = encoder.pieces.prefix, encoder.pieces.suffix, encoder.pad
    return list(fill_batches(plan, ids, prefix, suffix, pad, shim.batch_tokens(is_train)))


def vectors_of(model: Model[Docs, Vectors], batches: list[Batch]) -> Iterator[tuple[Tensor, Tensor]]:
    """What each call of the encoder gives, as in :class:`Readings`."""
    shim = shim_of(model)
    return (on_device(batch.readings, shim.predict(batch).float()) for batch in batches)


def on_device(order: Ints, vectors: Tensor) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(order).to(vectors.device), vectors


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
