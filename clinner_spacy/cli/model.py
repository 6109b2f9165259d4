"""What a user names as a model -> a pipeline that is ready to read."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import spacy
import typer
from spacy.language import Language
from spacy.util import get_package_path, is_package

from clinner_spacy.checkpoints.pipeline_dir import EMBEDDED, FACTORY, is_pipeline_dir
from clinner_spacy.errors import ClinnerError
from clinner_spacy.pipeline.multiclin_ner import MultiClinNER

DEFAULT_MODEL = "embedded"

#: Of a pipeline around published weights, which have no tokenizer of spaCy's: the rules shared by all languages.
NO_LANGUAGE = "xx"

ModelOption = Annotated[
    str,
    typer.Option(
        "--model",
        "--checkpoint",
        "-m",
        help="embedded (ships inside), an installed pipeline, a saved one's directory, a .pt file or a hub name.",
    ),
]
BaseModelOption = Annotated[
    str | None, typer.Option(help="Where config and tokenizer of a .pt file's encoder are: a directory or a hub name.")
]
RevisionOption = Annotated[str | None, typer.Option(help="Branch, tag or commit of a hub checkpoint.")]
LangOption = Annotated[
    str | None, typer.Option(help="Language of the texts, as es; by default the model's own, if it has one.")
]
TaskOption = Annotated[list[str] | None, typer.Option(help="Only this task; may be given several times.")]
ThresholdOption = Annotated[
    float | None, typer.Option(min=0.0, max=1.0, help="Leave out mentions that score less, from 0 to 1.")
]


def build_nlp(
    model: str = DEFAULT_MODEL,
    *,
    lang: str | None = None,
    task: Sequence[str] | None = None,
    threshold: float | None = None,
    **settings: Any,
) -> Language:
    """A pipeline whose "multiclin_ner" components have read their weights.

    model: see :data:`ModelOption`. A saved pipeline keeps its tokenizer and its other components, unless ``lang`` names
    another language: then its clinical component is put into a blank pipeline of that one, as any checkpoint is.
    settings: keys of the component's config; None leaves a key at its default. They are for checkpoints, so that a
    saved pipeline with any of them is read as one.
    Raises ClinnerError for a model, language or task that is not there.
    """
    given = {key: value for key, value in settings.items() if value is not None}
    folder = pipeline_folder(model)
    nlp = _load(folder) if folder is not None and not given else None
    if nlp is None or lang not in (None, nlp.lang):
        given["checkpoint"] = str(folder) if folder is not None and folder != EMBEDDED else model
        if task and folder is None:
            given["task"] = task[0] if len(task) == 1 else list(task)
        nlp = _blank(lang or NO_LANGUAGE)
        nlp.add_pipe(FACTORY, config=given)
    for component in clinical_components(nlp):
        component.load()
        component.annotate = "spans"
        if threshold is not None:
            component.threshold = threshold
    nlp.max_length = sys.maxsize  # spaCy's limit is for its parser
    return nlp


def pipeline_folder(model: str) -> Path | None:
    """Where the pipeline that ``model`` names is saved; None if ``model`` is something else."""
    if model == DEFAULT_MODEL:
        return EMBEDDED if is_pipeline_dir(EMBEDDED) else None
    path = Path(model)
    if not path.exists() and is_package(model):
        path = get_package_path(model)
        path = next((folder for folder in path.glob(f"{path.name}-*") if is_pipeline_dir(folder)), path)
    return path if is_pipeline_dir(path) else None


def clinical_components(nlp: Language) -> list[MultiClinNER]:
    """The pipeline's active "multiclin_ner" components. Raises ClinnerError if there is none."""
    found = [component for _, component in nlp.pipeline if isinstance(component, MultiClinNER)]
    if not found:
        there = ", ".join(nlp.pipe_names) or "nothing"
        raise ClinnerError(f"The pipeline holds no {FACTORY!r} but {there}; name another.")
    return found


def task_of_label(nlp: Language, only: Sequence[str] | None = None) -> dict[str, str]:
    """Label -> its task, for the tasks in ``only`` or for all. Raises ClinnerError for a task that is not there."""
    tasks: dict[str, list[str]] = {}
    for component in clinical_components(nlp):
        for task, labels in component.tasks.items():
            tasks.setdefault(task, []).extend(labels)
    unknown = [task for task in only or () if task not in tasks]
    if unknown:
        raise ClinnerError(f"The model has no task {unknown[0]!r}; it has {', '.join(tasks)}.")
    return {label: task for task, labels in tasks.items() if not only or task in only for label in labels}


def _load(folder: Path) -> Language:
    try:
        return spacy.load(folder)
    except ClinnerError:
        raise
    except (OSError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ClinnerError(f"{folder} is no pipeline that can be loaded: {reason}") from error


def _blank(lang: str) -> Language:
    try:
        return spacy.blank(lang)
    except ImportError as error:
        raise ClinnerError(f"spaCy knows no language {lang!r}; give its code, as es, or xx for any.") from error
