"""Relations beside the mentions: what the commands read off a Doc, the table they write and the lines they draw."""

from __future__ import annotations

import csv
import re
from collections.abc import Generator, Iterable, Iterator
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from clinner_spacy.errors import ClinnerError
from clinner_spacy.files import replacing
from clinner_spacy.tables.found import AnnotatedText

if TYPE_CHECKING:
    from spacy.language import Language

COLUMNS = (
    *("filename", "relation", "head_label", "head_start", "head_end", "head_text"),
    *("tail_label", "tail_start", "tail_end", "tail_text", "score"),
)

def require_relations(nlp: Language) -> None:
    """Raise ClinnerError if the pipeline finds no relations."""
    from clinner_spacy.pipeline.components import relation_key

    if relation_key(nlp) is None:
        raise ClinnerError(
            f"The pipeline holds no 'clinical_relations' but {', '.join(nlp.pipe_names)}; name one that has it, or "
            "leave --relations out."
        )


def recorded(texts: Iterable[AnnotatedText], path: Path) -> Generator[AnnotatedText]:
    """Pass texts on and write their relations to a table, which appears when the last text has passed."""
    with replacing(path) as file:
        table = csv.writer(file, delimiter="\t", lineterminator="\n")
        table.writerow(COLUMNS)
        for text in texts:
            for r in text.relations:
                sides = [text.found[n] for n in (r["head"], r["tail"])]
                cells = [
                    cell for f in sides for cell in (f.label, f.start, f.end, _one_line(text.text[f.start : f.end]))
                ]
                table.writerow([text.name, r["label"], *cells, f"{r['score']:.4f}"])
            yield text


def render_relations(text: AnnotatedText) -> Iterator[str]:
    """A list of the text's relations, in text order of their heads; nothing if there are none."""
    if text.relations:
        yield '<ul class="relations">\n'
        for r in text.relations:
            head, tail = (
                f"<q>{escape(_one_line(text.text[f.start : f.end]))}</q> <small>{escape(f.label)}</small>"
                for f in (text.found[r["head"]], text.found[r["tail"]])
            )
            score, label = f"{r['score']:.2f}", escape(r["label"])
            yield f'<li title="{score}">{head} <em>— {label} →</em> {tail}</li>\n'
        yield "</ul>\n"


def _one_line(text: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f\x85\u2028\u2029]", " ", text)
