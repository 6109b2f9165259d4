"""Learning a ranking from a corpus with codes, of mentions that the index does not hold."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from clinner_spacy.linking.evidence import entries_of, gather
from clinner_spacy.linking.features import candidates_of
from clinner_spacy.linking.index import build_index
from clinner_spacy.linking.linker import Linker, Mention
from clinner_spacy.linking.ranker import Choice, Ranker, train_ranker
from clinner_spacy.linking.terminology import Terminology, count_mentions

FOLDS = 5


class Annotated(NamedTuple):
    """A mention with its code, and the document it is of."""

    document: str
    text: str
    label: str
    code: str


def learn_ranking(terminology: Terminology, mentions: Sequence[Annotated], lang: str) -> Ranker | None:
    """A ranking for the index of the terminology and all mentions; None if there is nothing to learn from.

    Documents are dealt into five parts. The mentions of each are looked up in an index of the terminology and the
    other parts' mentions, as those of a new document will be, and what has no certain name there is learned from. In
    an index that holds the mention itself, the nearest name would always be right. A part takes as long as building the
    terminology's index does.
    """
    choices = [
        choice
        for others, part in folds(mentions)
        if part and (others or terminology.terms)
        for choice in _choices(terminology, others, part, lang)
    ]
    return train_ranker(choices) if any(choice.right < len(choice.pairs.sizes) for choice in choices) else None


def folds(mentions: Sequence[Annotated], n: int = FOLDS) -> Iterator[tuple[list[Annotated], list[Annotated]]]:
    """``n`` times, all mentions of the other documents and those of a part."""
    documents = sorted({mention.document for mention in mentions})
    random.Random(0).shuffle(documents)
    part_of = {document: number % n for number, document in enumerate(documents)}
    for part in range(n if documents else 0):
        sides: tuple[list[Annotated], list[Annotated]] = ([], [])
        for mention in mentions:
            sides[part_of[mention.document] == part].append(mention)
        yield sides


def _choices(
    terminology: Terminology, others: Sequence[Annotated], part: Sequence[Annotated], lang: str
) -> Iterator[Choice]:
    """What the uncertain mentions of a part teach; each distinct one once, weighted by the root of its number."""
    index = build_index(terminology, lang=lang, mentions=count_mentions(mention[1:] for mention in others))
    linker = Linker(index)
    codes = {code: n for n, code in enumerate(index.codes.texts())}
    counts: dict[Mention, Counter[str]] = defaultdict(Counter)
    for annotated in part:
        counts[Mention(annotated.text, annotated.label)][annotated.code] += 1
    distinct = list(counts)
    texts = [mention.text for mention in distinct]
    for mention, evidence in zip(distinct, gather(index, texts, lang=lang, abbreviations={}), strict=True):
        if evidence.certain or not len(evidence.names):
            continue
        entries = entries_of(index, evidence.names, None)
        found = linker.spread(candidates_of(evidence, entries))
        features, pairs = linker.features(mention, evidence, entries, found), linker.pairs(mention, found)
        for code, count in counts[mention].items():
            right = np.flatnonzero(found.codes == codes.get(code, -1))
            yield Choice(features, pairs, int(right[0]) if len(right) else len(pairs.sizes), float(np.sqrt(count)))
