"""What every reader gives and every writer takes: a text with mentions by task, in characters.

``Document.mentions`` says what was annotated: a task that is present but empty has no mentions in this text, a task
that is absent was not annotated. :func:`to_doc` carries that into spaCy as ``doc.spans[task]``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from spacy.language import Language
from spacy.tokens import Doc, Span

Fragment = tuple[int, int]

#: ``doc.user_data`` key under which a Doc keeps the name of the file it came from.
NAME_KEY = "clinner_name"


@dataclass(frozen=True)
class Mention:
    """A labelled stretch of text: one fragment, or several when it is discontinuous.

    ``fragments`` are (start, end) character offsets, 0-based, end exclusive, in text order. ``id`` is the source's own
    (brat's ``T1``), ``note`` what annotators wrote beside it.
    """

    label: str
    fragments: tuple[Fragment, ...]
    id: str = ""
    note: str = ""

    @property
    def start(self) -> int:
        return self.fragments[0][0]

    @property
    def end(self) -> int:
        return self.fragments[-1][1]


@dataclass(frozen=True)
class Relation:
    """A directed relation between two mentions, named by their ids."""

    label: str
    head: str
    tail: str


@dataclass
class Document:
    """A text, its mentions by task and the relations between them."""

    name: str
    text: str
    mentions: dict[str, list[Mention]] = field(default_factory=dict)
    relations: list[Relation] = field(default_factory=list)


