"""From cues to scopes: the ConText algorithm, with sections.

Source: Harkema, Dowling, Thornblade, Chapman (2009), "ConText: an algorithm for determining negation, experiencer, and
temporal status from clinical reports".
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from spacy.tokens import Doc

from clinner_spacy.assertion.cues import Cue, Header
from clinner_spacy.assertion.lexicon import CONJUNCTION
from clinner_spacy.assertion.segments import Segments, find_segments, is_blank_line, line_ends


class Scope(NamedTuple):
    """Words ``start`` to ``end`` (exclusive) are under a cue of the category; score: how probable that is."""

    category: str
    start: int
    end: int
    cue_start: int
    cue_end: int
    score: float


def find_scopes(doc: Doc, cues: Sequence[Cue], names: Sequence[Header]) -> list[Scope]:
    """The scopes of a document's cues and of its sections (names: what may be a header), in text order of their
    cues."""
    cues = [cue for cue in cues if cue.rule.direction != "PSEUDO"]
    if not cues and not names:
        return []
    segments = find_segments(doc)
    bounds = _Bounds(cues)
    scopes = [*_of_cues(cues, segments, bounds), *_of_sections(doc, names, segments, bounds)]
    trimmed = (_trimmed(doc, scope) for scope in scopes)
    return sorted((scope for scope in trimmed if scope.start < scope.end), key=lambda s: (s.cue_start, s.start))


def _trimmed(doc: Doc, scope: Scope) -> Scope:
    """Without punctuation and white space at its edges."""
    start, end = scope.start, scope.end
    while start < end and (doc[start].is_punct or doc[start].is_space):
        start += 1
    while start < end and (doc[end - 1].is_punct or doc[end - 1].is_space):
        end -= 1
    return scope._replace(start=start, end=end)


class _Bounds:
    """Where the scopes of a category end: at terminating cues and at cues of the same category."""

    def __init__(self, cues: Sequence[Cue]) -> None:
        self.cues: dict[tuple[str, bool], list[Cue]] = defaultdict(list)  # (category, does it only terminate)
        for cue in cues:
            self.cues[cue.rule.category, cue.rule.direction == "TERMINATE"].append(cue)

    def after(self, word: int, limit: int, category: str, also: Sequence[str] = (), own: bool = True) -> int:
        """The first word from ``word`` on, below ``limit``, at which such a cue begins; else ``limit``."""
        for cues in self._ending(category, also, own):
            place = bisect_left(cues, word, key=lambda cue: cue.start)
            if place < len(cues):
                limit = min(limit, cues[place].start)
        return limit

    def before(self, word: int, limit: int, category: str, also: Sequence[str] = ()) -> int:
        """The last word up to ``word``, above ``limit``, that such a cue ends before; else ``limit``."""
        for cues in self._ending(category, also, True):
            place = bisect_right(cues, word, key=lambda cue: cue.end)
            if place:
                limit = max(limit, cues[place - 1].end)
        return limit

    def _ending(self, category: str, also: Sequence[str], own: bool) -> Iterator[list[Cue]]:
        keys = [(category, True), (CONJUNCTION, True), *((other, False) for other in also)]
        for key in [*keys, (category, False)] if own else keys:
            if key in self.cues:
                yield self.cues[key]


def _of_cues(cues: Sequence[Cue], segments: Segments, bounds: _Bounds) -> Iterator[Scope]:
    for cue in cues:
        category, direction, reach, also = (
            cue.rule.category,
            cue.rule.direction,
            cue.rule.max_scope,
            cue.rule.terminated_by,
        )
        if direction in ("FORWARD", "BIDIRECTIONAL"):
            limit = int(segments.end[segments.of_word[cue.end - 1]])
            limit = min(limit, cue.end + reach) if reach else limit
            end = bounds.after(cue.end, limit, category, also)
            if end > cue.end:
                yield Scope(category, cue.end, end, cue.start, cue.end, 1.0)
        if direction in ("BACKWARD", "BIDIRECTIONAL"):
            limit = int(segments.start[segments.of_word[cue.start]])
            limit = max(limit, cue.start - reach) if reach else limit
            start = bounds.before(cue.start, limit, category, also)
            if start < cue.start:
                yield Scope(category, start, cue.start, cue.start, cue.end, 1.0)


def _of_sections(doc: Doc, names: Sequence[Header], segments: Segments, bounds: _Bounds) -> Iterator[Scope]:
    """The text under a header: the rest of its line or, where nothing follows there, the lines below up to a blank line
    or another header; at most up to a cue that terminates its category."""
    if not names:
        return
    lines = line_ends(doc)
    behind = -1
    for name in names:
        colon = name.end < len(doc) and doc[name.end].text == ":"
        place = bisect_left(lines, name.end)
        line_end = lines[place] if place < len(lines) else len(doc)
        begin = name.end + colon
        alone = begin == line_end
        if name.start < behind or not _opens(name.start, segments, lines) or not (colon or alone):
            continue
        behind = begin
        end = line_end
        while alone and place < len(lines):  # the lines below
            if is_blank_line(doc[lines[place]].text):
                break
            place += 1
            next_end = lines[place] if place < len(lines) else len(doc)
            if _is_header(doc, end + 1, next_end):
                break
            end = next_end
        category = name.section.category
        end = bounds.after(begin, end, category, own=False)
        if end > begin:
            yield Scope(category, begin, end, name.start, name.end, 1.0)


def _opens(word: int, segments: Segments, lines: Sequence[int]) -> bool:
    """Does a segment or a line begin at this word?"""
    return segments.start[segments.of_word[word]] == word or word - 1 in lines


def _is_header(doc: Doc, start: int, end: int) -> bool:
    """Do the words of a line begin with up to six words and a colon, the first of them with a capital?"""
    first = [token.text for token in doc[start : min(end, start + 7)]]
    return bool(first) and first[0][:1].isupper() and ":" in first
