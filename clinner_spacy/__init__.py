"""Clinical spans inside spaCy: ``nlp.add_pipe("multiclin_ner")``.

Importing this package is cheap: what stands in ``__all__`` is imported when it is first asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clinner_spacy.checkpoints import load_checkpoint
    from clinner_spacy.corpora.brat import read_brat, write_brat
    from clinner_spacy.corpora.conll import read_conll
    from clinner_spacy.corpora.document import to_doc
    from clinner_spacy.corpora.multiclin import read_multiclin
    from clinner_spacy.errors import ClinnerError
    from clinner_spacy.scoring.spans import char_scores, strict_scores
    from clinner_spacy.tables.annotate import Annotate

__version__ = "0.1.0"

#: Public name -> the module it stands in.
_MODULES = {
    "Annotate": "tables.annotate",
    "ClinnerError": "errors",
    "char_scores": "scoring.spans",
    "load_checkpoint": "checkpoints",
    "read_brat": "corpora.brat",
    "read_conll": "corpora.conll",
    "read_multiclin": "corpora.multiclin",
    "strict_scores": "scoring.spans",
    "to_doc": "corpora.document",
    "write_brat": "corpora.brat",
}

__all__ = [
    "Annotate",
    "ClinnerError",
    "char_scores",
    "load_checkpoint",
    "read_brat",
    "read_conll",
    "read_multiclin",
    "strict_scores",
    "to_doc",
    "write_brat",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
