"""``doc._.relations``: dicts ``{"head": int, "tail": int, "label": str}`` in a list (out of a DocBin: a tuple), or None."""

from __future__ import annotations

from spacy.tokens import Doc


def set_relations_extension() -> None:
    """Make ``doc._.relations`` known to spaCy (default None); calling it again changes nothing."""
    if not Doc.has_extension("relations"):
        Doc.set_extension("relations", default=None)
