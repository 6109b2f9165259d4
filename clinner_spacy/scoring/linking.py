"""The registered scorer ``clinner.linker_scorer.v1``: the right code for gold spans, and end to end."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from spacy.tokens import SpanGroup
from spacy.training import Example

from clinner_spacy.linking.linker import Candidate, Mention
from clinner_spacy.linking.write import mentions_in
from clinner_spacy.ner.write import span_values
from clinner_spacy.scoring.spans import strict_scores

#: How many candidates ``codes_accuracy_5`` looks at, whatever a component's ``k``.
RANKED = 5

#: What the scores are made of when a config does not say.
SCORE_WEIGHTS: dict[str, float | None] = {
    **{"codes_accuracy": 0.0, "codes_accuracy_5": 0.0, "codes_mrr": 0.0},
    **{"codes_p": 0.0, "codes_r": 0.0, "codes_f": 0.0},
}


def make_linker_scorer() -> Callable[..., dict[str, Any]]:
    """A scorer to be called as :func:`score_links`."""
    return score_links


def score_links(
    examples: Iterable[Example],
    *,
    spans_key: str = "sc",
    candidates: Callable[[Collection[Mention]], Mapping[Mention, Sequence[Candidate]]] | None = None,
    **kwargs: Any,
) -> dict[str, Any]:
    """Score codes against the references' span groups that have ``attrs["codes"]``; others were not annotated.

    Over gold spans that have a code, with the ``candidates`` of their texts and labels, whatever their scores:
    ``codes_accuracy`` (the first is right), ``codes_accuracy_5`` (one of five) and ``codes_mrr`` (the mean of one by
    the rank of the right one; 0 for one beyond the candidates, which the component gives at least five of).

    End to end, over ``predicted.spans[spans_key]``: ``codes_p``, ``codes_r`` and ``codes_f``, where a span is right
    with the bounds, label and code of a gold one. A label that no reference has was not annotated; found spans of it
    do not count. Numbers are from 0 to 1, or None where nothing was annotated.
    """
    gold: list[tuple[int, str, int, int, str]] = []
    found: list[tuple[int, str, int, int, str]] = []
    labels: set[str] = set()
    asked: list[tuple[Mention, str]] = []
    annotated = False
    for number, example in enumerate(examples):
        groups = [group for group in example.reference.spans.values() if "codes" in group.attrs]
        if not groups:
            continue
        annotated = True
        for group in groups:
            gold += _rows(number, group)
            asked += _coded(group)
            labels |= {span.label_ for span in group}
        if spans_key in example.predicted.spans:
            found += _rows(number, example.predicted.spans[spans_key])
    counted = [row for row in found if row[1] in labels or not labels]
    measures = strict_scores(gold, counted) if annotated else None
    ends = {f"codes_{name[0]}": measures and measures[name] for name in ("precision", "recall", "f1")}
    ranks = _ranks(asked, candidates({mention for mention, _ in asked})) if candidates and asked else None
    return rank_scores(ranks) | ends


def rank_scores(ranks: Sequence[int | None] | None) -> dict[str, float | None]:
    """Accuracy at 1 and at 5 and mean reciprocal rank of the ranks, from 1, of right codes; None: not there."""
    if not ranks:
        return dict.fromkeys(["codes_accuracy", "codes_accuracy_5", "codes_mrr"])
    return {
        "codes_accuracy": sum(rank == 1 for rank in ranks) / len(ranks),
        "codes_accuracy_5": sum(rank is not None and rank <= RANKED for rank in ranks) / len(ranks),
        "codes_mrr": sum(1 / rank for rank in ranks if rank is not None) / len(ranks),
    }


def _rows(number: int, group: SpanGroup) -> list[tuple[int, str, int, int, str]]:
    """The spans of a group that have a code: document, label, characters, code; once each."""
    codes = span_values(group, "codes", "")
    rows = [(number, s.label_, s.start_char, s.end_char, code) for s, code in zip(group, codes, strict=True) if code]
    return list(dict.fromkeys(rows))


def _coded(group: SpanGroup) -> Iterator[tuple[Mention, str]]:
    for mention, code in zip(mentions_in(group), span_values(group, "codes", ""), strict=True):
        if code:
            yield mention, code


def _ranks(asked: Sequence[tuple[Mention, str]], found: Mapping[Mention, Sequence[Candidate]]) -> list[int | None]:
    ranks: list[int | None] = []
    for mention, code in asked:
        codes = [candidate.code for candidate in found[mention]]
        ranks.append(1 + codes.index(code) if code in codes else None)
    return ranks
