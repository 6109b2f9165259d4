"""Where a linker's knowledge comes from: a table that is indexed now, or a folder that was built before."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from clinner_spacy.errors import ClinnerError
from clinner_spacy.linking.index import Index, build_index
from clinner_spacy.linking.ranker import Ranker
from clinner_spacy.linking.terminology import fingerprint_of, read_terminology

if TYPE_CHECKING:
    from clinner_spacy.linking.vectors import Meanings


@dataclass(frozen=True)
class Source:
    """An index, the ranking that was learned for it, if one was, and what an encoder knows of its names, if one was
    asked."""

    index: Index
    ranker: Ranker | None = None
    meanings: Meanings | None = None

    @cached_property
    def codes(self) -> frozenset[str]:
        """The codes of the index; read when they are first asked for, since an index is mapped."""
        return frozenset(self.index.codes.texts())


def read_source(terms: str | Path | None, index: str | Path | None, lang: str, name: str) -> Source:
    """What component ``name`` links to. Raises ClinnerError if it names nothing, or an index of another table."""
    from clinner_spacy.linking.store import open_source

    if index is None:
        if terms is None:
            raise ClinnerError(
                f"Component {name!r} has nothing to link to; set terms to a table with the columns code and term, or "
                "index to a folder that multiclin link build made."
            )
        return Source(build_index(read_terminology(terms), lang=lang))
    source = open_source(Path(index))
    if terms is not None:
        known, given = str(source.index.about.get("fingerprint")), fingerprint_of(terms)
        if known != given:
            raise ClinnerError(
                f"{index} was built of a table with fingerprint {known[:16]}, and {terms} has {given[:16]}; build it "
                "again, or leave terms out."
            )
    return source
