"""The report of ``multiclin evaluate --html``: scores, kinds of errors, and where they are, on one page."""

from __future__ import annotations

from collections.abc import Container, Iterable
from pathlib import Path
from typing import NamedTuple

from clinner_spacy.cli.marked import shown
from clinner_spacy.cli.report_chart import draw_chart
from clinner_spacy.cli.report_parts import index_part, kinds_part, listed_part, scores_part, side_by_side_part
from clinner_spacy.cli.report_style import FOOT, HEAD
from clinner_spacy.corpora.text import document_name, read_text
from clinner_spacy.corpora.tsv import read_tsv
from clinner_spacy.errors import ClinnerError
from clinner_spacy.files import find_files, replacing
from clinner_spacy.scoring.analysis import analyse
from clinner_spacy.scoring.spans import SpanRow

#: Documents that are shown; the page tells of others.
MOST = 100


class Spans(NamedTuple):
    """A table of spans: the rows, the text in the table of each, and its score, where the table has scores."""

    name: str
    rows: list[SpanRow]
    words: dict[SpanRow, str]
    scores: dict[SpanRow, float]


def read_table(path: Path, entity: str | None) -> Spans:
    """The spans of a table, those of one label if ``entity`` names it. Raises ClinnerError as ``read_tsv`` does."""
    spans = Spans(path.name, [], {}, {})
    for row in read_tsv(path, scores=True):
        if entity in (None, row.label):
            span = SpanRow(row.document, row.label, row.start, row.end)
            spans.rows.append(span)
            spans.words[span] = row.text
            if row.score is not None:
                spans.scores[span] = max(row.score, spans.scores.get(span, 0.0))
    return spans


def write_report(path: Path, gold: Spans, predicted: Spans, texts: Path | None) -> None:
    """Write the page. texts: the folder of the notes, .txt files named as documents are; without it spans are listed.

    Raises ClinnerError for a document that is not there, or is another text than the spans are of.
    """
    analysis = analyse(gold.rows, predicted.rows, predicted.scores)
    worst = {str(name): errors for name, errors in list(analysis.errors.items())[:MOST]}
    read = {} if texts is None else read_documents(texts, worst)
    gold_of, predicted_of = (_by_document(spans.rows, worst) for spans in (gold, predicted))
    with replacing(path) as file:
        file.write(HEAD)
        file.write(f"<h1>{shown(predicted.name)} against {shown(gold.name)}</h1>\n")
        file.writelines(scores_part(analysis))
        file.writelines(kinds_part())
        if analysis.bins:
            file.write("<h2>Score against precision</h2>\n")
            file.writelines(draw_chart(analysis.bins))
        file.writelines(index_part(analysis, worst))
        for number, (name, errors) in enumerate(worst.items()):
            file.write(f'<h3 id="d{number}">{shown(name)}</h3>\n')
            if texts is None:
                file.writelines(listed_part(errors, gold.words, predicted.words))
            else:
                sides = (side.get(name, ()) for side in (gold_of, predicted_of))
                file.writelines(side_by_side_part(read[name], errors, *sides))
        file.write(FOOT)


def read_documents(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """The texts of the named documents below ``folder``. Raises ClinnerError for one that is not there."""
    files = [Path(file) for file in find_files(folder).files if file.lower().endswith(".txt")]
    paths = {document_name(file.relative_to(folder)): file for file in files}
    missing = [name for name in names if name not in paths]
    if missing:
        raise ClinnerError(f"--texts {folder} has no {missing[0]}.txt; name the folder that the tables were made from.")
    return {name: read_text(paths[name]) for name in names}


def _by_document(rows: Iterable[SpanRow], names: Container[str]) -> dict[str, list[SpanRow]]:
    """The distinct rows of each of the named documents."""
    found: dict[str, list[SpanRow]] = {}
    for row in dict.fromkeys(rows):
        if row.document in names:
            found.setdefault(str(row.document), []).append(row)
    return found
