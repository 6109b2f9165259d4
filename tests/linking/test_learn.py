"""A ranking learns what the words of mentions say of parts of codes, from documents that the index has not seen."""

from __future__ import annotations

import numpy as np
import pytest

from clinner_spacy.linking import learn
from clinner_spacy.linking.index import build_index
from clinner_spacy.linking.learn import Annotated, folds, learn_ranking
from clinner_spacy.linking.linker import Linker, Mention
from clinner_spacy.linking.ranker import Choice, Pairs, probabilities, train_ranker
from clinner_spacy.linking.terminology import Term, Terminology, count_mentions

ORGANS = ["pulmón", "mama", "colon", "hígado", "riñón", "piel", "ovario", "útero", "vejiga", "tiroides"]
#: Each organ's tumour has a head of its own; a metastasis the tail /6.
TERMS = [Term(f"{n}/{tail}", f"tumor de {organ}") for n, organ in enumerate(ORGANS) for tail in (3, 6)]
MENTIONS = [
    Annotated(f"doc{n}", f"{word} en {organ}", "T", f"{n}/{tail}")
    for n, organ in enumerate(ORGANS)
    for word, tail in (("tumor maligno", 3), ("metástasis de tumor", 6))
]


def test_words_say_what_the_tail_is() -> None:
    terminology = Terminology(TERMS)
    ranker = learn_ranking(terminology, MENTIONS, "es")
    index = build_index(terminology, lang="es")
    texts = [Mention("metástasis del hígado", "T"), Mention("tumor maligno del colon", "T")]
    ranked = [found[0] for found in Linker(index, ranker=ranker)(texts, 1)]
    assert [c.code for c in ranked] == ["3/6", "2/3"] and all(c.score > 0.5 for c in ranked)
    plain = [found[0].code for found in Linker(index)(texts, 1)]
    assert plain != ["3/6", "2/3"]  # which by likeness alone are one


def test_a_ranking_keeps_to_labels_and_names_each_code() -> None:
    terms = [term._replace(label="morphology") for term in TERMS] + [Term("3/9", "riñón raro", "other")]
    ranker = learn_ranking(Terminology(terms), MENTIONS, "es")
    index = build_index(Terminology(terms), lang="es")
    asked = [Mention("metástasis del hígado", "T")]
    (found,) = Linker(index, ranker=ranker)(asked, 50)
    assert "3/9" in {c.code for c in found} and all(c.term for c in found)  # a sibling of 3/6
    (kept,) = Linker(index, ranker=ranker, labels={"T": ["morphology"]})(asked, 50)
    assert kept[0].code == "3/6" and "3/9" not in {c.code for c in kept}


def test_the_same_mentions_give_the_same_ranking() -> None:
    one, other = (learn_ranking(Terminology(TERMS), MENTIONS, "es") for _ in range(2))
    assert one is not None and other is not None
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_nothing_to_learn_from() -> None:
    assert learn_ranking(Terminology(TERMS), [], "es") is None
    assert learn_ranking(Terminology(TERMS), [Annotated("doc", "tumor de mama", "T", "1/3")], "es") is None


def test_without_mentions_no_index_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learn, "build_index", None)
    assert learn_ranking(Terminology(TERMS), [], "es") is None


def test_documents_are_never_on_both_sides() -> None:
    seen = []
    for others, part in folds(MENTIONS):
        assert {m.document for m in others}.isdisjoint(m.document for m in part)
        seen += part
    assert sorted(seen) == sorted(MENTIONS)


def test_an_index_of_mentions_alone() -> None:
    again = [m._replace(document=f"{m.document} again", text=m.text.replace(" en ", " que afecta ")) for m in MENTIONS]
    ranker = learn_ranking(Terminology([]), [*MENTIONS, *again], "es")
    assert ranker is not None
    index = build_index(Terminology([]), lang="es", mentions=count_mentions(m[1:] for m in MENTIONS))
    (found,) = Linker(index, ranker=ranker)([Mention("metástasis del tumor en el colon", "T")], 1)
    assert found[0].code == "2/6"


def test_probabilities_and_none_are_one() -> None:
    chance = np.random.default_rng(0)
    choices = []
    for n in range(40):
        features = np.zeros((3, 17), dtype=np.float32)
        features[:, :2] = chance.normal(size=(3, 2))
        features[2, 15] = 1
        right = int(features[:2, 0].argmax()) if n % 4 else 2
        choices.append(Choice(features, Pairs(np.array([5, 6]), np.array([1, 1])), right, 1.0))
    ranker = train_ranker(choices)
    sums = [probabilities(ranker, choice.features, choice.pairs).sum() for choice in choices]
    assert np.mean(sums) == pytest.approx(0.75, abs=0.05)  # one in four has none
