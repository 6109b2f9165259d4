"""The parts of the report of ``multiclin evaluate --html``, as HTML."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from clinner_spacy.cli.marked import shown
from clinner_spacy.cli.report_text import Mark, marked_lines
from clinner_spacy.errors import ClinnerError
from clinner_spacy.scoring.analysis import Analysis, LabelScores, Score
from clinner_spacy.scoring.errors import KINDS, SpanError
from clinner_spacy.scoring.spans import SpanRow

EXPLAINED = {
    "right": "the same characters and the same label",
    "missed": "in the gold alone",
    "spurious": "predicted alone",
    "boundary": "the label is right, other characters that overlap",
    "label": "the characters are right, another label",
}


def scores_part(analysis: Analysis) -> Iterator[str]:
    yield (
        f"<p>{analysis.n_documents:,} documents with a span. A span is right if its characters and its label are. In "
        "brackets: where 95 % of the scores lie when documents are drawn anew (bootstrap).</p>\n"
    )
    yield '<div class="wide"><table>\n<tr><th>label</th><th>precision</th><th>recall</th><th>F1</th><th>gold</th>'
    yield "".join(f"<th>{name}</th>" for name in ("predicted", "right", *KINDS, "taken for it")) + "</tr>\n"
    for scores in analysis.labels:
        yield _row(scores)
    yield "</table></div>\n"


def _row(scores: LabelScores) -> str:
    measures = "".join(f"<td>{_interval(score)}</td>" for score in (scores.precision, scores.recall, scores.f1))
    counts = (scores.tp + scores.fn, scores.tp + scores.fp, scores.tp, *scores.kinds.values(), scores.taken)
    name = "<b>all</b>" if scores.label is None else shown(scores.label)
    return f"<tr><td>{name}</td>{measures}" + "".join(f"<td>{count:,}</td>" for count in counts) + "</tr>\n"


def _interval(score: Score) -> str:
    return f"{score.value:.3f} <small>[{score.low:.3f}–{score.high:.3f}]</small>"


def kinds_part() -> Iterator[str]:
    yield "<h2>Kinds of errors</h2>\n<dl>\n"
    for kind, meaning in EXPLAINED.items():
        yield f'<dt><span class="{kind}">{kind}</span></dt><dd>{meaning}</dd>\n'
    yield "</dl>\n<p>Boundary and label errors are two wrong spans, one of each side. A label error stands under the "
    yield "gold span's label, and under the predicted one as “taken for it”.</p>\n"


def index_part(analysis: Analysis, worst: Mapping[str, list[SpanError]]) -> Iterator[str]:
    """Links to the documents that are shown, and how many are not."""
    with_errors = len(analysis.errors)
    yield f"<h2>Documents</h2>\n<p>{with_errors:,} have errors"
    yield f"; the {len(worst):,} with most are shown.</p>\n<ol>\n" if with_errors > len(worst) else ".</p>\n<ol>\n"
    for number, (name, errors) in enumerate(worst.items()):
        kinds = Counter(error.kind for error in errors)
        counts = ", ".join(f"{kinds[kind]} {kind}" for kind in KINDS if kinds[kind])
        yield f'<li><a href="#d{number}">{shown(name)}</a> <small>{counts}</small></li>\n'
    yield "</ol>\n"


def side_by_side_part(
    text: str, errors: list[SpanError], gold: Iterable[SpanRow], predicted: Iterable[SpanRow]
) -> Iterator[str]:
    """The text of a document twice, line beside line: with the gold's spans, and with the predicted ones.

    Raises ClinnerError if a span ends behind the text.
    """
    columns = []
    for side, rows in (("gold", gold), ("predicted", predicted)):
        if outside := [row for row in rows if not 0 <= row.start < row.end <= len(text)]:
            raise ClinnerError(
                f"{outside[0].document}: a {side} span from {outside[0].start} to {outside[0].end} is outside the text "
                f"of {len(text)} characters; name the --texts that the tables were made from."
            )
        kinds = {getattr(error, side): error.kind for error in errors}
        marks = [Mark(*row[2:], row.label, kinds.get(row, "right")) for row in rows]
        columns.append(list(marked_lines(text, marks)))
    yield '<div class="sides">\n<b>gold</b><b>predicted</b>\n'
    for left, right in zip(*columns, strict=True):
        yield f"<p>{left}</p><p>{right}</p>\n"
    yield "</div>\n"


def listed_part(
    errors: list[SpanError], gold: Mapping[SpanRow, str], predicted: Mapping[SpanRow, str]
) -> Iterator[str]:
    yield '<div class="wide"><table>\n'
    yield '<tr><th>error</th><th class="text">gold</th><th class="text">predicted</th></tr>\n'
    for error in errors:
        cells = [_span(error.gold, gold), _span(error.predicted, predicted)]
        yield f'<tr><td><span class="{error.kind}">{error.kind}</span></td>'
        yield "".join(f'<td class="text">{cell}</td>' for cell in cells) + "</tr>\n"
    yield "</table></div>\n"


def _span(row: SpanRow | None, words: Mapping[SpanRow, str]) -> str:
    return "" if row is None else f"{shown(row.label)} <small>{row.start}–{row.end}</small> {shown(words[row])}"
