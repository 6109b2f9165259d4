"""Relations found -> ``doc._.relations``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from spacy.tokens import Doc


def annotate_relations(doc: Doc, found: Iterable[Mapping[str, Any]]) -> None:
    """Add relations to ``doc._.relations``, which becomes a list of dicts.

    What stands there already stays; a relation that stands there between the same spans is not added twice.
    """
    old = list(doc._.relations or ())
    known = {(r["head"], r["tail"], r["label"]) for r in old}
    doc._.relations = old + [dict(r) for r in found if (r["head"], r["tail"], r["label"]) not in known]
