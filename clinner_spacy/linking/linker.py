"""Texts of mentions -> codes, by a terminology's index and, where there is one, a learned ranking."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clinner_spacy.linking.codes import Parts, split_codes
from clinner_spacy.linking.evidence import STAGES, Entries, Evidence, contradicted, entries_of, gather, names_with
from clinner_spacy.linking.features import MOST_CHOSEN, Candidates, Floats, candidates_of, features_of, with_siblings
from clinner_spacy.linking.index import Index
from clinner_spacy.linking.normalize import expand, fold
from clinner_spacy.linking.ranker import Pairs, Ranker, pairs_of, probabilities

if TYPE_CHECKING:
    from clinner_spacy.linking.vectors import Meanings


#: The least score of a code where no other is asked for: a ranking's probability, or else a likeness, by which a term
#: whose concept the terminology lacks is seldom given another's code.
RANKED, LIKE = 0.5, 0.85


class Mention(NamedTuple):
    """What is linked: the text of a mention and the label it was found with."""

    text: str
    label: str = ""


class Candidate(NamedTuple):
    """A concept that a mention may be: its code, the term that speaks for it (of a code none of whose terms is
    alike, its preferred or most chosen one), and how likely it is, from 0 to 1."""

    code: str
    term: str
    score: float


class Linker:
    """Finds candidates.

    lang: the language whose inflection mentions follow. labels: label of a mention -> labels of terms that it may be;
    other labels may be any. abbreviations: short -> what it stands for. ranker: learned for the index, or None: then
    the score is the likeness of the term, less for a code that fewer mean by it than another. stages: those of
    :data:`~clinner_spacy.linking.evidence.STAGES` that are used. meanings: what the encoder knows, or None.
    """

    def __init__(
        self,
        index: Index,
        *,
        lang: str = "",
        labels: Mapping[str, Collection[str]] | None = None,
        abbreviations: Mapping[str, str] | None = None,
        ranker: Ranker | None = None,
        stages: Collection[str] = STAGES,
        meanings: Meanings | None = None,
    ) -> None:
        self.index = index
        self.lang = lang or index.about["lang"]
        self.places = {name: n for n, name in enumerate(index.labels.texts())}
        self.labels = {label: self._allowed(label, names) for label, names in (labels or {}).items()}
        self.masks = {label: names_with(index, allowed) for label, allowed in self.labels.items()}
        self.abbreviations = {fold(short): fold(meaning) for short, meaning in (abbreviations or {}).items()}
        self.ranker = ranker
        self.stages = tuple(stages)
        self.meanings = meanings

    @property
    def threshold(self) -> float:
        """The least score of a code where no other is asked for."""
        return LIKE if self.ranker is None else RANKED

    def _allowed(self, label: str, names: Collection[str]) -> list[int]:
        """The places of the labels that a mention's label may be; annotators' synonyms have that label itself."""
        return [self.places[name] for name in ("", label, *names) if name in self.places]

    def __call__(self, mentions: Sequence[Mention], k: int) -> list[list[Candidate]]:
        """Up to ``k`` candidates for each mention, best first."""
        texts = [mention.text for mention in mentions]
        gathered = gather(
            self.index,
            texts,
            lang=self.lang,
            abbreviations=self.abbreviations,
            stages=self.stages,
            meanings=self.meanings,
            allowed=[self.masks.get(mention.label) for mention in mentions],
        )
        return [self._rank(*both, k) for both in zip(mentions, gathered, strict=True)]

    def _rank(self, mention: Mention, evidence: Evidence, k: int) -> list[Candidate]:
        allowed = self.labels.get(mention.label)
        if self.ranker is None and not evidence.certain:
            evidence = contradicted(self.index, self.folded(mention), evidence, self.lang)
        entries = entries_of(self.index, evidence.names, allowed)
        found = candidates_of(evidence, entries)
        scores = found.likeness
        if self.ranker is not None and len(found.codes) and not evidence.certain:
            found = self.spread(found) if allowed is None else found  # siblings may be of any label
            features = self.features(mention, evidence, entries, found)
            scores = probabilities(self.ranker, features, self.pairs(mention, found))
        best = np.argsort(-scores, kind="stable")[:k]
        return [self._candidate(found, n, float(scores[n])) for n in best if scores[n] > 0]

    def folded(self, mention: Mention) -> str:
        return expand(fold(mention.text), self.abbreviations)

    def _candidate(self, found: Candidates, n: int, score: float) -> Candidate:
        entry = int(found.entries[n])
        code = int(found.codes[n])
        term = self.index.terms.text(entry if entry >= 0 else int(self.own_entries[code]))
        return Candidate(self.index.codes.text(code), term, score)

    @cached_property
    def own_entries(self) -> NDArray[np.int64]:
        """The entry of each code's preferred or most chosen term."""
        index = self.index
        order = np.lexsort((-index.counts, ~index.preferred, index.code_of))
        return order[np.searchsorted(index.code_of[order], np.arange(len(index.codes.ends)))]

    # What a ranking reads

    @cached_property
    def parts(self) -> Parts:
        return split_codes(self.index.codes.texts())

    @cached_property
    def chosen(self) -> Floats:
        """How often annotators chose each code."""
        chosen = np.bincount(self.index.code_of, weights=self.index.counts, minlength=len(self.index.codes.ends))
        return chosen.astype(np.float32)

    @cached_property
    def prior(self) -> Floats:
        """The logarithm of the share of each code among those chosen."""
        return np.log((self.chosen + 0.5) / (self.chosen.sum() + 1)).astype(np.float32)

    @cached_property
    def frequent(self) -> NDArray[np.int64]:
        """The codes most often chosen."""
        return np.argsort(-self.chosen, kind="stable")[:MOST_CHOSEN]

    def spread(self, found: Candidates) -> Candidates:
        """Candidates with their siblings and the codes most often chosen."""
        return with_siblings(found, self.parts, self.frequent)

    def features(self, mention: Mention, evidence: Evidence, entries: Entries, found: Candidates) -> Floats:
        label = self.places.get(mention.label, -1)
        return features_of(self.index, evidence, entries, found, self.parts, self.prior, label)

    def pairs(self, mention: Mention, found: Candidates) -> Pairs:
        return pairs_of(self.folded(mention), [self.index.codes.text(int(n)) for n in found.codes])
