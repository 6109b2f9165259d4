"""Gold of all corpora that the embedded model learns from or is chosen on -> one .spacy file a corpus.

    python scripts/gold.py ../shared/corpora corpus --texts ../shared/text

writes corpus/gold/<corpus>.spacy for training, those of translated cases in a folder of their own
(corpus/gold/translated), so that they can be named again: they are few; corpus/dev/<corpus>.spacy for choosing; and
corpus/texts, hospital sentences (NUBes-es) and open texts without our tasks, for a teacher to annotate. A text that is
in two corpora of a language (the Spanish and Italian cases of MultiClinNER are among MultiCardioNER's) becomes one
document with the tasks of both; what is in a dev part of one is taken out of training in the other. Of E3C there is a
dev part only, of NUBes none. Files that lie in the output from before are learned from, too: begin with an empty one.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable
from itertools import accumulate, islice
from pathlib import Path
from typing import Annotated

import spacy
import srsly
import typer
from spacy.tokens import Doc

from clinner_spacy.corpora.docbin import save_docs
from clinner_spacy.corpora.document import Document, to_doc
from clinner_spacy.corpora.multiclin import read_multiclin

#: Corpora of each language; of two with the same text, the first takes the tasks of the other.
CORPORA = {
    "es": ["MultiClinNER-es", "MultiClinNER-es-cardio", "MultiCardioNER-es", "NUBes-es"],
    "en": ["MultiClinNER-en", "MultiCardioNER-en"],
    "it": ["MultiClinNER-it", "MultiClinNER-it-cardio", "MultiCardioNER-it"],
    "nl": ["MultiClinNER-nl"],
    "sv": ["MultiClinNER-sv", "SwedMedNER-sv"],
    "cs": ["MultiClinNER-cs"],
    "ro": ["MultiClinNER-ro", "SiMoNERo-ro"],
}

#: Corpora of translated cases.
TRANSLATED = {"MultiClinNER-nl", "MultiClinNER-sv", "MultiClinNER-cs", "MultiClinNER-ro"}

#: Corpora without a dev part: every so many-th document is held back.
HELD_BACK = {"SwedMedNER-sv": 5, "SiMoNERo-ro": 5}

#: Corpora that nothing is learned from, nor chosen on: measured with the dev parts.
MEASURED = {"es": "E3C-es", "en": "E3C-en", "it": "E3C-it"}

#: Characters of open texts, for each language.
OPEN_CHARACTERS = 4_500_000

#: Letters of a paragraph by which it is found in a longer text.
PIECE = 60

#: Hospital text with gold for negation only, and how much of it is enough: a third.
HOSPITAL = "NUBes-es"
HOSPITAL_FILES = 150


def main(
    corpora: Annotated[Path, typer.Argument(help="Folder with the corpora.")],
    output: Annotated[Path, typer.Argument(help="Folder to write gold/, texts/ and dev/ into.")],
    texts: Annotated[Path, typer.Option(exists=True, file_okay=False, help="Folder with open texts, <lang>.jsonl.")],
) -> None:
    for lang, names in CORPORA.items():
        dev = {name: split(corpora, name, "dev") for name in names if name != HOSPITAL}
        train = {name: split(corpora, name, "train") for name in names}
        held_back = [document for documents in dev.values() for document in documents]
        train[f"texts-{lang}"] = open_texts(texts / f"{lang}.jsonl", held_back)
        train = joined(train, set(map(key, held_back)))
        if lang in MEASURED:
            dev[MEASURED[lang]] = split(corpora, MEASURED[lang], "dev")
        for name, documents in train.items():
            save(output / folder_of(name) / f"{name}.spacy", documents, lang)
        for name, documents in dev.items():
            save(output / "dev" / f"{name}.spacy", documents, lang)


def folder_of(name: str) -> str:
    """Where a training part belongs."""
    if name == HOSPITAL or name.startswith("texts-"):
        return "texts"
    return "gold/translated" if name in TRANSLATED else "gold"


def split(corpora: Path, name: str, part: str) -> list[Document]:
    """The documents of a corpus's train or dev part."""
    if name not in HELD_BACK:
        limit = HOSPITAL_FILES if name == HOSPITAL else None
        return list(islice(read_multiclin(corpora / name / f"{name}-{part}"), limit))
    documents = list(read_multiclin(corpora / name / f"{name}-train"))
    return [document for n, document in enumerate(documents) if (n % HELD_BACK[name] == 0) == (part == "dev")]


def open_texts(path: Path, held_back: list[Document]) -> list[Document]:
    """Texts without annotation, drawn by chance, but none that holds a piece of one that is held back."""
    if not path.exists():
        return []
    texts = [Document(line["id"], line["text"]) for line in srsly.read_jsonl(path)]
    random.Random(0).shuffle(texts)
    forbidden = {piece for document in held_back for piece in pieces(letters(document))}
    free = [text for text in texts if not holds(letters(text), forbidden)]
    return free[: sum(total < OPEN_CHARACTERS for total in accumulate(len(text.text) for text in free))]


def pieces(text: str) -> list[str]:
    """Its beginning, middle and end; a text that is shorter than a piece has none, it may stand anywhere by chance."""
    starts = (0, (len(text) - PIECE) // 2, len(text) - PIECE) if len(text) >= PIECE else ()
    return [text[start : start + PIECE] for start in starts]


def holds(text: str, parts: Iterable[str]) -> bool:
    return any(part in text for part in parts)


def joined(train: dict[str, list[Document]], held_back: set[str]) -> dict[str, list[Document]]:
    """Training documents, each text once, without the texts that are held back."""
    by_text: dict[str, Document] = {}
    parts: dict[str, list[Document]] = {name: [] for name in train}
    for name, documents in train.items():
        for document in documents:
            if (text := key(document)) in by_text:
                by_text[text].mentions.update(document.mentions)
            elif text not in held_back:
                by_text[text] = document
                parts[name].append(document)
    return parts


def key(document: Document) -> str:
    """A document's text whatever its white space is made of, so that offsets stay true."""
    return re.sub(r"\s", " ", document.text).rstrip()


def letters(document: Document) -> str:
    """A document's letters and digits: what corpora that cut and join texts leave as it is."""
    return re.sub(r"\W", "", document.text)


def save(path: Path, documents: list[Document], lang: str) -> None:
    """Write documents, if there are any, with the words of their language, and say how many."""
    if not documents:
        return
    nlp = spacy.blank(lang)
    docs: list[Doc] = [to_doc(document, nlp) for document in documents]
    path.parent.mkdir(parents=True, exist_ok=True)
    save_docs(path, docs)
    print(f"{path}: {len(docs)} documents, {sum(map(len, docs))} words", flush=True)


if __name__ == "__main__":
    typer.run(main)
