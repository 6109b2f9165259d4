"""Names, keys and entries of an index."""

from __future__ import annotations

import pytest

from clinner_spacy.errors import ClinnerError
from clinner_spacy.linking.index import Index, build_index
from clinner_spacy.linking.normalize import fold
from clinner_spacy.linking.terminology import Term, Terminology


def entries(index: Index, name: int | None) -> list[tuple[str, str, str]]:
    assert name is not None
    places = range(int(index.entries[name]), int(index.entries[name + 1]))
    return [
        (index.codes.text(index.code_of[n]), index.terms.text(n), index.labels.text(index.label_of[n])) for n in places
    ]


def test_what_a_name_stands_for(index: Index) -> None:
    assert entries(index, index.name_of("nodulo pulmonar")) == [("D2", "Nódulo pulmonar", "finding")]
    assert entries(index, index.name_of("catarro")) == [("A1", "Catarro", "disorder"), ("A2", "Catarro", "disorder")]
    assert index.name_of("nodulo") is None
    assert index.about["terms"] == 8 and index.about["names"] == 7 and index.about["codes"] == 7


def test_inflected_names(index: Index) -> None:
    (name,) = index.names_like(fold("Pulmonares nódulos"), "es")
    assert name == index.name_of("nodulo pulmonar")
    assert len(index.names_like("nada", "es")) == 0


def test_a_term_inflects_as_its_own_language(index: Index) -> None:
    (name,) = index.names_like("febbri", "it")
    assert name == index.name_of("febbre")


def test_mentions_are_synonyms_with_counts() -> None:
    mentions = [Term("B", "tos seca", "SYMPTOM", times=3)]
    index = build_index(Terminology([Term("A", "Tos seca")]), lang="es", mentions=mentions)
    assert index.counts.tolist() == [0, 3]
    assert index.about["mentions"] == 3 and index.about["terms"] == 1


def test_nothing_to_index() -> None:
    with pytest.raises(ClinnerError, match="no term to link to"):
        build_index(Terminology([]), lang="es")


def test_fingerprints_tell_contents_apart(index: Index) -> None:
    one, other = (build_index(Terminology([Term("A", t)]), lang="es").about["content"] for t in ("tos", "gripe"))
    assert one != other
