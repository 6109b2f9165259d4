"""What setup.cfg declares can be had by name, as spaCy looks it up."""

from __future__ import annotations

from importlib.metadata import EntryPoint, distribution

import pytest
import spacy
from spacy.language import Language
from spacy.util import registry

DECLARED = list(distribution("clinner-spacy").entry_points)


@pytest.mark.parametrize("entry", DECLARED, ids=lambda entry: f"{entry.group}:{entry.name}")
def test_resolves(entry: EntryPoint) -> None:
    assert entry.load() is not None
    kind = entry.group.removeprefix("spacy_")
    if kind == "factories":
        assert Language.has_factory(entry.name)
    elif entry.group.startswith("spacy_") and kind != "cli":
        assert registry.has(kind, entry.name)


@pytest.mark.parametrize("lang", ["es", "it", "ro", "en", "nl", "sv", "cs", "xx"])
def test_add_pipe_needs_no_import(lang: str) -> None:
    nlp = spacy.blank(lang)
    nlp.add_pipe("multiclin_ner")
    assert nlp.pipe_names == ["multiclin_ner"]
