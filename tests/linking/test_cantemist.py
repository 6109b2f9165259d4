"""ICD-O codes of CANTEMIST-NORM's dev-set1, learned from train-set and dev-set2."""

from __future__ import annotations

from pathlib import Path

import pytest

from clinner_spacy.linking.corpus import read_annotated
from clinner_spacy.linking.index import build_index
from clinner_spacy.linking.learn import learn_ranking
from clinner_spacy.linking.linker import Linker, Mention
from clinner_spacy.linking.terminology import Terminology, count_mentions


@pytest.mark.corpus
def test_accuracy(corpora: Path) -> None:
    folder = corpora / "Cantemist-norm-es"
    known = [m for part in ("train-set", "dev-set2") for m in read_annotated(folder / part, "notes")]
    index = build_index(Terminology([]), lang="es", mentions=count_mentions(m[1:] for m in known))
    asked = read_annotated(folder / "dev-set1", "notes")
    for ranker, least in ((None, 0.86), (learn_ranking(Terminology([]), known, "es"), 0.88)):
        found = Linker(index, ranker=ranker)([Mention(m.text, m.label) for m in asked], 1)
        right = [bool(some) and some[0].code == m.code for some, m in zip(found, asked, strict=True)]
        assert sum(right) / len(right) >= least
