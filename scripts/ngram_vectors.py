"""Vectors of character n-grams from open text, for clinner.SpellingEmbed.v1.

    python scripts/ngram_vectors.py corpus/ngrams.floret --text es=es.jsonl --text nl=nl.spacy \\
        --pairs es-it=es-it.tsv --together nl=nl.spacy --together sv=sv.spacy --terms hpo.tsv --common 20000

Needs `pip install floret`, and wordfreq for ``--common``. A text is a .jsonl file with the key "text" a line, or a
.spacy file. So that words of several languages that mean the same get like vectors, translations are read word by word
in turns: a few words of the one, a few of the other, so that each word has its translation in its window. ``--pairs``:
sentence pairs, the last two columns but one of a .tsv file. ``--together``: documents of the same name but for the
language before it, cut at line breaks. ``--terms``: a .tsv file of terms, a language a column, several terms of one
separated by ``|``. ``--common``: words that are as common as each other, of all languages, are read side by side, so
that a word of everyday life that no clinical text had is known as one. Words are those of each language's tokenizer, in
lower case and without accents.
"""

from __future__ import annotations

import random
import re
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Annotated

import spacy
import srsly
import typer
from spacy.language import Language
from spacy.util import minibatch

from clinner_spacy.corpora.docbin import read_docs
from clinner_spacy.corpora.document import NAME_KEY
from clinner_spacy.letters import bare

blank = cache(spacy.blank)


def main(
    output: Path,
    text: Annotated[list[str], typer.Option(metavar="LANG=FILE", help="Texts; repeat for each file.")],
    pairs: Annotated[list[str], typer.Option(metavar="LANG-LANG=FILE", help="Sentence pairs.")] = [],  # noqa: B006
    together: Annotated[list[str], typer.Option(metavar="LANG=FILE", help="Translated documents.")] = [],  # noqa: B006
    terms: Annotated[Path | None, typer.Option(help="Terms, a column a language.")] = None,
    common: Annotated[int, typer.Option(help="The commonest words of each language, by wordfreq; 0: none.")] = 0,
    repeats: Annotated[int, typer.Option(help="How often translations and common words are read.")] = 4,
    width: int = 96,
    rows: int = 80_000,
    epochs: int = 5,
) -> None:
    import floret

    rng = random.Random(0)
    with tempfile.NamedTemporaryFile("w", encoding="utf8", suffix=".txt") as words:

        def write(lines: Iterable[list[str]]) -> None:
            words.writelines(" ".join(line) + "\n" for line in lines)

        for lang, path in map(named, text):
            write(words_of(lang, one) for one in texts_of(path, blank(lang)))
        for both, path in map(named, pairs):
            first, second = both.split("-")
            write(in_turns([words_of(first, a), words_of(second, b)]) for a, b in sentence_pairs(path))
        translated = [in_turns(lines) for lines in translated_lines([named(one) for one in together])]
        langs = sorted({lang for lang, _ in map(named, text)})
        everyday = list(common_words(langs, common)) if common else []
        for _ in range(repeats):
            write(translated)
            write(equally_common(everyday, rng))
        if terms is not None:
            write(in_turns(line) for line in translated_terms(terms))
        words.flush()
        hashing = {"mode": "floret", "hashCount": 2, "bucket": rows, "minn": 4, "maxn": 5}
        learning = {"model": "skipgram", "dim": width, "epoch": epochs, "minCount": 3, "lr": 0.05, "thread": 1}
        model = floret.train_unsupervised(words.name, **hashing, **learning)
    model.save_floret_vectors(str(output))


def named(option: str) -> tuple[str, Path]:
    """What stands before and after the sign of equality."""
    name, _, path = option.partition("=")
    return name, Path(path)


def texts_of(path: Path, nlp: Language) -> Iterator[str]:
    if path.suffix == ".spacy":
        yield from (doc.text for doc in read_docs(path, nlp.vocab))
    else:
        yield from (line["text"] for line in srsly.read_jsonl(path))


def words_of(lang: str, text: str) -> list[str]:
    return [bare(token.lower_) for token in blank(lang).tokenizer(text) if not token.is_space]


def in_turns(translations: list[list[str]]) -> list[str]:
    """The words of translations of one sentence, in order of their place in it, from 0 to 1."""
    places = [((n + 0.5) / len(words), word) for words in translations for n, word in enumerate(words)]
    return [word for _, word in sorted(places, key=lambda placed: placed[0])]


def sentence_pairs(path: Path) -> Iterator[tuple[str, str]]:
    with path.open(encoding="utf8") as file:
        for line in file:
            *_, first, second, _links = line.rstrip("\n").split("\t")
            yield first, second


def translated_lines(together: list[tuple[str, Path]]) -> Iterator[list[list[str]]]:
    """The words of each line of documents that have as many lines in all languages."""
    documents: dict[str, list[list[list[str]]]] = defaultdict(list)
    for lang, path in together:
        for doc in read_docs(path, blank(lang).vocab):
            name = re.sub(rf"^{lang}-", "", doc.user_data[NAME_KEY])
            documents[name].append([words_of(lang, line) for line in doc.text.splitlines() if line.strip()])
    for versions in documents.values():
        if len({len(lines) for lines in versions}) == 1:
            yield from map(list, zip(*versions, strict=True))


def translated_terms(path: Path) -> Iterator[list[list[str]]]:
    """The words of each concept's terms in all languages that spaCy knows and we read."""
    with path.open(encoding="utf8") as file:
        _, *langs = file.readline().rstrip("\n").split("\t")
        for line in file:
            _, *cells = line.rstrip("\n").split("\t")
            versions = [(lang, term) for lang, cell in zip(langs, cells, strict=False) for term in cell.split("|")]
            yield [words_of(lang, term) for lang, term in versions if term]


def common_words(langs: list[str], n_words: int) -> Iterator[tuple[str, int]]:
    """The commonest words of each language and how common they are: the power of ten of their frequency."""
    from wordfreq import top_n_list, zipf_frequency

    for lang in langs:
        for word in filter(str.isalpha, top_n_list(lang, n_words)):
            yield word, int(zipf_frequency(word, lang))


def equally_common(words: Iterable[tuple[str, int]], rng: random.Random) -> Iterator[list[str]]:
    """Lines of words, of any of the languages, that are as common as each other."""
    classes: dict[int, list[str]] = defaultdict(list)
    for word, how_common in words:
        classes[how_common].append(bare(word))
    for of_class in classes.values():
        rng.shuffle(of_class)
        yield from minibatch(of_class, 12)


if __name__ == "__main__":
    typer.run(main)
