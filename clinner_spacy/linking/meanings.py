"""Vectors and their encoder <-> bytes: safetensors and msgpack, each checked against the other and the index."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import srsly
from numpy.typing import NDArray

from clinner_spacy.encoders.saved import encoder_from_bytes, encoder_to_bytes
from clinner_spacy.errors import DAMAGE, ClinnerError
from clinner_spacy.linking.index import Index
from clinner_spacy.linking.store import arrays_to_bytes, check_content
from clinner_spacy.linking.vectors import Meanings, TextEncoder, Vectors


def meanings_to_bytes(meanings: Meanings, index: Index) -> tuple[bytes, bytes]:
    """The vectors, with the fingerprints of the index and of the encoder, and the encoder with its pooling."""
    held = meanings.encoder
    state = {"pooling": held.pooling, "encoder": encoder_to_bytes(held.shim.encoder_called("of the index"))}
    encoder = srsly.msgpack_dumps(state)
    content = bytes.fromhex(index.about["content"])
    marks = {"content": content, "encoder": hashlib.sha256(encoder).digest()}
    arrays = {name: np.frombuffer(mark, dtype=np.uint8) for name, mark in marks.items()}
    return arrays_to_bytes(meanings.vectors._asdict() | arrays), encoder


def meanings_of(arrays: Mapping[str, NDArray[Any]], encoder: bytes, index: Index, source: str) -> Meanings:
    """The inverse of :func:`meanings_to_bytes`. Raises ClinnerError if they are damaged, made for another index, or by
    another encoder, with both fingerprints."""
    try:
        check_content(arrays, index, source)
        made_by, here = bytes(arrays["encoder"]).hex(), hashlib.sha256(encoder).hexdigest()
        if made_by != here:
            raise ClinnerError(
                f"{source} was made by an encoder of fingerprint {made_by[:16]}, the one beside it has {here[:16]}; "
                "build both together."
            )
        vectors = Vectors(arrays["matrix"], arrays["graph"])
        state = srsly.msgpack_loads(encoder)
        held = TextEncoder(state["pooling"])
        held.shim.fill(encoder_from_bytes(bytes(state["encoder"])))
        if vectors.matrix.shape != (index.n_names, held.shim.encoder_called(source).width):
            raise ValueError("sizes differ")
    except ClinnerError:
        raise
    except DAMAGE as error:
        raise ClinnerError(f"{source} is damaged ({type(error).__name__}); build the index again.") from error
    return Meanings(held, vectors)
