"""Docs in spaCy's own ``.spacy`` files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from spacy.tokens import Doc, DocBin

from clinner_spacy.files import replacing


def save_docs(path: Path | str, docs: Iterable[Doc]) -> int:
    """Write Docs with their span groups, names and relations to one ``.spacy`` file; gives their number.

    The file appears whole or not at all; raises ClinnerError when it cannot be written.
    """
    box = DocBin(docs=docs, store_user_data=True)
    with replacing(path, "wb") as handle:
        handle.write(box.to_bytes())
    return len(box)
