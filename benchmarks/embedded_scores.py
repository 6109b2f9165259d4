"""What the embedded model finds on every dev part, and how much it loses when texts are written badly.

    python benchmarks/embedded_scores.py corpus/dev --checkpoint embedded
    python benchmarks/embedded_scores.py corpus/dev --changed
    python benchmarks/embedded_scores.py corpus/dev --lang xx

corpus/dev is what scripts/gold.py writes: one .spacy file a corpus, its name ending in the language. Strict and
character F1, and the 95 % interval of the strict one over resampled documents. "disorder" is a disease or a symptom.
``--changed``: the same texts also in capitals, without accents, with 2 % of the words mistyped, in lines of 80.
"""

from __future__ import annotations

import random
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
import spacy
import typer
from spacy.language import Language
from spacy.tokens import Doc

from clinner_spacy.corpora.docbin import read_docs
from clinner_spacy.scoring.spans import SpanRow, char_scores, strict_scores

Change = Callable[[str], str]


def main(
    dev: Annotated[Path, typer.Argument(help="Folder of .spacy files, or one of them.")],
    checkpoint: Annotated[str, typer.Option(help="embedded, or a trained pipeline.")] = "embedded",
    lang: Annotated[str | None, typer.Option(help="Cut words as this language does, not each its own.")] = None,
    changed: Annotated[bool, typer.Option(help="Measure badly written texts, too.")] = False,
) -> None:
    for path in sorted(dev.glob("*.spacy")) if dev.is_dir() else [dev]:
        nlp = spacy.blank(lang or re.sub(r"-cardio$", "", path.stem).rpartition("-")[2])
        nlp.add_pipe("multiclin_ner", config={"checkpoint": checkpoint, "annotate": "spans"})
        gold = list(read_docs(path, nlp.vocab))
        for name, change in (CHANGES if changed else {"": unchanged}).items():
            for task, (expected, found) in compared(nlp, gold, change).items():
                strict, char = strict_scores(expected, found)["f1"], char_scores(expected, found)["f1"]
                low, high = interval(expected, found)
                n_docs = sum(task in doc.spans for doc in gold)
                print(
                    f"{path.stem:24} {name:12} {task:10} {strict:.3f} / {char:.3f}  [{low:.3f}, {high:.3f}]  {n_docs}",
                    flush=True,
                )


def compared(nlp: Language, gold: list[Doc], change: Change) -> dict[str, tuple[list[SpanRow], list[SpanRow]]]:
    """Each task's gold spans and those found in the changed texts, in the documents annotated for it."""
    rows: dict[str, tuple[list[SpanRow], list[SpanRow]]] = defaultdict(lambda: ([], []))
    labels = set(nlp.get_pipe("multiclin_ner").labels)
    for n, (doc, found) in enumerate(zip(gold, nlp.pipe(change(doc.text) for doc in gold), strict=True)):
        for task, group in doc.spans.items():
            wanted = {"DISEASE", "SYMPTOM"} if task == "disorder" else {task.upper()}
            if not wanted <= labels:
                continue
            rows[task][0].extend({SpanRow(n, task, span.start_char, span.end_char) for span in group})
            spans = [span for span in found.spans["sc"] if span.label_ in wanted]
            rows[task][1].extend({SpanRow(n, task, span.start_char, span.end_char) for span in spans})
    return rows


def interval(expected: list[SpanRow], found: list[SpanRow], rounds: int = 1000) -> tuple[float, float]:
    """The middle 95 % of strict F1 over resampled documents."""
    documents = sorted({row.document for row in (*expected, *found)})
    index = {document: i for i, document in enumerate(documents)}
    counts = np.zeros((len(documents), 3))
    for column, rows in enumerate((set(expected) & set(found), expected, found)):
        np.add.at(counts[:, column], [index[row.document] for row in rows], 1)
    chosen = np.random.default_rng(0).integers(len(documents), size=(rounds, len(documents)))
    both, n_gold, n_found = counts[chosen].sum(axis=1).T
    low, high = np.quantile(2 * both / np.maximum(n_gold + n_found, 1), [0.025, 0.975])
    return float(low), float(high)


# Changes that keep every character in its place, so that gold stays true.


def unchanged(text: str) -> str:
    return text


def capitals(text: str) -> str:
    return "".join(c.upper() if len(c.upper()) == 1 else c for c in text)


def bare(text: str) -> str:
    return "".join(unicodedata.normalize("NFD", c)[0] for c in text)


def mistyped(text: str) -> str:
    """2 % of the words with two neighbours exchanged or one letter replaced."""
    rng, letters = random.Random(0), list(text)
    for word in re.finditer(r"[^\W\d_]{4,}", text):
        if rng.random() < 0.02:
            i = rng.randrange(word.start() + 1, word.end() - 1)
            if rng.random() < 0.5:
                letters[i], letters[i + 1] = letters[i + 1], letters[i]
            else:
                letters[i] = rng.choice("abcdefghijklmnopqrstuvwxyz")
    return "".join(letters)


def wrapped(text: str) -> str:
    letters, column, last_space = list(text), 0, -1
    for i, c in enumerate(text):
        column = 0 if c == "\n" else column + 1
        last_space = i if c == " " else last_space
        if column > 80 and last_space > i - column:
            letters[last_space], column = "\n", i - last_space
    return "".join(letters)


CHANGES: dict[str, Change] = {
    "as it is": unchanged,
    "capitals": capitals,
    "bare capitals": lambda text: bare(capitals(text)),
    "bare": bare,
    "mistyped": mistyped,
    "wrapped": wrapped,
}

if __name__ == "__main__":
    typer.run(main)
