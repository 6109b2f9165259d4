"""What relations there are in gold data: their labels, and the pairs of span labels that they stand between.

``counts``: the number of gold relations by (label, head's label, tail's label); see
:func:`clinner_spacy.relations.gold.count_types`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from clinner_spacy.errors import ClinnerError

#: The label of pairs in no relation, the first one of models trained here.
NULL = ""

TypeCounts = Mapping[tuple[str, str, str], int]


def found_labels(counts: TypeCounts, spans_key: str) -> list[str]:
    """The relations' labels, sorted. Raises ClinnerError if there is no relation."""
    if not counts:
        raise ClinnerError(
            f'The training data has no relations between spans of doc.spans["{spans_key}"]; read a corpus that has, '
            "such as brat with R lines."
        )
    return sorted({label for label, _, _ in counts})


def found_pairs(
    counts: TypeCounts, labels: Sequence[str], asked: frozenset[tuple[str, str]] | None
) -> list[list[str]]:
    """The [head label, tail label] pairs that relations of these labels stand between, sorted; of those ``asked`` for,
    if that is not None."""
    pairs = sorted({(head, tail) for label, head, tail in counts if label in labels})
    return [list(pair) for pair in pairs if asked is None or pair in asked]
