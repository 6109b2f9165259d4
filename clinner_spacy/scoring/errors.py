"""What kind of error each wrong span is: missed, spurious, of boundary or of label."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from typing import NamedTuple

from clinner_spacy.scoring.spans import SpanRow

KINDS = ("missed", "spurious", "boundary", "label")


class SpanError(NamedTuple):
    """One error. gold: the span that should have been found; predicted: the one that was; of a boundary or label error
    both, of a missed or spurious span one."""

    kind: str
    gold: SpanRow | None
    predicted: SpanRow | None

    @property
    def row(self) -> SpanRow:
        """The gold span, or the predicted one where there is none."""
        row = self.gold or self.predicted
        assert row is not None
        return row


def find_errors(gold: Sequence[SpanRow], predicted: Sequence[SpanRow]) -> list[SpanError]:
    """All errors, by document in order of appearance and place in it.

    A gold and a predicted span that are both wrong are one error if they have the same characters and another label
    ("label"), or else overlap and have the same label ("boundary"); those that overlap most are paired first, each span
    with one other. What remains is "missed" or "spurious". So errors with a predicted span are the false positives of
    :func:`~clinner_spacy.scoring.spans.strict_scores`, and those with a gold span its false negatives.
    """
    wrong: dict[Hashable, tuple[list[SpanRow], list[SpanRow]]] = defaultdict(lambda: ([], []))
    waiting = set(predicted)
    right = waiting & set(gold)
    for row in gold:
        if row in waiting:
            waiting.remove(row)  # a repeated gold span is missed the second time
        else:
            wrong[row.document][0].append(row)
    for row in dict.fromkeys(predicted):
        if row not in right:
            wrong[row.document][1].append(row)
    errors: list[SpanError] = []
    for missed, spurious in wrong.values():
        errors += sorted(_paired(missed, spurious), key=lambda error: error.row[2:])
    return errors


def _paired(missed: list[SpanRow], spurious: list[SpanRow]) -> Iterator[SpanError]:
    free_gold, free_predicted = dict.fromkeys(range(len(missed))), dict.fromkeys(range(len(spurious)))
    for kind, candidates in (("label", _same_place(missed, spurious)), ("boundary", _overlapping(missed, spurious))):
        for _, g, p in sorted(candidates):
            if g in free_gold and p in free_predicted:
                del free_gold[g], free_predicted[p]
                yield SpanError(kind, missed[g], spurious[p])
    yield from (SpanError("missed", missed[g], None) for g in free_gold)
    yield from (SpanError("spurious", None, spurious[p]) for p in free_predicted)


def _same_place(missed: list[SpanRow], spurious: list[SpanRow]) -> Iterator[tuple[float, int, int]]:
    """Indices of spans with the same characters; their labels differ, or they would not be wrong."""
    at: dict[tuple[int, int], list[int]] = defaultdict(list)
    for g, row in enumerate(missed):
        at[row.start, row.end].append(g)
    for p, row in enumerate(spurious):
        yield from ((0.0, g, p) for g in at.get((row.start, row.end), ()) if missed[g].label != row.label)


def _overlapping(missed: list[SpanRow], spurious: list[SpanRow]) -> Iterator[tuple[float, int, int]]:
    """Minus the overlap F1 and the indices of spans with the same label that overlap."""
    by_label: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
    for g, row in enumerate(missed):
        by_label[row.label].append((row.start, row.end, g))
    longest = {label: max(end - start for start, end, _ in rows) for label, rows in by_label.items()}
    for rows in by_label.values():
        rows.sort()
    for p, row in enumerate(spurious):
        rows = by_label.get(row.label, [])
        first = bisect_right(rows, (row.start - longest.get(row.label, 0),))
        for start, end, g in rows[first : bisect_left(rows, (row.end,))]:
            overlap = min(end, row.end) - max(start, row.start)
            if overlap > 0:
                yield -2 * overlap / (end - start + row.end - row.start), g, p
