"""Which format a checkpoint has: the one door to all of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clinner_spacy.checkpoints.backbone import read_json
from clinner_spacy.checkpoints.cardioner import class_of, load_cardioner
from clinner_spacy.checkpoints.crf import load_crf, load_ner_lab
from clinner_spacy.checkpoints.dt4h import load_dt4h
from clinner_spacy.checkpoints.ensemble import join
from clinner_spacy.checkpoints.loaded import Loaded
from clinner_spacy.checkpoints.multihead_crf import is_multihead_crf, load_multihead_crf
from clinner_spacy.checkpoints.pipeline_dir import is_pipeline_dir, load_pipeline_dir, saved_tasks
from clinner_spacy.checkpoints.relations import read_weights
from clinner_spacy.checkpoints.request import Request
from clinner_spacy.checkpoints.token_classification import load_token_classification
from clinner_spacy.encoders.hub import VOCABULARIES, VOCABULARY_PARTS, WEIGHTS, Repository, fetch_encoder, repository_id
from clinner_spacy.encoders.settings import DEFAULTS, EncoderSettings
from clinner_spacy.errors import ClinnerError
from clinner_spacy.files import path_of

STATE_SUFFIXES = (".pt", ".pth", ".bin")


def load_checkpoint(
    checkpoint: str | Sequence[str],
    *,
    base_model: str | None = None,
    task: str | Sequence[str] | None = None,
    labels: Sequence[str] | None = None,
    lang: str | None = None,
    words: str | None = None,
    settings: EncoderSettings = DEFAULTS,
) -> Loaded:
    """Read published or saved weights.

    checkpoint: "embedded", the directory of a spaCy pipeline that holds a "multiclin_ner", a DT4H ``.pt`` file or a
        directory with one, the directory of a token classifier, or a repository of the hub with either
        (``owner/name``, or ``owner/name/file.pt`` where it has several files), at ``settings.revision``.
        A list: the mean of several, of the same tasks.
    base_model: where the config and tokenizer of a ``.pt`` file's encoder are: a directory or a repository.
    task: the tasks or heads to take; of a token classifier, what to call its one task.
    labels: the tags of a token classifier whose config only counts them.
    lang: the language whose head is taken, where there is a head a language.
    words: what is tagged (see :mod:`clinner_spacy.encoders.units`), where it is to be other than the format's own.
    settings: of the encoder; the embedded model has no use for them.

    Raises ClinnerError if the checkpoint is none of these, damaged, out of reach, or has no such task or language.
    """
    if task is not None and not task:
        raise ClinnerError("task names no task; leave it out to take all, or name one.")
    given: dict[str, Any] = {"base_model": base_model, "task": task, "labels": labels, "lang": lang, "words": words}
    if isinstance(checkpoint, str):
        return load_one(Request(checkpoint, **given, settings=settings))
    if not checkpoint:
        raise ClinnerError("checkpoint names none; name one, or several in a list.")
    return join([load_one(Request(one, **given, settings=settings)) for one in checkpoint], checkpoint)


def load_one(request: Request) -> Loaded:
    """Read one checkpoint, wherever it is; see :func:`load_checkpoint`."""
    path = path_of(request.name)
    if is_pipeline_dir(path):
        request.refuse("base_model", "revision", "labels", "words", because="is a saved pipeline")
        return load_pipeline_dir(path, request.task, request.settings)
    if not path.exists():
        return load_from_hub(request)
    request.refuse("revision", because="lies here")
    if path.is_file():
        return load_dt4h(path, request)
    files = [child.name for child in path.iterdir()]
    if is_ner_lab(files):
        return load_ner_lab(path, request)
    states = _states(files)
    if not states or is_model(path / "config.json"):
        return load_directory(path, request)
    return load_dt4h(path / _only(states, request.name), request)


def load_from_hub(request: Request) -> Loaded:
    """Fetch a repository, or what of it is needed, and read it. Raises ClinnerError for a name that can be none."""
    owner, _, rest = request.name.partition("/")
    repo, _, file = rest.partition("/")
    if not (owner and repo) or (file and not file.endswith(STATE_SUFFIXES)):
        raise ClinnerError(
            f"checkpoint={request.name!r} is no file or directory here, and no owner/name of the hub; check it."
        )
    offline = request.settings.local_files_only
    repository = Repository(repository_id(f"{owner}/{repo}"), request.revision, offline)
    files = [file] if file else repository.files() or [repository.fetch("config.json", f"{repo}.pt").name]
    if is_ner_lab(files):
        path = repository.fetch("encoding.json").parent
        repository.fetch_if_there("README.md", *VOCABULARY_PARTS)
        if any(name in files for name in VOCABULARIES):  # else that of its base
            repository.fetch(*VOCABULARIES)
        repository.fetch(*WEIGHTS, *_states(files))
        return load_ner_lab(path, request)
    states = _states(files)
    if not states or ("config.json" in files and is_model(repository.fetch("config.json"))):
        path = fetch_encoder(repository.name, request.revision, offline)
        repository.fetch_if_there("README.md")
        return load_directory(path, request)
    repository.fetch_if_there("README.md", "config.json", "tokenizer.json")
    return load_dt4h(repository.fetch(_only(states, request.name)), request)


def load_directory(path: Path, request: Request) -> Loaded:
    """Read a directory with config, tokenizer and weights, in whichever format its config and weights say.

    Raises ClinnerError naming what was found if it is none of them.
    """
    request.refuse("base_model", because="has an encoder of its own")
    config = read_json(path / "config.json")
    if is_multihead_crf(config):
        return load_multihead_crf(path, request)
    if class_of(config):
        return load_cardioner(path, request)
    if is_token_classifier(config):
        return load_token_classification(path, request)
    weights = read_weights(path)
    if any(key.startswith("crf.") for key in weights):
        return load_crf(path, request)
    if "classifier.weight" in weights:
        return load_token_classification(path, request)
    raise ClinnerError(
        f"{request.name} is in none of the formats that are read: its config says model type "
        f"{config.get('model_type')!r}, its weights begin with {', '.join(sorted(weights)[:3])}; needed are a head "
        "`classifier.*`, maybe with `crf.*`, a Multi-Head CRF, a model of CardioNER.nl or a DT4H file."
    )


def known_tasks(
    checkpoint: str | Sequence[str] | None, task: str | Sequence[str] | None = None
) -> dict[str, list[str]]:
    """The tasks of the embedded model or of a saved pipeline; nothing where weights would have to be read to know."""
    if checkpoint is not None and not isinstance(checkpoint, str):
        return {}
    path = path_of(checkpoint or "")
    return saved_tasks(path, task) if checkpoint and is_pipeline_dir(path) else {}


def is_model(path: Path) -> bool:
    """True if a ``config.json`` says that the weights beside it are a tagger as a whole."""
    if not path.is_file():
        return False
    config = read_json(path)
    return is_token_classifier(config) or is_multihead_crf(config) or class_of(config) is not None


def is_token_classifier(config: dict[str, Any]) -> bool:
    """True if a config says that its model classifies tokens, in a class that transformers has."""
    names = config.get("architectures")
    return isinstance(names, list) and any(str(name).endswith("ForTokenClassification") for name in names)


def is_ner_lab(files: Sequence[str]) -> bool:
    """True if a directory holds what ner_lab writes of a model that transformers cannot save."""
    return "encoding.json" in files and "config.json" not in files


def _states(files: Any) -> list[str]:
    """The files that may hold a state_dict of their own, not those that transformers writes."""
    return sorted(
        file
        for file in files
        if file.endswith(STATE_SUFFIXES)
        and Path(file).name not in ("training_args.bin", "optimizer.pt", "scheduler.pt")
    )


def _only(states: Sequence[str], checkpoint: str) -> str:
    if len(states) != 1:
        raise ClinnerError(
            f"{checkpoint} has several weight files ({', '.join(states)}); name one, as {checkpoint}/{states[0]}."
        )
    return states[0]
