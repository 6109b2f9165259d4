"""Vectors of character n-grams from open text, for clinner.SpellingEmbed.v1 (needs `pip install floret`).

    python benchmarks/ngram_vectors.py --text es es.jsonl --text en en.jsonl --text it it.jsonl corpus/ngrams.floret

A line of the input is a JSON object with the key "text". Words are those of each language's tokenizer, in lower case.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import floret
import spacy
import srsly
import typer


def main(
    output: Path,
    text: Annotated[list[tuple[str, Path]], typer.Option(help="Language and JSONL file; repeat for each.")],
    width: int = 96,
    rows: int = 50_000,
    epochs: int = 5,
) -> None:
    with tempfile.NamedTemporaryFile("w", encoding="utf8", suffix=".txt") as words:
        for lang, path in text:
            nlp = spacy.blank(lang)
            for line in srsly.read_jsonl(path):
                doc = nlp.tokenizer(line["text"])
                words.write(" ".join(token.lower_ for token in doc if not token.is_space) + "\n")
        words.flush()
        hashing = {"mode": "floret", "hashCount": 2, "bucket": rows, "minn": 4, "maxn": 5}
        learning = {"model": "skipgram", "dim": width, "epoch": epochs, "minCount": 3, "lr": 0.05, "thread": 1}
        model = floret.train_unsupervised(words.name, **hashing, **learning)
    model.save_floret_vectors(str(output))


if __name__ == "__main__":
    typer.run(main)
