"""Gold as a hospital might have written it: augmenters for ``augmenter`` of ``clinner.DocBinCorpus.v1``.

Journals write whole sentences with accents; a ward writes in capitals, without accents, in a hurry, in lines of eighty
characters, under headings and above names. A change keeps gold true: words are changed one by one, and what is put in
stands before a word. So spans are moved by counting words, and never searched for.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

import srsly
from spacy.language import Language
from spacy.tokens import Doc, Span, SpanGroup
from spacy.training import Example

from clinner_spacy.letters import bare

TABLES = Path(__file__).parent / "hospital_text.json"


class AnnotatedWords(NamedTuple):
    """A document as lists: words, whether a space follows each, and each task's spans as (start, end, label)."""

    words: list[str]
    spaces: list[bool]
    spans: dict[str, list[tuple[int, int, str]]]


Change = Callable[[AnnotatedWords, random.Random], AnnotatedWords]


def create_hospital_augmenter(share: float = 0.5, seed: int = 0) -> Callable[[Language, Example], Iterator[Example]]:
    """Give each document as it is or, with probability ``share``, changed and followed by a heading by itself, as a
    table has it in a cell. A corpus that is named several times among the paths is changed in another way each time."""
    rng = random.Random(seed)

    def augment(nlp: Language, example: Example) -> Iterator[Example]:
        if rng.random() >= share or not len(example.reference):
            yield example
            return
        text = from_gold(example.reference)
        for change, chance in CHANGES:
            if rng.random() < chance:
                text = change(text, rng)
        yield to_example(nlp, text)
        yield to_example(nlp, heading_alone(text.spans, rng))

    return augment


def create_joined_lines_augmenter() -> Callable[[Language, Example], Iterator[Example]]:
    """Give each document as it is, and again with spaces for its line ends: a corpus with a sentence a line teaches
    that scopes end where lines do, but a sentence of a note need not stand on a line of its own."""

    def augment(nlp: Language, example: Example) -> Iterator[Example]:
        yield example
        text = from_gold(example.reference)
        if any("\n" in word for word in text.words):
            yield to_example(nlp, joined(text))

    return augment


def from_gold(doc: Doc) -> AnnotatedWords:
    spans = {task: [(s.start, s.end, s.label_) for s in group] for task, group in doc.spans.items()}
    return AnnotatedWords([token.text for token in doc], [bool(token.whitespace_) for token in doc], spans)


def to_example(nlp: Language, text: AnnotatedWords) -> Example:
    gold = Doc(nlp.vocab, words=text.words, spaces=text.spaces)
    for task, spans in text.spans.items():
        group = [Span(gold, start, end, label=label) for start, end, label in spans]
        gold.spans[task] = SpanGroup(gold, name=task, spans=group)
    return Example(Doc(nlp.vocab, words=text.words, spaces=text.spaces), gold)


# Words changed one by one


def recased(text: AnnotatedWords, rng: random.Random) -> AnnotatedWords:
    """In capitals (most often), in capitals without accents, or in lower case: all of it or a part."""
    change = rng.choice([str.upper, str.upper, lambda word: bare(word).upper(), str.lower])
    n = len(text.words)
    begin, end = (0, n) if rng.random() < 0.7 else sorted(rng.randrange(n + 1) for _ in range(2))
    changed = [change(word) if begin <= i < end else word for i, word in enumerate(text.words)]
    return text._replace(words=changed)


def unaccented(text: AnnotatedWords, rng: random.Random) -> AnnotatedWords:
    return text._replace(words=[bare(word) for word in text.words])


def mistyped(text: AnnotatedWords, rng: random.Random) -> AnnotatedWords:
    """Up to 5 % of the words with one letter lost, doubled, exchanged with the next or replaced by another of it."""
    rate = rng.uniform(0.01, 0.05)
    return text._replace(words=[typo(word, rng) if rng.random() < rate else word for word in text.words])


def typo(word: str, rng: random.Random) -> str:
    if len(word) < 4 or not word.isalpha():
        return word
    i = rng.randrange(1, len(word) - 1)
    a, b = word[i], word[i + 1]
    return word[:i] + rng.choice([b, a + a + b, b + a, rng.choice(word) + b]) + word[i + 2 :]


# Words put in


def abbreviated(text: AnnotatedWords, rng: random.Random) -> AnnotatedWords:
    """Words that a space follows as wards shorten them, "pte" for "paciente", and some long ones cut short, "abdom";
    with a full stop, which most tokenizers make a word of its own, or without; never with one inside a mention: it
    would teach that mentions go on beyond the end of a sentence."""
    known = tables()["abbreviations"]
    inside = inner_places(text)
    rate = rng.uniform(0.02, 0.1)
    words, spaces, stops = list(text.words), list(text.spaces), []
    for i, word in enumerate(text.words[:-1]):
        if not spaces[i]:
            continue
        short = known.get(word.lower()) if rng.random() < 0.7 else None
        if short is None and (len(word) < 8 or not word.isalpha() or rng.random() >= rate):
            continue
        short = short or word[: rng.randint(4, 6)]
        words[i] = short.upper() if word.isupper() else short.capitalize() if word[0].isupper() else short
        if i + 1 not in inside and rng.random() < 0.6:
            stops.append((i + 1, [(".", True)]))
            spaces[i] = False
    return put_in(text._replace(words=words, spaces=spaces), stops)


def wrapped(text: AnnotatedWords, rng: random.Random) -> AnnotatedWords:
    """Lines broken at a fixed width, as old systems store notes: a break in place of a space."""
    width, column = rng.randint(50, 100), 0
    breaks = []
    for i, (word, space) in enumerate(zip(text.words, text.spaces, strict=True)):
        column = 0 if "\n" in word else column + len(word) + space
        if space and column + len(text.words[i + 1] if i + 1 < len(text.words) else "") > width:
            breaks.append(i + 1)
            column = 0
    spaces = [space and i + 1 not in set(breaks) for i, space in enumerate(text.spaces)]
    return put_in(text._replace(spaces=spaces), [(at, [("\n", False)]) for at in breaks])


def joined(text: AnnotatedWords) -> AnnotatedWords:
    """Spaces for line ends; a span goes from its first to its last word that is no line end, if it has one."""
    is_word = ["\n" not in word for word in text.words]
    place = [0, *accumulate(is_word)]  # of each word, or of the next one, among those that stay
    words = [word for word, stays in zip(text.words, is_word, strict=True) if stays]
    ends = [not stays for stays in is_word[1:]] + [False]
    spaces = [space or end for space, end, stays in zip(text.spaces, ends, is_word, strict=True) if stays]
    spans = {
        task: [(place[s], place[e], label) for s, e, label in found if place[s] < place[e]]
        for task, found in text.spans.items()
    }
    return AnnotatedWords(words, spaces, spans)


def with_lines(text: AnnotatedWords, rng: random.Random) -> AnnotatedWords:
    """Some lines of a template between sentences: headings, names, and mentions of the document that are denied."""
    table = tables()
    places = between_sentences(text)
    added = []
    for at in sorted(rng.sample(places, min(len(places), rng.randint(1, 4)))):
        new = line(rng.choice(table["headings"]), rng)
        if rng.random() < 0.3:
            name = f"{rng.choice(table['given'])} {rng.choice(table['family'])}"
            new = line(rng.choice(table["signatures"]).format(name), rng, mark="") + new
        if at and "\n" not in text.words[at - 1]:
            new.insert(0, ("\n", False))
        added.append((at, new))
    return denied(put_in(text, added), rng, table["negations"])


def denied(text: AnnotatedWords, rng: random.Random, cues: Sequence[str]) -> AnnotatedWords:
    """A line at the end that repeats some of the document's mentions after a cue, as "Niega fiebre"."""
    mentions = [(s, e) for task in ("symptom", "disease") for s, e, _ in text.spans.get(task, ()) if e - s < 6]
    words, spaces = list(text.words), list(text.spaces)
    spans = {task: list(found) for task, found in text.spans.items()}
    for start, end in rng.sample(mentions, min(len(mentions), 3)):
        before = rng.choice(cues).removesuffix("{}").split()
        if "\n" not in words[-1]:
            words.append("\n")
            spaces.append(False)
        words += before
        spaces += [True for _ in before]
        shift = len(words) - start
        for task, found in text.spans.items():
            spans[task] += [(s + shift, e + shift, label) for s, e, label in found if start <= s and e <= end]
        words += [*text.words[start:end], "."]
        spaces += [*text.spaces[start : end - 1], False, False]
    return AnnotatedWords(words, spaces, spans)


def line(text: str, rng: random.Random, mark: str | None = None) -> list[tuple[str, bool]]:
    """The words of a heading that begins a line, in capitals now and then; after a colon, which may be absent, the text
    goes on in the same line or in the next."""
    text = rng.choice([text, text, text.upper(), bare(text).upper()])
    mark = rng.choice([":", ":", ""]) if mark is None else mark
    words = text.replace(":", " :").replace(",", " ,").split() + mark.split()
    spaces = [following not in (":", ",") for following in words[1:]]
    if mark == ":" and rng.random() < 0.4:
        return list(zip(words, [*spaces, True], strict=True))
    return [*zip(words, [*spaces, False], strict=True), ("\n", False)]


def heading_alone(tasks: Iterable[str], rng: random.Random) -> AnnotatedWords:
    """A document of one heading, without any mention; a line end may follow."""
    words = line(rng.choice(tables()["headings"]), rng)
    if rng.random() < 0.5 and words[-1][0] == "\n":
        words.pop()
    return AnnotatedWords([word for word, _ in words], [space for _, space in words], {task: [] for task in tasks})


def between_sentences(text: AnnotatedWords) -> list[int]:
    """Where a line may be put in: before the first word, and after a full stop or a line end outside of any span."""
    inside = inner_places(text)
    is_end = ["\n" in word for word in text.words]
    ends = [i + 1 for i, word in enumerate(text.words[:-1]) if is_end[i] or (word == "." and not is_end[i + 1])]
    return [0, *(at for at in ends if at not in inside)]


def inner_places(text: AnnotatedWords) -> set[int]:
    """The places between two words of one span, as the second word's number."""
    return {i for spans in text.spans.values() for start, end, _ in spans for i in range(start + 1, end)}


def put_in(text: AnnotatedWords, added: Sequence[tuple[int, list[tuple[str, bool]]]]) -> AnnotatedWords:
    """Put words in before the given ones; spans move along, and one that holds such a place grows."""
    before: dict[int, list[tuple[str, bool]]] = {}
    for at, new in added:
        before.setdefault(at, []).extend(new)
    words: list[str] = []
    spaces: list[bool] = []
    moved = []
    for i, (word, space) in enumerate(zip(text.words, text.spaces, strict=True)):
        for new_word, new_space in before.get(i, ()):
            words.append(new_word)
            spaces.append(new_space)
        moved.append(len(words))
        words.append(word)
        spaces.append(space)
    spans = {task: [(moved[s], moved[e - 1] + 1, label) for s, e, label in found] for task, found in text.spans.items()}
    return AnnotatedWords(words, spaces, spans)


@cache
def tables() -> dict[str, Any]:
    return srsly.read_json(TABLES)


#: Each change and how probable it is in a document that is changed.
CHANGES: list[tuple[Change, float]] = [
    (with_lines, 0.8),
    (abbreviated, 0.3),
    (mistyped, 0.3),
    (wrapped, 0.3),
    (unaccented, 0.3),
    (recased, 0.45),
]
