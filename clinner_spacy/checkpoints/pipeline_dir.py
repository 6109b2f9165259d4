"""A saved spaCy pipeline that holds a "multiclin_ner" as a checkpoint; the embedded model is one."""

from __future__ import annotations

import configparser
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import srsly
from spacy.util import load_config
from thinc.api import Model

from clinner_spacy.checkpoints.loaded import Loaded
from clinner_spacy.checkpoints.published import rebuild
from clinner_spacy.checkpoints.tasks import choose_tasks
from clinner_spacy.encoders.settings import DEFAULTS, EncoderSettings
from clinner_spacy.errors import DAMAGE, ClinnerError
from clinner_spacy.files import called
from clinner_spacy.models.weights import model_from_bytes
from clinner_spacy.ner.calibration import checked_calibration
from clinner_spacy.ner.heads import resize_heads
from clinner_spacy.ner.tagset import TagSet

FACTORY = "multiclin_ner"


def is_pipeline_dir(path: Path) -> bool:
    return (path / "config.cfg").is_file() and (path / "meta.json").is_file()


def load_pipeline_dir(
    path: Path, task: str | Sequence[str] | None = None, settings: EncoderSettings = DEFAULTS
) -> Loaded:
    """Read the first "multiclin_ner" of the pipeline saved at ``path``; ``task``: the tasks to keep, by default all.

    settings: how to read texts, where it is to be other than saved (see
    :func:`~clinner_spacy.checkpoints.published.rebuild`).

    Raises ClinnerError if there is none, if it listens to another component's encoder, if it lacks a task, or if a file
    is missing or damaged.
    """
    name, block = _component(path)
    cfg = read_cfg(path / name, checked_cfg)
    architecture = cfg["architecture"] or block.get("model")
    if architecture is None:
        raise ClinnerError(f"{path} holds a {FACTORY!r} without a model; train it, or name its checkpoint instead.")
    if "Listener" in str(architecture):
        raise ClinnerError(f"{path} shares its encoder with other components; load it with spacy.load instead.")
    weights = path / name / "model.safetensors"
    model = rebuild(architecture, settings, str(weights))
    model_from_bytes(model, read_bytes(weights), str(weights))
    check_columns(model, cfg["tasks"], str(weights))
    tasks = choose_tasks(cfg["tasks"], task, called(path))
    resize_heads(model, TagSet(cfg["tasks"]), TagSet(tasks))
    meta = read_meta(path)
    return Loaded(
        model,
        tasks,
        architecture,
        {**cfg["about"], "format": "spaCy pipeline", "name": meta.get("name", path.name), **_about(meta)},
        {task: beta for task, beta in cfg["calibration"].items() if task in tasks},
    )


def saved_tasks(path: Path, task: str | Sequence[str] | None = None) -> dict[str, list[str]]:
    """What :func:`load_pipeline_dir` would give as tasks, without reading weights."""
    return choose_tasks(read_cfg(path / _component(path)[0], checked_cfg)["tasks"], task, called(path))


def read_cfg(path: Path, checked: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    """What the component saved at ``path`` wrote of itself; ``checked`` looks at it."""
    data = read_bytes(path / "cfg")
    try:
        return checked(json.loads(data))  # srsly reads .6 as .6000000000000001
    except (RecursionError, *DAMAGE) as error:
        raise ClinnerError(f"{path / 'cfg'} is damaged ({type(error).__name__}); save the pipeline again.") from error


def read_bytes(path: Path) -> bytes:
    """What a file of a saved pipeline holds. Raises ClinnerError if it is missing or cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        what = "is missing" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
        raise ClinnerError(f"{path} {what}; save the pipeline again.") from error


def checked_cfg(cfg: Any) -> dict[str, Any]:
    """What a "multiclin_ner" saved of itself, in its place. Raises one of ``DAMAGE`` if it is something else."""
    tasks = {str(task): strings(labels) for task, labels in cfg["tasks"].items()}
    calibration = checked_calibration(cfg.get("calibration", {}), tasks)
    known = {"tasks": tasks, "architecture": cfg["architecture"], "calibration": calibration}
    return known | about_and_settings(cfg)


def about_and_settings(cfg: dict[str, Any]) -> dict[str, Any]:
    """What every component saves beside: what is known of its weights, its settings and a threshold set since."""
    about, settings = dict(cfg.get("about", {})), dict(cfg.get("settings", {}))
    return {"about": about, "settings": settings, "threshold": cfg.get("threshold")}


def strings(value: Any) -> list[str]:
    """A list of strings as it is. Raises TypeError for anything else."""
    if not isinstance(value, list) or not all(isinstance(part, str) for part in value):
        raise TypeError(f"a {type(value).__name__} where a list of strings is needed")
    return value


def check_columns(model: Model, tasks: dict[str, list[str]], source: str) -> None:
    """Raise ClinnerError if the heads do not score the tags of ``tasks``."""
    found, needed = model.attrs["n_columns"], TagSet(tasks).n_columns
    if found != needed:
        raise ClinnerError(f"{source} scores {found} tags where its tasks need {needed}; save the pipeline again.")
    if model.attrs.get("published"):
        return  # heads of published models say their own shapes
    rows = len(model.attrs["columns"] or range(needed))
    width = model.get_ref("tok2vec").maybe_get_dim("nO")
    shapes = {"W": (rows, width), "b": (rows,)} | ({"T": (needed, needed)} if model.attrs["transitions"] else {})
    for name, shape in shapes.items():
        there: Any = model.get_param(name).shape if model.has_param(name) else "missing"
        if there != shape and (width is not None or name != "W"):
            raise ClinnerError(f"The heads in {source} do not fit: {name} is {there}, not {shape}; save it again.")


def read_meta(path: Path) -> dict[str, Any]:
    """``meta.json`` of the pipeline saved at ``path``. Raises ClinnerError if it is damaged."""
    data = read_bytes(path / "meta.json")
    try:
        return dict(srsly.json_loads(data))
    except (ValueError, TypeError, RecursionError) as error:
        raise ClinnerError(f"{path / 'meta.json'} is damaged: no JSON object; save the pipeline again.") from error


def _component(path: Path) -> tuple[str, dict[str, Any]]:
    try:
        components = dict(load_config(path / "config.cfg").get("components", {}))
        for name, block in components.items():
            if block.get("factory") == FACTORY:
                return name, block
    except (OSError, configparser.Error, RecursionError, *DAMAGE) as error:
        raise ClinnerError(f"{path / 'config.cfg'} is damaged: it is no config; save the pipeline again.") from error
    raise ClinnerError(f"{path} holds no {FACTORY!r} but {sorted(components)}; name another pipeline.")


def _about(meta: dict[str, Any]) -> dict[str, Any]:
    return {key: meta[key] for key in ("version", "description", "license", "languages", "sources") if meta.get(key)}
