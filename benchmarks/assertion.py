"""What is negated, and how fast that is told: the embedded tagger, the rules and negspacy on the same gold mentions.

    python -m venv negspacy && negspacy/bin/pip install negspacy
    python benchmarks/assertion.py --corpora ../shared/corpora --negspacy negspacy/bin/python

Scopes on the dev part of NUBes (strict span F1 a label, F1 of words in scopes); polarity of the mentions in E3C's
dev parts (es, en, it); words per second of the tagger, processor time of one thread. negspacy runs in an environment of
its own: it is given the texts and the mentions as entities, with its clinical terms (those in Spanish are NegEx-MES's)
and sentences by punctuation, as it needs them.
"""

# ruff: noqa: E402 (one thread must be asked for before numpy is imported)

from __future__ import annotations

import os

for variable in ("OMP_NUM_THREADS", "BLIS_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = "1"

import csv
import json
import statistics
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import spacy
import typer
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from clinner_spacy.corpora.document import to_doc
from clinner_spacy.corpora.multiclin import read_multiclin
from clinner_spacy.scoring.scorer import score_tasks

LABELS = {"negation": ["NEG", "NSCO"], "uncertainty": ["UNC", "USCO"]}

NEGSPACY = """
import json, sys, spacy
from negspacy.negation import Negex
from negspacy.termsets import termset
lang, documents = json.load(sys.stdin)
nlp = spacy.blank(lang)
nlp.add_pipe("sentencizer")
terms = termset(f"{lang}_clinical").get_patterns()
negex = nlp.add_pipe("negex", config={"neg_termset": terms})
said = []
for text, mentions in documents:
    doc = nlp.get_pipe("sentencizer")(nlp.make_doc(text))
    found = []
    for start, end in mentions:  # one at a time, since mentions may overlap and entities may not
        span = doc.char_span(start, end, "X", alignment_mode="expand")
        doc.set_ents([span])
        found.append(bool(negex(doc).ents[0]._.negex))
    said.append(found)
json.dump(said, sys.stdout)
"""


class Mentions(NamedTuple):
    """A text with the places of its mentions, and which of them are negated and which hedged."""

    text: str
    places: list[tuple[int, int]]
    negated: list[bool]
    hedged: list[bool]


def main(
    corpora: Annotated[Path, typer.Option(help="Folder with NUBes-es and E3C-es, -en, -it.")],
    negspacy: Annotated[Path | None, typer.Option(help="Python of an environment that has negspacy.")] = None,
    checkpoint: Annotated[str, typer.Option(help="The tagger: embedded, or a trained pipeline.")] = "embedded",
    rounds: int = 5,
) -> None:
    scopes(corpora / "NUBes-es/NUBes-es-dev", checkpoint, rounds)
    for lang in ("es", "en", "it"):
        documents = list(read_e3c(corpora / f"E3C-{lang}/E3C-{lang}-dev"))
        if lang == "es":
            report(lang, "tagger", documents, *ours(lang, documents, checkpoint))
        report(lang, "rules", documents, *ours(lang, documents, None))
        if negspacy is not None and lang != "it":
            report(lang, "negspacy", documents, theirs(lang, documents, negspacy), None)


def scopes(folder: Path, checkpoint: str, rounds: int) -> None:
    """Strict F1 of cues and scopes, F1 of the words in scopes, and the tagger's speed, on gold words."""
    nlp = spacy.blank("es")
    tagger = nlp.add_pipe("clinical_assertion", config={"checkpoint": checkpoint}).tagger  # type: ignore[attr-defined]
    tagger.load()
    tagger.annotate, tagger.spans_key = "spans", "found"
    gold = [to_doc(document, nlp) for document in read_multiclin(folder)]
    n_words = sum(map(len, gold))
    seconds = []
    for _ in range(rounds):
        docs = [nlp.make_doc(doc.text) for doc in gold]
        begin = time.process_time()
        docs = list(tagger.pipe(docs))
        seconds.append(time.process_time() - begin)
    examples = [Example(found, doc) for found, doc in zip(docs, gold, strict=True)]
    strict = score_tasks(examples, LABELS, "found")["spans_found_per_type"]
    cells = [f"{label} {strict[label]['f']:.3f}" for labels in LABELS.values() for label in labels]
    print("NUBes-es dev  strict", *cells)
    for task, (_, scope) in LABELS.items():
        pairs = zip(docs, gold, strict=True)
        words = [(inside(doc, "found", scope), inside(reference, task, scope)) for doc, reference in pairs]
        tp, n_found, n_gold = (sum(map(len, side)) for side in ([f & g for f, g in words], *zip(*words, strict=True)))
        print(f"              words in {scope} {2 * tp / (n_found + n_gold):.3f}")
    print(f"              {n_words / statistics.median(seconds):,.0f} words per second of one core")


def inside(doc: Doc, key: str, label: str) -> set[int]:
    return {word for span in doc.spans[key] if span.label_ == label for word in range(span.start, span.end)}


def read_e3c(folder: Path) -> Iterator[Mentions]:
    """The documents of a dev part that have mentions in polarity.tsv."""
    rows = defaultdict(list)
    with (folder / "polarity.tsv").open(encoding="utf-8", newline="") as handle:
        for row in csv.DictReader(handle, delimiter="\t"):
            rows[row["filename"]].append(row)
    texts = {path.stem: path for path in folder.glob("*/txt/*.txt")}
    for name, mentions in rows.items():
        with texts[name].open(encoding="utf-8", newline="") as handle:
            text = handle.read()
        places = [(int(row["start_span"]), int(row["end_span"])) for row in mentions]
        negated, hedged = ([row[key] == value for row in mentions] for key, value in QUESTIONS)
        yield Mentions(text, places, negated, hedged)


#: Columns of polarity.tsv and the value that counts.
QUESTIONS = (("polarity", "NEG"), ("modality", "HEDGED"))


def ours(lang: str, documents: Sequence[Mentions], checkpoint: str | None) -> tuple[list[bool], list[bool]]:
    """For each mention of all documents: is it negated, is it uncertain."""
    nlp = spacy.blank(lang)
    nlp.add_pipe("clinical_assertion", config={"checkpoint": checkpoint})
    spans = [span for doc in nlp.pipe(given(nlp, document) for document in documents) for span in doc.spans["sc"]]
    return [span._.is_negated for span in spans], [span._.is_uncertain for span in spans]


def given(nlp: Language, document: Mentions) -> Doc:
    doc = nlp.make_doc(document.text)
    doc.spans["sc"] = [doc.char_span(*place, "X", alignment_mode="expand") for place in document.places]
    return doc


def theirs(lang: str, documents: Sequence[Mentions], python: Path) -> list[bool]:
    data = json.dumps([lang, [(document.text, document.places) for document in documents]])
    done = subprocess.run([python, "-c", NEGSPACY], input=data, capture_output=True, text=True, check=True)
    return [said for document in json.loads(done.stdout) for said in document]


def report(
    lang: str, who: str, documents: Sequence[Mentions], negated: list[bool], hedged: list[bool] | None
) -> None:
    line = f"E3C-{lang} dev  {who:10} negated {prf([n for d in documents for n in d.negated], negated)}"
    print(line + (f"   hedged {prf([h for d in documents for h in d.hedged], hedged)}" if hedged else ""), flush=True)


def prf(gold: Sequence[bool], found: Sequence[bool]) -> str:
    tp = sum(g and f for g, f in zip(gold, found, strict=True))
    precision, recall = tp / max(1, sum(found)), tp / max(1, sum(gold))
    return f"P {precision:.3f} R {recall:.3f} F {2 * tp / max(1, sum(found) + sum(gold)):.3f} of {sum(gold)}"


if __name__ == "__main__":
    typer.run(main)
