"""What a user names as a model -> a pipeline that is ready to read."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import spacy
import typer
from spacy.language import Language
from spacy.pipeline import TrainablePipe
from spacy.tokenizer import Tokenizer
from spacy.util import get_package_path, is_package
from thinc.api import Model

from clinner_spacy.checkpoints.pipeline_dir import FACTORY, is_pipeline_dir, read_meta
from clinner_spacy.cli.languages import AUTO, TokenizerByLanguage
from clinner_spacy.cli.options import DEFAULT_MODEL
from clinner_spacy.encoders.shim import EncoderShim
from clinner_spacy.errors import ClinnerError
from clinner_spacy.pipeline.clinical_assertion import ClinicalAssertion
from clinner_spacy.pipeline.components import clinical_components
from clinner_spacy.pipeline.concept_linker import ConceptLinker
from clinner_spacy.pipeline.marks import read_marks_alike
from clinner_spacy.pipeline.saved import SavedPipe

#: Of a pipeline around published weights, which have no tokenizer of spaCy's: the rules shared by all languages.
NO_LANGUAGE = "xx"

#: How a card says that a model reads any language.
MANY_LANGUAGES = {"xx", "multilingual", "mul", "multi"}


def build_nlp(
    model: str | Sequence[str] = DEFAULT_MODEL,
    *,
    base_model: str | None = None,
    revision: str | None = None,
    device: str | None = None,
    precision: str | None = None,
    lang: str | None = None,
    words: str = "spacy",
    task: Sequence[str] | None = None,
    label: Sequence[str] | None = None,
    threshold: float | None = None,
    assertion: bool = False,
    link: str | Path | None = None,
    link_threshold: float | None = None,
) -> Language:
    """A pipeline whose components have read their weights; see :mod:`clinner_spacy.cli.options`.

    A saved pipeline keeps its tokenizer and its other components, unless ``lang`` names another language: then its
    clinical component goes into a blank pipeline of that language, as any checkpoint does.
    Several models are read as one, by the mean of what they say. Raises ClinnerError for a model, language or device
    that is not there.
    """
    if lang == AUTO and words != "spacy":
        raise ClinnerError(f"--lang auto chooses how words are cut, and so does --words {words}; leave one out.")
    checkpoint = one_or_several(model)
    model = ", ".join([checkpoint] if isinstance(checkpoint, str) else checkpoint)
    folder = pipeline_folder(checkpoint)
    if folder is not None and (base_model or revision or label):
        raise ClinnerError(
            f"{model} is a saved pipeline, which has no base model or revision and knows its labels; leave these out."
        )
    units = words if words in ("alphanumeric", "pieces") else None
    if folder is not None and units:
        raise ClinnerError(f"{model} is a saved pipeline, whose --words are its own; leave --words {units} out.")
    # The embedded model is saved without a tokenizer: it is its component alone.
    if folder is not None and (folder / "tokenizer").exists() and lang in (None, read_meta(folder).get("lang")):
        nlp = _load(folder)
        read_marks_alike(nlp)
    else:
        nlp = blank(NO_LANGUAGE if lang in (None, AUTO) else lang)
        settings: dict[str, Any] = {
            "base_model": base_model,
            "revision": revision,
            # A task given once may be the name of a checkpoint's only task, given as a list it chooses among several.
            "task": task[0] if task and len(task) == 1 else list(task or ()) or None,
            "labels": list(label or ()) or None,
            "words": units,
        }
        nlp.add_pipe(FACTORY, config={"checkpoint": checkpoint if folder is None else str(folder), **settings})
    if assertion:
        _add_assertion(nlp)
    if link is not None:
        _add_linker(nlp, link, link_threshold)
    elif link_threshold is not None:
        raise ClinnerError("--link-threshold is for --link, which is not there; name an index, or leave it out.")
    for component in clinical_components(nlp):
        component.annotate = "spans"
        if threshold is not None:
            component.threshold = threshold
    moved = 0
    for _, pipe in nlp.pipeline:
        if isinstance(pipe, SavedPipe | ClinicalAssertion):
            pipe.load()  # here, before processes fork that would each read them
        if isinstance(pipe, TrainablePipe):  # a shared encoder, too
            moved += place(pipe.model, device, precision)
    if (device or precision) and not moved:
        option = f"--device {device}" if device else f"--precision {precision}"
        raise ClinnerError(f"{option} is for transformer encoders, and {model} has none; leave it out.")
    if lang == AUTO:
        nlp.tokenizer = TokenizerByLanguage(nlp.vocab)
    elif lang is not None:
        _warn_of_language(nlp, model, folder, lang)
    if words == "whitespace":
        nlp.tokenizer = Tokenizer(nlp.vocab)  # without rules
        read_marks_alike(nlp)
    nlp.max_length = sys.maxsize  # spaCy's limit is for its parser
    return nlp


def one_or_several(model: str | Sequence[str]) -> str | list[str]:
    """What a component takes as its checkpoint: a list only of several."""
    if isinstance(model, str):
        return model
    return model[0] if len(model) == 1 else list(model)


def pipeline_folder(model: str | Sequence[str]) -> Path | None:
    """Where the pipeline that ``model`` names is saved; None for checkpoints and the embedded model."""
    if not isinstance(model, str):
        return None
    path = Path(model)
    if model == DEFAULT_MODEL:
        return None
    if not path.exists() and is_package(model):
        path = get_package_path(model)
        path = next((folder for folder in path.glob(f"{path.name}-*") if is_pipeline_dir(folder)), path)
    return path if is_pipeline_dir(path) else None


def _add_assertion(nlp: Language) -> None:
    """Add a "clinical_assertion" for the mentions of all components, unless the pipeline has one. Raises ClinnerError
    if nothing says what language it reads, or components write to several span groups."""
    keys = {component.spans_key for component in clinical_components(nlp)}
    if len(keys) > 1:
        raise ClinnerError(f"--assertion is for one span group, not {', '.join(sorted(keys))}; let it be one.")
    if not any(isinstance(pipe, ClinicalAssertion) for _, pipe in nlp.pipeline):
        if nlp.lang == NO_LANGUAGE:
            raise ClinnerError("--assertion must know the language of the texts; name it, as --lang es.")
        nlp.add_pipe("clinical_assertion", config={"spans_key": keys.pop()})


def _add_linker(nlp: Language, index: str | Path, threshold: float | None) -> None:
    """Add a "concept_linker" for the mentions of all components, and read its index. Raises ClinnerError if the
    components write to several span groups, or the pipeline has a linker already."""
    keys = {component.spans_key for component in clinical_components(nlp)}
    if len(keys) > 1:
        raise ClinnerError(f"--link is for one span group, not {', '.join(sorted(keys))}; let it be one.")
    if any(isinstance(pipe, ConceptLinker) for _, pipe in nlp.pipeline):
        raise ClinnerError("The pipeline has a concept_linker already, with its own terminology; leave --link out.")
    config = {"index": str(index), "spans_key": keys.pop()} | ({} if threshold is None else {"threshold": threshold})
    linker = nlp.add_pipe("concept_linker", config=config)
    assert isinstance(linker, ConceptLinker)
    linker.load()  # here, before processes fork that would each read it


def blank(lang: str) -> Language:
    """``spacy.blank``. Raises ClinnerError for a language that spaCy does not know."""
    try:
        nlp = spacy.blank(lang)
    except ImportError as error:
        raise ClinnerError(f"--lang {lang} is no language spaCy knows; give its code, as es, or xx for any.") from error
    read_marks_alike(nlp)
    return nlp


def place(model: Model, device: str | None, precision: str | None) -> int:
    """Move transformer encoders to ``device`` and let them read in ``precision``; None leaves either as it is. Gives
    their number."""
    changes = {"device": device, "precision": precision}
    shims = [shim for node in model.walk() for shim in node.shims if isinstance(shim, EncoderShim)]
    for shim in shims if any(changes.values()) else ():
        shim.use(shim.settings.with_changes(changes))
    return len(shims)


def _warn_of_language(nlp: Language, model: str, folder: Path | None, lang: str) -> None:
    """Warn on standard error if the model's card and meta name languages, but not the one that was asked for."""
    cards = [component.about for component in clinical_components(nlp)]
    values = [card.get(key) for card in cards for key in ("languages", "language")]
    if folder is not None:
        meta = read_meta(folder)
        values += [meta.get("languages"), meta["lang"] if meta.get("lang") != NO_LANGUAGE else None]
    known = {str(code) for value in values for code in ([value] if isinstance(value, str) else value or ())}
    if known and lang not in known and not known & MANY_LANGUAGES:
        listed = ", ".join(sorted(known))
        typer.echo(f"Warning: {model} was made for {listed}; nothing is known of how it reads {lang}.", err=True)


def _load(folder: Path) -> Language:
    try:
        return spacy.load(folder)
    except ClinnerError:
        raise
    except Exception as error:  # what is in its files may break anything in spaCy
        reason = " ".join(str(error).split())[:200]
        raise ClinnerError(f"{folder} is no pipeline that can be loaded ({reason}); save it again.") from error
