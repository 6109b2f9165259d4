"""Docs in spaCy's own ``.spacy`` files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from spacy.tokens import Doc, DocBin
from spacy.vocab import Vocab

from clinner_spacy.errors import ClinnerError
from clinner_spacy.files import replacing


def save_docs(path: Path | str, docs: Iterable[Doc]) -> int:
    """Write Docs with their span groups, names and relations to one ``.spacy`` file; gives their number.

    The file appears whole or not at all; raises ClinnerError when it cannot be written.
    """
    box = DocBin(docs=docs, store_user_data=True)
    with replacing(path, "wb") as handle:
        handle.write(box.to_bytes())
    return len(box)


def read_docs(path: Path | str, vocab: Vocab) -> Iterator[Doc]:
    """The Docs of a ``.spacy`` file, or of all those in a directory tree, in order of their names.

    Raises ClinnerError for a path without such a file, one that is damaged, or one whose Docs hold no span groups.
    """
    path = Path(path)
    files = sorted(path.rglob("*.spacy")) if path.is_dir() else [path]
    if not files:
        raise ClinnerError(f"{path} has no .spacy file; make one with multiclin convert.")
    for file in files:
        try:
            docs = list(DocBin(store_user_data=True).from_disk(file).get_docs(vocab))
        except OSError as error:
            raise ClinnerError(f"{file} cannot be read: {error.strerror}.") from error
        except Exception as error:  # zlib, msgpack and numpy each have their own
            raise ClinnerError(f"{file} is no .spacy file or is damaged ({type(error).__name__}).") from error
        if not any(doc.spans for doc in docs):
            raise ClinnerError(f"{file} has no span groups to learn from; make it with multiclin convert.")
        yield from docs
