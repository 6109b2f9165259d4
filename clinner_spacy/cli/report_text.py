"""A text with its spans marked, line by line, for the report of ``multiclin evaluate --html``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from clinner_spacy.cli.marked import in_attribute, shown
from clinner_spacy.scoring.errors import KINDS

LINE_END = re.compile(r"\r\n|\r|\n")


class Mark(NamedTuple):
    """A span in characters of the text, and what it is: "right" or a kind of error."""

    start: int
    end: int
    label: str
    kind: str


def marked_lines(text: str, marks: Sequence[Mark]) -> Iterator[str]:
    """The HTML of each line of ``text``; a mark that goes over a line end is on both lines."""
    waiting = sorted(marks, reverse=True)
    active: list[Mark] = []
    begin = 0
    for end, next_begin in [*((m.start(), m.end()) for m in LINE_END.finditer(text)), (len(text), len(text))]:
        active = [mark for mark in active if mark.end > begin]
        while waiting and waiting[-1].start < end:
            active.append(waiting.pop())
        yield _line(text, begin, end, active)
        begin = next_begin


def _line(text: str, begin: int, end: int, marks: Sequence[Mark]) -> str:
    cuts = sorted({begin, end} | {at for mark in marks for at in mark[:2] if begin < at < end})
    parts = []
    waiting, active = list(marks[::-1]), list[Mark]()
    for start, stop in pairwise(cuts):
        active = [mark for mark in active if mark.end > start]
        while waiting and waiting[-1].start <= start:
            active.append(waiting.pop())
        active = [mark for mark in active if mark.end > start]
        words = shown(text[start:stop])
        parts.append(_segment(words, start, active) if active else words)
    return "".join(parts)


def _segment(words: str, start: int, marks: Sequence[Mark]) -> str:
    """A segment under the same marks: in the colour of the worst, with the labels of those that begin here."""
    worst = min((mark.kind for mark in marks), key=[*KINDS, "right"].index)
    title = in_attribute("; ".join(f"{mark.label}: {mark.kind}" for mark in marks))
    labels = " ".join(mark.label for mark in marks if mark.start == start)
    label = f' data-label="{in_attribute(labels)}"' if labels else ""
    return f'<mark class="{worst}" title="{title}"{label}>{words}</mark>'
