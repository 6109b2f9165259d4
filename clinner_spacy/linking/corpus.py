"""Mentions with codes, from a corpus that people annotated."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import spacy

from clinner_spacy.corpora.brat import Codes, read_brat
from clinner_spacy.corpora.docbin import read_docs
from clinner_spacy.errors import ClinnerError
from clinner_spacy.linking.learn import Annotated
from clinner_spacy.linking.write import mentions_in
from clinner_spacy.ner.write import span_values


def read_annotated(path: str | Path, codes: Codes = "normalizations") -> list[Annotated]:
    """The mentions that have a code, of a folder of brat standoff or a ``.spacy`` file, where ``attrs["codes"]`` of the
    span groups has it. codes: where brat files have it (:func:`~clinner_spacy.corpora.brat.read_brat`).

    Of a discontinuous mention, the text is its fragments with a space between. Raises ClinnerError if there is none.
    """
    path = Path(path)
    found = list(_of_docs(path) if path.suffix == ".spacy" else _of_brat(path, codes))
    if not found:
        raise ClinnerError(
            f"{path} has no mention with a code; if its codes stand in brat's notes, say --codes notes, else annotate "
            "normalizations."
        )
    return found


def _of_brat(path: Path, codes: Codes) -> Iterator[Annotated]:
    for document in read_brat(path, codes=codes):
        for mentions in document.mentions.values():
            for mention in mentions:
                if mention.code:
                    text = " ".join(document.text[start:end] for start, end in mention.fragments)
                    yield Annotated(f"{path}/{document.name}", text, mention.label, mention.code)


def _of_docs(path: Path) -> Iterator[Annotated]:
    for number, doc in enumerate(read_docs(path, spacy.blank("xx").vocab)):
        rows = [
            (span.start_char, span.end_char, mention, code)
            for group in doc.spans.values()
            for span, mention, code in zip(group, mentions_in(group), span_values(group, "codes", ""), strict=True)
            if code
        ]
        for _, _, mention, code in dict.fromkeys(rows):  # a mention may stand in several groups
            yield Annotated(f"{path}/{number}", mention.text, mention.label, code)
