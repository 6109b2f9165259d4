"""The corpus readers as a training config names them: ``@readers = "clinner.MultiClinCorpus.v1"`` and its kin.

Each gives a function from the pipeline to Examples that may be called again and again, in the same order. What did not
fit is logged once, after the first full reading.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from typing import Literal

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from clinner_spacy.corpora.brat import Codes, read_brat
from clinner_spacy.corpora.conll import read_conll
from clinner_spacy.corpora.docbin import read_docs
from clinner_spacy.corpora.document import Document, Report, to_doc
from clinner_spacy.corpora.multiclin import multiclin_tasks, read_multiclin
from clinner_spacy.errors import ClinnerError

logger = logging.getLogger("spacy")

Reader = Callable[[Language], Iterator[Example]]
Augmenter = Callable[[Language, Example], Iterator[Example]]


def create_multiclin_reader(
    paths: list[str], tasks: list[str] | None = None, spans_key: str = "sc", limit: int = 0
) -> Reader:
    """Splits in the MultiClinNER layout, one after the other; ``tasks`` chooses among what each has (default: all).

    spans_key: that of the component, whose name no task may have.
    """

    def read(report: Report) -> Iterator[Document]:
        for path, chosen in _choose(paths, tasks).items():
            yield from read_multiclin(path, tasks=chosen, report=report)

    return _reader(read, limit, spans_key)


def create_brat_reader(
    paths: list[str],
    labels: dict[str, str] | None = None,
    only: list[str] | None = None,
    task: str | None = None,
    relations: Literal["corpus", "document"] = "corpus",
    codes: Codes = None,
    spans_key: str = "sc",
    limit: int = 0,
) -> Reader:
    """Folders of brat standoff; options as in :func:`clinner_spacy.corpora.brat.read_brat`.

    spans_key: that of the component, where the spans stand that relations point to; no task may have its name.
    """
    read = partial(read_brat, labels=labels, only=only, task=task, relations=relations, codes=codes)
    return _reader(_each(paths, read), limit, spans_key)


def create_conll_reader(
    paths: list[str],
    labels: dict[str, str] | None = None,
    only: list[str] | None = None,
    task: str | None = None,
    spans_key: str = "sc",
    limit: int = 0,
) -> Reader:
    """CoNLL or CSV files, or folders of them; options as in :func:`clinner_spacy.corpora.conll.read_conll`.

    spans_key: that of the component, whose name no task may have.
    """
    return _reader(_each(paths, partial(read_conll, labels=labels, only=only, task=task)), limit, spans_key)


def create_docbin_reader(paths: list[str], limit: int = 0, augmenter: Augmenter | None = None) -> Reader:
    """Docs that ``multiclin convert`` stored, each with the words of its own language, so that one pipeline learns from
    several languages at once (spaCy's own reader would cut them all up with the pipeline's tokenizer).

    augmenter: gives one or several examples for each, as in ``spacy.Corpus.v1``.
    """

    def examples(nlp: Language) -> Iterator[Example]:
        docs = (doc for path in paths for doc in read_docs(path, nlp.vocab))
        for doc in islice(docs, limit or None):
            words = [token.text for token in doc]
            example = Example(Doc(nlp.vocab, words=words, spaces=[bool(token.whitespace_) for token in doc]), doc)
            yield from augmenter(nlp, example) if augmenter is not None else [example]

    return examples


def _each(paths: list[str], read: Callable[..., Iterator[Document]]) -> Callable[[Report], Iterator[Document]]:
    """Read one path after the other."""
    return lambda report: (document for path in paths for document in read(path, report=report))


def _choose(paths: list[str], tasks: list[str] | None) -> dict[str, list[str]]:
    """Path -> those of the wanted tasks that it has, if any; a task that none has is an error."""
    there = {path: multiclin_tasks(path) for path in paths}
    unknown = set(tasks or ()) - {task for found in there.values() for task in found}
    if unknown:
        raise ClinnerError(f"None of {', '.join(paths)} has the task {', '.join(sorted(unknown))}.")
    chosen = {path: [task for task in found if tasks is None or task in tasks] for path, found in there.items()}
    return {path: found for path, found in chosen.items() if found}


def _reader(read: Callable[[Report], Iterable[Document]], limit: int, spans_key: str) -> Reader:
    """Examples of at most ``limit`` documents (0: all)."""
    told = False

    def examples(nlp: Language) -> Iterator[Example]:
        nonlocal told
        report = Report()
        for document in islice(read(report), limit or None):
            yield Example(nlp.tokenizer(document.text), to_doc(document, nlp, report=report, spans_key=spans_key))
        if not told:
            logger.info("Corpus: %s", report)
            told = True

    return examples
