"""What ``calibrate`` and ``tune`` share: a saved pipeline measured on annotated documents, and a changed copy of it."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import load_config

from clinner_spacy.checkpoints.pipeline_dir import is_pipeline_dir
from clinner_spacy.cli.convert import detect, read_any
from clinner_spacy.cli.model import blank, build_nlp, pipeline_folder
from clinner_spacy.corpora.docbin import read_docs
from clinner_spacy.corpora.document import Report, to_doc
from clinner_spacy.errors import ClinnerError
from clinner_spacy.files import path_of, replacing
from clinner_spacy.ner.calibration import BetaMap
from clinner_spacy.pipeline.components import clinical_components
from clinner_spacy.scoring.calibration import DocumentKey, JudgedSpan, judge_spans


class Measured(NamedTuple):
    """What one component found in the documents, whatever it scores, and what it should have found.

    gold: label -> the number of gold mentions in each document that was annotated for its task. calibration: what the
    component was saved with.
    """

    component: str
    tasks: dict[str, list[str]]
    judged: list[JudgedSpan]
    gold: dict[str, dict[DocumentKey, int]]
    calibration: dict[str, BetaMap]


def saved_pipeline(model: str) -> Path:
    """The directory of a saved pipeline, also of the embedded one. Raises ClinnerError for any other model."""
    folder = pipeline_folder(model) or path_of(model)
    if not is_pipeline_dir(folder):
        raise ClinnerError(f"{model} is no saved pipeline; make one of a checkpoint with multiclin export.")
    return folder


def measure(
    folder: Path, dev: Sequence[Path], lang: str | None, device: str | None, *, calibrated: bool
) -> list[Measured]:
    """Run the pipeline on the documents in ``dev`` without thresholds, with its calibration or without.

    Raises ClinnerError if no document is annotated for a task of the pipeline.
    """
    nlp = build_nlp(str(folder), device=device)
    components = clinical_components(nlp)
    measured = [Measured(component.name, component.tasks, [], {}, component.calibration) for component in components]
    for component in components:
        component.threshold = 0.0
        if not calibrated:
            component.calibration = {}
    for source in dev:
        examples = list(_examples(nlp, source, lang))
        with nlp.select_pipes(disable=nlp.pipe_names[nlp.pipe_names.index(components[-1].name) + 1 :]):
            for example, doc in zip(examples, nlp.pipe(example.predicted for example in examples), strict=True):
                example.predicted = doc
        for component, found in zip(components, measured, strict=True):
            found.judged.extend(judge_spans(examples, component.tasks, component.spans_key, str(source)))
            _count_gold(examples, component.tasks, str(source), found.gold)
    if not any(found.gold for found in measured):
        tasks = ", ".join(task for component in components for task in component.tasks)
        raise ClinnerError(f"{', '.join(map(str, dev))}: no document is annotated for a task of the model ({tasks}).")
    return measured


def write_changed(
    folder: Path,
    output: Path,
    *,
    cfg: Mapping[str, dict[str, Any]] | None = None,
    settings: Mapping[str, dict[str, Any]] | None = None,
) -> None:
    """Write the pipeline to ``output``, a new directory or ``folder`` itself.

    cfg: for components by name, changes to what they saved of themselves. settings: changes to their settings in
    ``config.cfg``. Everything else stays byte by byte. Raises ClinnerError if it cannot be written.
    """
    if output.resolve() != folder.resolve():
        if output.exists():
            raise ClinnerError(f"{output} is there already; name a new directory, or {folder} to change it in place.")
        _copy(folder, output)
    for component, changes in (cfg or {}).items():
        path = output / component / "cfg"
        with replacing(path) as file:
            known = json.loads(path.read_text(encoding="utf-8"))  # srsly's numbers drift
            file.write(json.dumps({**known, **changes}, indent=2, ensure_ascii=False))
    if settings:
        config = load_config(output / "config.cfg")
        for component, changes in settings.items():
            config["components"][component].update(changes)
        with replacing(output / "config.cfg") as file:
            file.write(config.to_str(interpolate=False))


def _copy(folder: Path, output: Path) -> None:
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name}.") as beside:
            shutil.copytree(folder, Path(beside) / output.name).replace(output)
    except OSError as error:
        raise ClinnerError(f"{output} cannot be written: {error.strerror}; choose another place.") from error


def _examples(nlp: Language, source: Path, lang: str | None) -> Iterator[Example]:
    """Gold documents beside the same words without annotation."""
    for gold in _gold_docs(nlp, source, lang):
        words = [token.text for token in gold]
        yield Example(Doc(nlp.vocab, words=words, spaces=[bool(token.whitespace_) for token in gold]), gold)


def _gold_docs(nlp: Language, source: Path, lang: str | None) -> Iterator[Doc]:
    if source.suffix == ".spacy" or (source.is_dir() and any(source.rglob("*.spacy"))):
        yield from read_docs(source, nlp.vocab)
        return
    report = Report()
    tokenizing = nlp if lang is None else blank(lang)
    for document in read_any(source, detect(source), {}, None, None, report):
        yield to_doc(document, tokenizing, report=report)


def _count_gold(
    examples: Iterable[Example], tasks: dict[str, list[str]], source: str, gold: dict[str, dict[DocumentKey, int]]
) -> None:
    for number, example in enumerate(examples):
        for task in tasks:
            if task in example.reference.spans:
                there = Counter(span.label_ for span in example.reference.spans[task])
                for label in tasks[task]:
                    counts = gold.setdefault(label, {})
                    counts[source, number] = counts.get((source, number), 0) + there[label]
