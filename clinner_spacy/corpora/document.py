"""What every reader gives and every writer takes: a text with mentions by task, in characters.

``Document.mentions`` says what was annotated: a task that is present but empty has no mentions in this text, a task
that is absent was not annotated. :func:`to_doc` carries that into spaCy as ``doc.spans[task]``.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc, Span, SpanGroup

from clinner_spacy.assertion.categories import ATTRIBUTES, attributes_of
from clinner_spacy.corpora.extension import set_relations_extension
from clinner_spacy.errors import ClinnerError

Fragment = tuple[int, int]

#: ``doc.user_data`` key under which a Doc keeps the name of the file it came from.
NAME_KEY = "clinner_name"


@dataclass(frozen=True)
class Mention:
    """A labelled segment of text: one fragment, or several when it is discontinuous.

    ``fragments`` are (start, end) character offsets, 0-based, end exclusive, in text order. ``id`` is the source's own
    (brat's ``T1``), ``note`` what annotators wrote beside it, ``attributes`` what it is of
    :data:`~clinner_spacy.assertion.categories.ATTRIBUTES`, as negated, ``code`` that of its concept.
    """

    label: str
    fragments: tuple[Fragment, ...]
    id: str = ""
    note: str = ""
    attributes: frozenset[str] = frozenset()
    code: str = ""

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
    """A text, its mentions by task and the relations between them; None where nobody looked for relations.

    attributes: those that its mentions were annotated for, so that a mention without one has it not. coded: whether
    its mentions were annotated with codes of concepts.
    """

    name: str
    text: str
    mentions: dict[str, list[Mention]] = field(default_factory=dict)
    relations: list[Relation] | None = None
    attributes: tuple[str, ...] = ()
    coded: bool = False


@dataclass
class Report:
    """What reading a corpus could not keep as it stands, counted; nothing is left out without being counted here.

    ``misaligned``: mentions moved to whole words. ``discontinuous``: kept as one span from first to last fragment.
    ``overlapping``: kept, but begin inside another mention of their task, so that a flat BIO head cannot learn both.
    ``duplicates``: the same label on the same words of one task, kept once. ``without_words``: only white space, left
    out. ``relations_lost``: relations to something that is no mention here. ``text_differs``: kept, but the text the
    corpus gives beside the offsets is not the one there. ``left_out``: by label, mentions the caller did not choose.
    ``not_read``: by kind, annotations of kinds that have no place in a Document.
    """

    documents: int = 0
    mentions: int = 0
    relations: int = 0
    misaligned: int = 0
    discontinuous: int = 0
    overlapping: int = 0
    duplicates: int = 0
    without_words: int = 0
    relations_lost: int = 0
    text_differs: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    not_read: Counter[str] = field(default_factory=Counter)

    def compare(self, given: str, found: str) -> None:
        """Count a text given beside offsets that is not the text found there, differences in white space aside."""
        if given != found and given.split() != found.split():
            self.text_differs += 1

    def as_dict(self) -> dict[str, Any]:
        """Counts by name, ready for JSON."""
        return asdict(self) | {"left_out": dict(self.left_out), "not_read": dict(self.not_read)}

    def __str__(self) -> str:
        parts = [
            (self.misaligned, "moved to whole words"),
            (self.discontinuous, "discontinuous, kept from first to last fragment"),
            (self.overlapping, "overlap another of their task (a flat BIO head cannot learn both)"),
            (self.duplicates, "repeated, kept once"),
            (self.without_words, "without a word, left out"),
            (self.relations_lost, "relations to what is no mention here, left out"),
            (self.text_differs, "with another text beside the offsets than in the document"),
        ]
        told = [f"{count} {what}" for count, what in parts if count]
        told += [f"{count} {label} left out as asked" for label, count in sorted(self.left_out.items())]
        told += [f"{count} {kind} not read" for kind, count in sorted(self.not_read.items())]
        relations = f" and {self.relations} relations" if self.relations else ""
        found = f"{self.mentions} mentions{relations} in {self.documents} documents"
        return f"{found}; {', '.join(told) or 'all kept as they stand'}."


def to_doc(document: Document, nlp: Language, *, report: Report | None = None, spans_key: str = "sc") -> Doc:
    """A gold Doc with ``document``'s very text: every task's mentions in ``doc.spans[task]``, in the order given.

    Overlapping mentions stay, and so does the group of a task with none. A mention that does not begin and end with a
    word is moved to the words it touches (white space at its edges is let go); a discontinuous one becomes the span
    from its first to its last fragment, since a span is what spaCy can hold. Notes go to ``attrs["notes"]`` of the
    group, attributes to ``attrs["negated"]`` and its like, 1.0 or 0.0 a span, codes to ``attrs["codes"]`` and
    ``span.kb_id_``, "" for a mention without one. Where relations were looked for, all
    mentions also stand in ``doc.spans[spans_key]`` and ``doc._.relations`` points there by index. ``report`` counts
    what changed. Raises ClinnerError for an offset outside the text and for a task named as ``spans_key``, the group
    where components write.
    """
    if spans_key in document.mentions:
        raise ClinnerError(
            f"A label or task {spans_key} would have the name of the span group where components write; rename it, as "
            f"--labels {spans_key.upper()}=OTHER, or put all labels into one task, as --task all."
        )
    report = report if report is not None else Report()
    doc = nlp.tokenizer(document.text)  # not make_doc: its length limit is the parser's, not ours
    doc.user_data[NAME_KEY] = document.name
    edges = [token.idx for token in doc], [token.idx + len(token) for token in doc]
    everything: list[Span] = []
    index_of: dict[str, int] = {}  # mention id -> where it stands in everything
    for task, mentions in document.mentions.items():
        begin = len(everything)
        seen: dict[tuple[str, int, int], int] = {}
        kept: list[Mention] = []
        for mention in mentions:
            report.mentions += 1
            span = _span(doc, mention, edges, document, report)
            if span is None:
                continue
            key = (mention.label, span.start, span.end)
            if key in seen:
                report.duplicates += 1
            else:
                seen[key] = len(everything)
                everything.append(span)
                kept.append(mention)
            index_of[mention.id] = seen[key]
        attrs: dict[str, Any] = {name: [float(name in m.attributes) for m in kept] for name in document.attributes}
        if document.coded:
            attrs["codes"] = [mention.code for mention in kept]
        if any(mention.note for mention in kept):
            attrs["notes"] = [mention.note for mention in kept]
        doc.spans[task] = SpanGroup(doc, name=task, spans=everything[begin:], attrs=attrs)
        report.overlapping += _count_overlapping(everything[begin:])
    if document.relations is not None:
        doc.spans[spans_key] = SpanGroup(doc, name=spans_key, spans=everything)
        set_relations_extension()
        doc._.relations = [
            {"head": index_of[relation.head], "tail": index_of[relation.tail], "label": relation.label}
            for relation in document.relations
            if relation.head in index_of and relation.tail in index_of
        ]
        report.relations += len(document.relations)
        report.relations_lost += len(document.relations) - len(doc._.relations)
    report.documents += 1
    return doc


def _span(
    doc: Doc, mention: Mention, edges: tuple[list[int], list[int]], document: Document, report: Report
) -> Span | None:
    """The words a mention touches, or None when it touches none; ``edges`` are the words' starts and ends."""
    if not 0 <= mention.start < mention.end <= len(document.text):
        where = f"{document.name}: a {mention.label} from {mention.start} to {mention.end}"
        raise ClinnerError(f"{where} lies outside the text of {len(document.text)} characters.")
    starts, ends = edges
    first, last = bisect_right(ends, mention.start), bisect_left(starts, mention.end)
    while first < last and doc[first].is_space:
        first += 1
    while first < last and doc[last - 1].is_space:
        last -= 1
    if first >= last:
        report.without_words += 1
        return None
    report.discontinuous += len(mention.fragments) > 1
    report.misaligned += (starts[first], ends[last - 1]) != (mention.start, mention.end)
    return Span(doc, first, last, label=mention.label, kb_id=mention.code)


def _count_overlapping(spans: Sequence[Span]) -> int:
    """How many spans begin before another that stands earlier in the text has ended."""
    count = reached = 0
    for start, end in sorted((span.start, span.end) for span in spans):
        count += start < reached
        reached = max(reached, end)
    return count


def from_doc(doc: Doc, keys: str | Iterable[str] = "sc") -> Document:
    """What a Doc holds under ``doc.spans[key]``, for the writers: every key becomes a task of that name.

    With the one key that ``doc._.relations`` points into, relations come along. A key the Doc lacks is left out, as a
    task not annotated.
    """
    keys = [keys] if isinstance(keys, str) else list(keys)
    document = Document(doc.user_data.get(NAME_KEY, ""), doc.text)
    for key in keys:
        if key in doc.spans:
            group = doc.spans[key]
            notes = group.attrs.get("notes") or [""] * len(group)
            said = attributes_of(group)
            there = {*group.attrs, *document.attributes}
            document.attributes = tuple(name for name in ATTRIBUTES if name in there)
            codes = group.attrs.get("codes") or [""] * len(group)
            document.coded |= "codes" in group.attrs
            document.mentions[key] = [
                Mention(span.label_, ((span.start_char, span.end_char),), note=note, attributes=attributes, code=code)
                for span, note, attributes, code in zip(group, notes, said, codes, strict=True)
            ]
    if len(document.mentions) == 1 and Doc.has_extension("relations") and doc._.relations is not None:
        (key,) = document.mentions
        document.mentions[key] = [replace(m, id=f"T{n}") for n, m in enumerate(document.mentions[key])]
        document.relations = [
            Relation(found["label"], f"T{found['head']}", f"T{found['tail']}") for found in doc._.relations
        ]
    return document
