"""Token classifiers as the Hugging Face hub has them: one task, whatever its tag scheme."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clinner_spacy.checkpoints.loaded import Loaded
from clinner_spacy.checkpoints.published import about, assemble
from clinner_spacy.checkpoints.request import Request
from clinner_spacy.errors import ClinnerError
from clinner_spacy.ner.schemes import parse_tags, scheme_of

#: Which of our two tags each prefix is, counted from the label's first column.
OFFSET = {"B": 0, "U": 0, "S": 0, "I": 1, "L": 1, "E": 1}


#: What the models of a publisher tag, by how their names begin.
PUBLISHERS = {
    "BSC-NLP4BIA/multiclinner-": "alphanumeric",
    "SU-FMI-AI/multiclinner_": "pieces",
    "CLTL-VUAmsterdam/multiClinNER26-": "pieces",
}


def words_of(name: str) -> str | None:
    """What a publisher's models tag, if it is known: by the name of the repository."""
    return next((words for start, words in PUBLISHERS.items() if name.startswith(start)), None)


def load_token_classification(path: Path, request: Request) -> Loaded:
    """Read the directory of a token classifier.

    An ``I`` that continues nothing opens a mention, as transformers' own pipeline has it.

    Its one task is called as ``request.task`` says, by default as its label in lower case, or "ner" if it has several.
    What is tagged is by default what its publisher has where that is known, else the Doc's words. Raises ClinnerError
    if its tags make no scheme.
    """
    from clinner_spacy.encoders.encoder import read_tagger

    name = request.name
    encoder, weight, bias = read_tagger(path)
    tags = tags_of(encoder.config, len(weight), request.labels, name)
    names, columns = layout(tags, name)
    tasks = {only_task(request.task, names, name): names}
    heads = weight.numpy(), bias.numpy()
    canonical: list[int] | None = columns
    if sorted(columns) == list(range(1 + 2 * len(names))):
        rows = [columns.index(column) for column in range(len(columns))]
        heads, canonical = (heads[0][rows], heads[1][rows]), None
    reading = {"words": request.words or words_of(name)}
    model, architecture = assemble(name, encoder, [heads], tasks, request.settings, canonical, "open", reading)
    return Loaded(model, tasks, architecture, about("token classification", name, model, path))


def only_task(task: str | Sequence[str] | None, labels: Sequence[str], name: str) -> str:
    """What the one task is called: as asked, or by its label, or "ner" if it has several. Raises ClinnerError if
    several names are given."""
    if task is None:
        return labels[0].lower() if len(labels) == 1 else "ner"
    if not isinstance(task, str) and len(task) != 1:
        raise ClinnerError(f"{name} has one task, but task={list(task)} names {len(task)}; name one.")
    return task if isinstance(task, str) else task[0]


def tags_of(config: Any, n_tags: int, labels: Sequence[str] | None, name: str) -> list[str]:
    """The tag of each row of the head, e.g. ``["O", "B-DRUG", "I-DRUG"]``."""
    example = 'say what they are with `labels`, such as ["O", "B-DRUG", "I-DRUG"]'
    return row_names(config, n_tags, labels, name, "tags", example)


def row_names(config: Any, n_rows: int, labels: Sequence[str] | None, name: str, what: str, advice: str) -> list[str]:
    """What each row of a head stands for: ``labels``, or what the config calls them.

    what, advice: what errors call the rows, and what they say to do where the config only counts them.
    """
    known = [str(config.id2label[n]) for n in range(n_rows) if n in config.id2label]
    names = known if labels is None else list(labels)
    # A config without names counts two rows, however many there are.
    if labels is None and all(re.fullmatch(r"LABEL_\d+", row) for row in names):
        raise ClinnerError(f"{name} only counts its {n_rows} {what} (LABEL_0, …); {advice}.")
    if len(names) != n_rows:
        raise ClinnerError(
            f"{name} has {n_rows} {what}, but labels={names} names {len(names)}; name each of its {what}, in order."
        )
    return names


def layout(tags: Sequence[str], name: str) -> tuple[list[str], list[int]]:
    """The labels of a tag list, and for each tag its column: 0 for O, 2n + 1 for B, 2n + 2 for I of label n."""
    try:
        parsed = list(parse_tags(tags, scheme_of(set(tags))))
    except ClinnerError as error:
        raise ClinnerError(
            f"{name} is no tagger of mentions: of its tags ({', '.join(tags[:8])}) {error} Set `labels` to its real "
            "tags if you know them."
        ) from error
    names = list(dict.fromkeys(label for _, label in parsed if label))
    if not names:
        raise ClinnerError(f"{name} is no tagger of mentions: its tags are {', '.join(tags)}; name another checkpoint.")
    return names, [1 + 2 * names.index(label) + OFFSET[prefix] if label else 0 for prefix, label in parsed]
