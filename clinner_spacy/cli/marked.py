"""A text with its mentions as HTML elements, the same that the service's page makes (service/page/mentions.js).

The text between the tags is the text that was read, character by character, so that it can be copied: bars and labels
are backgrounds that the style sheet draws below each mention, and draws anew on each line that it reaches.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import NamedTuple
from urllib.parse import quote

from clinner_spacy.assertion.categories import ATTRIBUTES
from clinner_spacy.tables.found import Found

#: Control characters have no place in HTML; Unicode has pictures of them.
PICTURES = {code: 0x2400 + code for code in range(32) if chr(code) not in "\t\r\n"} | {0x7F: 0x2421}

#: Characters that show nothing, or turn the writing of what follows around: C1 controls, soft hyphen, marks and
#: overrides of direction, zero-width ones, line and paragraph separators, annotations, tags.
HIDDEN = re.compile(
    "[\x80-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]"
)

#: Colours that the style sheet has: --c0, --c1, …
COLOURS = 8

#: About how wide a character of a label is, in pixels.
LABEL_WIDTH = 6


class Mark(NamedTuple):
    """A mention, its number in the text and the row under the text where it is drawn, both from 0."""

    found: Found
    number: int
    row: int
    again: bool = False  # whether it is the rest of a mention that crosses another


def label_rules(tasks: Mapping[str, str]) -> Iterator[str]:
    """Rules that give ``.m0``, ``.m1``, … the colour of a label's task and a picture of the label, in order of
    ``tasks``, label -> task."""
    names = list(dict.fromkeys(tasks.values()))
    for n, (label, task) in enumerate(tasks.items()):
        width = LABEL_WIDTH * len(label)
        words = escape(label.translate(dict.fromkeys(PICTURES, " ")))
        picture = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width + 6}" height="11"><text x="3" y="8.5" '
            f'font-family="sans-serif" font-size="9" textLength="{width}" lengthAdjust="spacingAndGlyphs" '
            f'fill="#1d2329">{words}</text></svg>'
        )
        colour = f"--c:var(--c{names.index(task) % COLOURS});--chip:{width + 6}px"
        yield f'.m{n}{{{colour};--label:url("data:image/svg+xml,{quote(picture, safe="")}")}}\n'


def marked_text(text: str, found: Sequence[Found], class_of: Mapping[str, int], prefix: str = "m") -> Iterator[str]:
    """The text in pieces of HTML, with an element around each mention.

    Elements only lie within each other: where two mentions cross, the later one's ends with the earlier one's and
    begins anew. class_of: label -> number of its rule; prefix: of the elements' ids, before the mention's number.
    """
    waiting = in_rows(found)[::-1]
    inside: list[Mark] = []  # each in the one before
    at = 0
    for cut in sorted({len(text), *(place for mention in found for place in mention[:2])}):
        yield shown(text[at:cut])
        at = cut
        ended = next((n for n, mark in enumerate(inside) if mark.found.end <= cut), len(inside))
        yield "</mark>" * (len(inside) - ended)
        begin = [mark._replace(again=True) for mark in inside[ended:] if mark.found.end > cut]
        del inside[ended:]
        while waiting and waiting[-1].found.start == cut:
            begin.append(waiting.pop())
        for mark in sorted(begin, key=lambda mark: -mark.found.end):
            inside.append(mark)
            yield _tag(mark, inside, class_of, prefix)


def in_rows(found: Iterable[Found]) -> list[Mark]:
    """Each mention with the first row that is free where it begins, the longer of two first."""
    marks: list[Mark] = []
    ends: list[int] = []  # where each row is taken to
    for number, mention in sorted(enumerate(found), key=lambda pair: (pair[1].start, -pair[1].end, pair[0])):
        row = next((n for n, end in enumerate(ends) if end <= mention.start), len(ends))
        ends[row : row + 1] = [mention.end]
        marks.append(Mark(mention, number, row))
    return marks


def said(found: Found) -> list[str]:
    """What is said of a mention, in order, as ["negated"]."""
    return [name for name in ATTRIBUTES if name in found.attributes]


def concept(found: Found) -> str:
    """Its code and term; "" where there is none."""
    return f"{found.code} {found.term or ''}".strip() if found.code else ""


def shown(text: str) -> str:
    """A text as HTML in which every character can be seen, and none turns what follows."""
    return HIDDEN.sub(_by_number, in_attribute(text))


def in_attribute(text: str) -> str:
    """A text as the value of an attribute, which can hold no elements."""
    return escape(text).translate(PICTURES)


def _by_number(match: re.Match[str]) -> str:
    return f'<span class="hidden-character" data-code="U+{ord(match[0]):04X}">{match[0]}</span>'


def _tag(mark: Mark, inside: Sequence[Mark], class_of: Mapping[str, int], prefix: str) -> str:
    attributes = said(mark.found)
    flags = {"hollow": attributes, "negated": "negated" in attributes, "again": mark.again}
    classes = " ".join([f"m{class_of[mark.found.label]}", *(name for name, is_so in flags.items() if is_so)])
    place = "" if mark.again else f' id="{prefix}-{mark.number}"'
    title = in_attribute("\n".join(_title(outer.found) for outer in inside))
    return f'<mark class="{classes}"{place} title="{title}" style="--n:{mark.row}">'


def _title(found: Found) -> str:
    return " ".join(filter(None, [found.label, f"{found.score:.2f}", *said(found), concept(found)]))
