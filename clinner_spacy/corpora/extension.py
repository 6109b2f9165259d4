"""``doc._.relations``: a list (from a DocBin: a tuple) of dicts ``head``, ``tail`` (int), ``label`` (str), or None."""

from __future__ import annotations

from spacy.tokens import Doc


def set_relations_extension() -> None:
    """Make ``doc._.relations`` known to spaCy (default None); calling it again changes nothing."""
    if not Doc.has_extension("relations"):
        Doc.set_extension("relations", default=None)
