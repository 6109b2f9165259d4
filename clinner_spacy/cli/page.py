"""Texts with their mentions underlined, in the manner of displaCy's span style.

The page is not made by displaCy, which puts a space behind every word, loses line ends and compares every word with
every span. Here the page's text is the text that was read, character by character; the style sheet draws the labels.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from clinner_spacy.cli.relations import render_relations
from clinner_spacy.cli.style import FOOT, HEAD, ROW
from clinner_spacy.files import replacing
from clinner_spacy.tables.found import AnnotatedText, Found

#: Colours of tasks, in order; black text can be read on each.
COLOURS = ("#f4a896", "#9ac7ea", "#a9d8a3", "#e9c46a", "#c9b1e4", "#8fd3cb", "#f2b5d4", "#c8c3b7")

#: Control characters have no place in HTML; Unicode has pictures of them.
PICTURES = {code: 0x2400 + code for code in range(32) if chr(code) not in "\t\r\n"} | {0x7F: 0x2421}

LINE_END = re.compile(r"\r\n|\r|\n")

#: About how wide a character of the text and of a label is, in pixels.
TEXT_WIDTH, LABEL_WIDTH = 8, 6.5


#: How mentions are shown that are not simply there.
ASSERTION_LEGEND = (
    '<i class="hollow"></i><s>negated</s><i class="hollow"></i>uncertain, of the family, historical or hypothetical'
)


class Mark(NamedTuple):
    """A mention and the row under the text where it is drawn, from 0."""

    found: Found
    row: int


def write_page(
    path: Path, texts: Iterable[AnnotatedText], tasks: Mapping[str, str], lang: str, assertion: bool = False
) -> None:
    """Write one page with all ``texts``; tasks: label -> task, which has the colour; assertion: say in the legend how
    mentions are shown that are not simply there. The page appears whole or not."""
    names = list(dict.fromkeys(tasks.values()))
    colour_of = {label: COLOURS[names.index(task) % len(COLOURS)] for label, task in tasks.items()}
    legend = _legend(tasks, colour_of) + (ASSERTION_LEGEND if assertion else "")
    with replacing(path) as file:
        file.write(HEAD.substitute(lang="und" if lang == "xx" else escape(lang), legend=legend))
        for text in texts:
            file.write(f"<article>\n<h2>{_shown(text.name)}</h2>\n")
            file.writelines(render_lines(text, colour_of))
            file.writelines(render_relations(text))
            file.write("</article>\n")
        file.write(FOOT)


def render_lines(text: AnnotatedText, colour_of: Mapping[str, str]) -> Iterator[str]:
    """A paragraph for each line of the text."""
    marks = stack(text.found)
    open_marks: list[Mark] = []
    begin = 0
    for end, next_begin in [*((m.start(), m.end()) for m in LINE_END.finditer(text.text)), (len(text.text), None)]:
        open_marks = [mark for mark in open_marks if mark.found.end > begin]
        while marks and marks[-1].found.start < end:
            open_marks.append(marks.pop())
        yield _line(text.text, begin, end, open_marks, colour_of)
        begin = next_begin or 0


def stack(found: Iterable[Found]) -> list[Mark]:
    """Give each mention the first row free where it begins, the longer of two first; the last mention comes first."""
    marks: list[Mark] = []
    ends: list[int] = []  # where each row is taken to
    for mention in sorted(found, key=lambda f: (f.start, -f.end, f.label)):
        row = next((n for n, end in enumerate(ends) if end <= mention.start), len(ends))
        ends[row : row + 1] = [mention.end]
        marks.append(Mark(mention, row))
    return marks[::-1]


def _line(text: str, begin: int, end: int, marks: Sequence[Mark], colour_of: Mapping[str, str]) -> str:
    rows = max((mark.row + 1 for mark in marks), default=0)
    cuts = {begin, end} | {at for mark in marks for at in mark.found[:2] if begin < at < end}
    waiting = list(marks[::-1])
    active: list[Mark] = []
    parts = []
    for start, stop in pairwise(sorted(cuts)):
        active = [mark for mark in active if mark.found.end > start]
        while waiting and waiting[-1].found.start <= start:
            active.append(waiting.pop())
        shown = _shown(text[start:stop])
        parts.append(_segment(shown, start, stop, active, rows, colour_of) if active else shown)
    return f'<p style="--rows:{rows}">{"".join(parts)}</p>\n'


def _segment(shown: str, start: int, stop: int, marks: Sequence[Mark], rows: int, colour_of: Mapping[str, str]) -> str:
    """A segment of text under which the same mentions stand, with a bar for each and the labels of those that begin."""
    bars, labels, narrow = [], [], 0.0
    for found, row in marks:
        first, last, label = found[:3]
        colour = colour_of[label]
        hollow = f"repeating-linear-gradient(90deg,{colour} 0 3px,transparent 3px 6px)"
        fill = hollow if found.attributes else f"linear-gradient({colour} 0 0)"
        above = (rows - 1 - row) * ROW  # counted from the bottom
        bars.append(f"{fill} 0 calc(100% - {above + 4}px) / 100% 4px no-repeat")
        if first == start:
            labels.append(f'<b data-label="{escape(label)}" style="--up:{above}px;--colour:{colour}"></b>')
        if last == stop:
            narrow = max(narrow, LABEL_WIDTH * (len(label) + 1) - TEXT_WIDTH * (last - first))
    room = f";padding-right:{narrow:.0f}px" if narrow > 0 else ""  # for a label longer than its mention
    title = escape("\n".join(" ".join([f"{f.label} {f.score:.2f}", *sorted(f.attributes)]) for f, _ in marks))
    struck = ' class="negated"' if any("negated" in mark.found.attributes for mark in marks) else ""
    return f'<span{struck} title="{title}" style="background:{",".join(bars)}{room}">{"".join(labels)}{shown}</span>'


def _legend(tasks: Mapping[str, str], colour_of: Mapping[str, str]) -> str:
    labels: dict[str, list[str]] = {}
    for label, task in tasks.items():
        labels.setdefault(task, []).append(label)
    entries = []
    for task, names in labels.items():
        more = "" if names == [task.upper()] else f" ({', '.join(names)})"
        entries.append(f'<i style="background:{colour_of[names[0]]}"></i>{_shown(task + more)}')
    return "".join(entries)


def _shown(text: str) -> str:
    return escape(text).translate(PICTURES)
