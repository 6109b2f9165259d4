"""``--lang auto``: the words of each text by the tokenizer of the language that it is written in.

Function words ("de", "och", "nebo") tell languages apart in any text of some lines. They are spaCy's stop words, held
without accents and in lower case, so that notes in capitals or without accents are told apart like others. A word
counts less the more of the languages have it; a single letter, which may be one of "i.v.", does not count.
"""

from __future__ import annotations

import re
from collections import defaultdict
from functools import cache

import spacy
from spacy.tokens import Doc
from spacy.util import get_lang_class
from spacy.vocab import Vocab

from clinner_spacy.letters import bare
from clinner_spacy.pipeline.marks import read_marks_alike

#: The value of --lang that stands for the language of each text.
AUTO = "auto"
#: Languages that are told apart: those of the model that ships.
LANGUAGES = ("es", "en", "it", "nl", "sv", "cs", "ro")
#: What a text without any function word is taken for: no language, words are cut at white space and marks.
UNKNOWN = "xx"
#: So many characters are enough to tell a language by.
ENOUGH = 5000


class TokenizerByLanguage:
    """Cuts each text into words as its language does; the words are those of one vocabulary, the pipeline's.

    It takes the place of ``nlp.tokenizer``: the pipes after it see no difference.
    """

    def __init__(self, vocab: Vocab) -> None:
        self.vocab = vocab
        self.blank = {lang: spacy.blank(lang) for lang in (*LANGUAGES, UNKNOWN)}
        for nlp in self.blank.values():
            read_marks_alike(nlp)

    def __call__(self, text: str) -> Doc:
        cut = self.blank[language_of(text)].tokenizer(text)
        return Doc(self.vocab, words=[token.text for token in cut], spaces=[bool(token.whitespace_) for token in cut])


def language_of(text: str) -> str:
    """The language of a text, one of LANGUAGES, or "xx" where none of its words tells."""
    weights = function_words()
    scores: dict[str, float] = defaultdict(float)
    for word in re.findall(r"[^\W\d_]{2,}", plain(text[:ENOUGH])):
        langs = weights.get(word, ())
        for lang in langs:
            scores[lang] += 1 / len(langs)
    return max(scores, key=scores.__getitem__) if scores else UNKNOWN


@cache
def function_words() -> dict[str, tuple[str, ...]]:
    """Each function word, plain, and the languages that have it."""
    words: dict[str, set[str]] = {}
    for lang in LANGUAGES:
        for word in get_lang_class(lang).Defaults.stop_words:
            words.setdefault(plain(word), set()).add(lang)
    return {word: tuple(sorted(langs)) for word, langs in words.items()}


def plain(text: str) -> str:
    """In lower case and without accents."""
    return bare(text.lower())
