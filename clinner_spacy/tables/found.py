"""What a pipeline found in a text, read off its Doc: mentions and the relations between them, in characters."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from spacy.tokens import Doc, SpanGroup

from clinner_spacy.assertion.categories import ATTRIBUTES, TRUE
from clinner_spacy.corpora.document import Document, Mention, Relation
from clinner_spacy.ner.trim import trim
from clinner_spacy.ner.write import ANY_TASK, span_characters, span_scores, span_tasks, span_values

#: A mention by its characters, end exclusive, and label.
SpanKey = tuple[int, int, str]


class Text(NamedTuple):
    """A text and the name it goes by: its path below the input without suffix, "stdin", or the id in its table, where
    ``columns`` are others of its row, as the patient's number."""

    name: str
    text: str
    columns: Mapping[str, Any] = {}


class Found(NamedTuple):
    """A mention in characters, trimmed, with its label and score.

    said: the probability of each of :data:`~clinner_spacy.assertion.categories.ATTRIBUTES`, as negated; empty where
    nobody looked. code, term, code_score: its concept, "" if none fits; None where nobody looked.
    """

    start: int
    end: int
    label: str
    score: float
    said: tuple[tuple[str, float], ...] = ()
    task: str = ANY_TASK
    code: str | None = None
    term: str | None = None
    code_score: float | None = None

    @property
    def attributes(self) -> frozenset[str]:
        """What the mention is, as negated."""
        return frozenset(name for name, p in self.said if p >= TRUE)

    def to_mention(self, id: str) -> Mention:
        place = ((self.start, self.end),)
        return Mention(self.label, place, id=id, attributes=self.attributes, code=self.code or "")


class AnnotatedText(NamedTuple):
    """A text and what was found in it, in text order; relations are dicts whose head and tail are indices into
    ``found``; columns as those of :class:`Text`."""

    name: str
    text: str
    found: list[Found]
    relations: Sequence[dict[str, Any]] = ()
    columns: Mapping[str, Any] = {}

    def to_document(self) -> Document:
        mentions = [found.to_mention(f"T{n}") for n, found in enumerate(self.found, 1)]
        relations = [Relation(r["label"], f"T{r['head'] + 1}", f"T{r['tail'] + 1}") for r in self.relations]
        return Document(self.name, self.text, {"sc": mentions}, relations)


def mentions_of(
    doc: Doc, keys: Iterable[str] = ("sc",), labels: Collection[tuple[str, str]] | None = None
) -> list[Found]:
    """The mentions in ``doc.spans[key]``, in text order, trimmed unless their exact characters are known.

    Of those that are then one (same characters and label), the best score stays. labels: each (task, label) wanted,
    None for all; a span that another component put there without a task is of any.
    """
    wanted = labels if labels is None else {*labels, *((ANY_TASK, label) for _, label in labels)}
    best: dict[SpanKey, Found] = {}
    for key in keys:
        for found in _group(doc.text, doc.spans[key]) if key in doc.spans else ():
            place = found[:3]
            known = found.start < found.end and (wanted is None or (found.task, found.label) in wanted)
            if known and (place not in best or found.score > best[place].score):
                best[place] = found
    return [best[place] for place in sorted(best)]


def relations_in(doc: Doc, key: str, mentions: Sequence[Found]) -> list[dict[str, Any]]:
    """``doc._.relations``, which point into ``doc.spans[key]``, as the same dicts pointing into ``mentions``.

    Relations of spans that are no mention here, since they were not asked for, are left out.
    """
    if not Doc.has_extension("relations") or not doc._.relations or key not in doc.spans:
        return []
    spans = [found[:3] for found in _group(doc.text, doc.spans[key])]
    index_of = {found[:3]: n for n, found in enumerate(mentions)}
    best: dict[tuple[int, int, str], float] = {}
    for r in doc._.relations:
        head, tail = (index_of.get(spans[r[side]]) for side in ("head", "tail"))
        if head is not None and tail is not None:
            place = head, tail, r["label"]
            best[place] = max(float(r.get("score", 1.0)), best.get(place, 0.0))
    return [{"head": h, "tail": t, "label": label, "score": score} for (h, t, label), score in sorted(best.items())]


def _group(text: str, group: SpanGroup) -> Iterator[Found]:
    """Each span of a group, in its order."""
    rows = zip(group, span_scores(group), span_tasks(group), span_characters(group), _said(group), strict=True)
    for (span, score, task, characters, said), concept in zip(rows, _concepts(group), strict=True):
        start, end = characters or trim(text, span.start_char, span.end_char)
        yield Found(start, end, span.label_, float(score), said, task, *concept)


def _said(group: SpanGroup) -> list[tuple[tuple[str, float], ...]]:
    """Empty where no list in ``attrs`` is parallel to the spans."""
    known = [name for name in ATTRIBUTES if len(group.attrs.get(name, ())) == len(group)]
    return [tuple((name, float(group.attrs[name][n])) for name in known) for n in range(len(group))]


def _concepts(group: SpanGroup) -> Iterator[tuple[str | None, str | None, float | None]]:
    """Code, term and score of each span's concept, as a linker wrote them."""
    if "codes" not in group.attrs:
        yield from ((None, None, None) for _ in group)
        return
    for code, candidates in zip(span_values(group, "codes", ""), span_values(group, "candidates", None), strict=True):
        chosen: Mapping[str, Any] = next((c for c in candidates or () if c["code"] == code), {})
        score = chosen.get("score")
        yield code or "", chosen.get("term", ""), None if score is None else float(score)
