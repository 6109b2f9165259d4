"""Which labels to keep, what to call them, and which task each belongs to."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from clinner_spacy.corpora.document import Document, Mention, Report
from clinner_spacy.errors import ClinnerError, nearest

#: The one key of ``Document.mentions`` in documents whose source knows labels, but no tasks.
NO_TASK = ""

#: The span group of all tasks' mentions, unless a component is told otherwise.
SPANS_KEY = "sc"


def rename_labels(
    documents: Sequence[Document],
    labels: Mapping[str, str] | None,
    only: Collection[str] | None,
    report: Report,
) -> None:
    """Rename labels (source name -> ours) and leave out those not in ``only`` (our names), in place; counts what goes.

    A relation goes with its mention. Raises ClinnerError for a name that no document has.
    """
    found = {mention.label for document in documents for group in document.mentions.values() for mention in group}
    labels = labels or {}
    ours = {labels.get(label, label) for label in found}
    for asked, known in ((labels, found), (only or (), ours)):
        for unknown in sorted(set(asked) - known):
            raise ClinnerError(f"No mention is labelled {unknown}: {nearest(unknown, known)}.")
    for document in documents:
        for task, group in document.mentions.items():
            renamed = [replace(mention, label=labels.get(mention.label, mention.label)) for mention in group]
            document.mentions[task] = [mention for mention in renamed if only is None or mention.label in only]
            report.left_out.update(
                mention.label for mention in renamed if only is not None and mention.label not in only
            )
        _drop_loose_relations(document, report)


def _drop_loose_relations(document: Document, report: Report) -> None:
    if document.relations is None:
        return
    ids = {mention.id for group in document.mentions.values() for mention in group}
    kept = [relation for relation in document.relations if {relation.head, relation.tail} <= ids]
    report.relations_lost += len(document.relations) - len(kept)
    document.relations = kept


def into_tasks(documents: Sequence[Document], task: str | None) -> Iterator[Document]:
    """Sort each document's mentions into tasks: all into ``task``, or each label into its own, in lower case.

    What one document of a corpus was annotated for, all were: every document gets every task, empty where it has none.
    A document without the key :data:`NO_TASK` was not annotated and gets no task.
    """
    found = {mention.label for document in documents for mention in document.mentions.get(NO_TASK, ())}
    tasks = sorted({task_of(label, task) for label in found})
    if task is not None:
        tasks = [task]
    for document in documents:
        if NO_TASK in document.mentions:
            sorted_in: dict[str, list[Mention]] = {name: [] for name in tasks}
            for mention in document.mentions[NO_TASK]:
                sorted_in[task_of(mention.label, task)].append(mention)
            document.mentions = sorted_in
        yield document


def task_of(label: str, task: str | None) -> str:
    """The task a label belongs to: the one given, or one of its own."""
    return label.lower() if task is None else task
