"""Relations beside the mentions: what the commands read off a Doc, the table they write and the lines they draw."""

from __future__ import annotations

import csv
import re
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from clinner_spacy.cli.marked import shown
from clinner_spacy.errors import ClinnerError
from clinner_spacy.files import replacing
from clinner_spacy.tables.formats import Format, table_format
from clinner_spacy.tables.found import AnnotatedText
from clinner_spacy.tables.records import records_of_relations
from clinner_spacy.tables.write import Layout, table_writer

if TYPE_CHECKING:
    from spacy.language import Language


def require_relations(nlp: Language) -> None:
    """Raise ClinnerError if the pipeline finds no relations."""
    from clinner_spacy.pipeline.components import relation_key

    if relation_key(nlp) is None:
        raise ClinnerError(
            f"The pipeline holds no 'clinical_relations' but {', '.join(nlp.pipe_names)}; name one that has it, or "
            "leave --relations out."
        )


def recorded(texts: Iterable[AnnotatedText], path: Path, layout: Layout) -> Generator[AnnotatedText]:
    """Pass texts on and write their relations to a table, which appears when the last text has passed.

    Its format is that of its extension; a TSV calls the notes' ids "filename", as that of the mentions does.
    """
    format = table_format(path)
    if format is Format.tsv:
        yield from _recorded_as_tsv(texts, path, layout)
        return
    with table_writer(path, format, layout.relations()) as write:
        for text in texts:
            write(records_of_relations(text))
            yield text


def _recorded_as_tsv(texts: Iterable[AnnotatedText], path: Path, layout: Layout) -> Iterator[AnnotatedText]:
    names = list(layout.relations())
    with replacing(path) as file:
        table = csv.writer(file, delimiter="\t", lineterminator="\n")
        table.writerow(["filename" if name == "note_id" else name for name in names])
        for text in texts:
            for record in records_of_relations(text):
                record["score"] = f"{record['score']:.4f}"
                table.writerow([_one_line(str(record.get(name, ""))) for name in names])
            yield text


def render_relations(text: AnnotatedText) -> Iterator[str]:
    """A list of the text's relations, in text order of their heads; nothing if there are none."""
    if text.relations:
        yield '<ul class="relations">\n'
        for r in text.relations:
            head, tail = (
                f"<q>{shown(_one_line(text.text[f.start : f.end]))}</q> <small>{shown(f.label)}</small>"
                for f in (text.found[r["head"]], text.found[r["tail"]])
            )
            score, label = f"{r['score']:.2f}", shown(r["label"])
            yield f'<li title="{score}">{head} <em>— {label} →</em> {tail}</li>\n'
        yield "</ul>\n"


def _one_line(text: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f\x85\u2028\u2029]", " ", text)
