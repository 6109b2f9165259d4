"""How often `--lang auto` tells the language of a text rightly, beside lingua (pip install lingua-language-detector).

    python benchmarks/languages.py ../shared/corpora

The texts are those of the MultiClinNER dev parts (one language each): whole documents, the same in capitals, in
capitals without accents, and single sentences of 20 to 200 characters. lingua is told which seven languages there are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from clinner_spacy.cli.languages import LANGUAGES, language_of
from clinner_spacy.letters import bare

#: A text and its language.
Known = tuple[str, str]


def main(corpora: Annotated[Path, typer.Argument(help="Folder with the MultiClinNER corpora.")]) -> None:
    documents = [(text, lang) for lang in LANGUAGES for text in texts_of(corpora, lang)]
    sentences = [(line, lang) for text, lang in documents for line in sentences_of(text)][::8]
    parts: dict[str, Sequence[Known]] = {
        "documents": documents,
        "in capitals": [(text.upper(), lang) for text, lang in documents],
        "in capitals without accents": [(bare(text).upper(), lang) for text, lang in documents],
        "sentences": sentences,
    }
    ways = {"this rule": language_of, "lingua": lingua()}
    print(f"| | texts | {' | '.join(ways)} |")
    print("|---" * (2 + len(ways)) + "|")
    for name, known in parts.items():
        shares = [f"{right(way, known):.3f}" for way in ways.values()]
        print(f"| {name} | {len(known)} | {' | '.join(shares)} |", flush=True)


def right(way: Callable[[str], str], known: Sequence[Known]) -> float:
    return sum(way(text) == lang for text, lang in known) / len(known)


def texts_of(corpora: Path, lang: str) -> list[str]:
    """The distinct texts of a language's dev part."""
    dev = corpora / f"MultiClinNER-{lang}" / f"MultiClinNER-{lang}-dev"
    files = sorted(dev.glob("*/txt/*.txt"), key=lambda path: path.name)
    return list({path.name: path.read_bytes().decode("utf8") for path in files}.values())


def sentences_of(text: str) -> list[str]:
    return [part.strip() for part in re.split(r"(?<=[.!?])\s+|\n", text) if 20 <= len(part.strip()) <= 200]


def lingua() -> Callable[[str], str]:
    from lingua import IsoCode639_1, LanguageDetectorBuilder

    codes = [getattr(IsoCode639_1, lang.upper()) for lang in LANGUAGES]
    detector = LanguageDetectorBuilder.from_iso_codes_639_1(*codes).build()

    def detect(text: str) -> str:
        found = detector.detect_language_of(text)
        return found.iso_code_639_1.name.lower() if found else "xx"

    return detect


if __name__ == "__main__":
    typer.run(main)
