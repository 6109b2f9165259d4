"""Cues of a document: literals and patterns of a lexicon, the longest where they overlap."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from spacy.matcher import Matcher, PhraseMatcher
from spacy.tokens import Doc
from spacy.vocab import Vocab

from clinner_spacy.assertion.lexicon import Lexicon, Rule, Section
from clinner_spacy.errors import ClinnerError
from clinner_spacy.letters import bare

#: Romanian written with the cedillas of old keyboards.
CEDILLAS = str.maketrans("șțȘȚ", "şţŞŢ")


class Cue(NamedTuple):
    """Words ``start`` to ``end`` (exclusive) are a cue of ``rule``."""

    start: int
    end: int
    rule: Rule


class Header(NamedTuple):
    """Words ``start`` to ``end`` (exclusive) name a section; whether they stand as a header is not looked at here."""

    start: int
    end: int
    section: Section


class CueFinder:
    """Finds the cues of a lexicon, whatever their case; literals also without their accents, as notes are typed.

    make_doc: cuts literals into words as it cuts the texts. Time grows with the words of a document and with the cues
    in it.
    """

    def __init__(self, lexicon: Lexicon, vocab: Vocab, make_doc: Callable[[str], Doc]) -> None:
        self.rules, self.sections = lexicon.rules, lexicon.sections
        count = max(len(self.rules), len(self.sections))
        # Matchers look their keys up among the strings, where those added in a memory zone are gone when it ends.
        add: Any = vocab.strings.add  # its stub is older
        self.number = {add(str(n), allow_transient=False): n for n in range(count)}
        self.phrases = PhraseMatcher(vocab, attr="LOWER")
        self.headers = PhraseMatcher(vocab, attr="LOWER")
        self.patterns = Matcher(vocab)
        patterns = [(n, rule.pattern) for n, rule in enumerate(self.rules)]
        self.expressions = [(n, re.compile(text, re.I)) for n, text in patterns if isinstance(text, str)]
        for n, rule in enumerate(self.rules):
            if rule.pattern is None:
                self.phrases.add(str(n), [make_doc(form) for form in spellings(rule.literal)])
            elif isinstance(rule.pattern, list):
                try:
                    self.patterns.add(str(n), [rule.pattern])
                except ValueError as error:  # spaCy's, for what is no token pattern
                    message = f"The pattern of the rule {rule.literal!r} is none of spaCy's; mend it."
                    raise ClinnerError(message) from error
        for n, section in enumerate(self.sections):
            self.headers.add(str(n), [make_doc(form) for form in spellings(section.literal)])

    def cues(self, doc: Doc) -> list[Cue]:
        """The cues in text order; of those that overlap the longest, then the first; several on the very same words."""
        taken: list[tuple[int, int] | None] = [None] * len(doc)
        cues = []
        for cue in sorted(set(self._matches(doc)), key=lambda cue: (cue.start - cue.end, cue.start)):
            place = (cue.start, cue.end)
            if all(taken[word] in (None, place) for word in range(cue.start, cue.end)):
                taken[cue.start : cue.end] = [place] * (cue.end - cue.start)
                cues.append(Cue(cue.start, cue.end, self.rules[cue.rule]))
        return sorted(cues, key=lambda cue: (cue.start, cue.end))

    def section_names(self, doc: Doc) -> list[Header]:
        """Where names of sections stand, in text order."""
        return sorted(
            (Header(start, end, self.sections[self.number[key]]) for key, start, end in self.headers(doc)),
            key=lambda header: (header.start, -header.end),
        )

    def _matches(self, doc: Doc) -> Iterator[_Match]:
        for matcher in (self.phrases, self.patterns):
            if len(matcher):
                yield from (_Match(start, end, self.number[key]) for key, start, end in matcher(doc))
        for n, expression in self.expressions:
            for match in expression.finditer(doc.text):
                span = doc.char_span(*match.span(), alignment_mode="expand")
                if span is not None and len(span):
                    yield _Match(span.start, span.end, n)


class _Match(NamedTuple):
    start: int
    end: int
    rule: int


def spellings(literal: str) -> list[str]:
    """A literal, with Romanian's cedillas for commas, and, where it has more than three letters, without accents."""
    forms = [literal, literal.translate(CEDILLAS)]
    if len(literal) > 3:
        forms.append(bare(literal))
    return list(dict.fromkeys(forms))
