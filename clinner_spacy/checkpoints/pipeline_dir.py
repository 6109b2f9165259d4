"""A saved spaCy pipeline that holds a "multiclin_ner" as a checkpoint; the embedded model is one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import srsly
from spacy.util import load_config, registry

from clinner_spacy.checkpoints.loaded import Loaded
from clinner_spacy.errors import ClinnerError
from clinner_spacy.models.weights import model_from_bytes

FACTORY = "multiclin_ner"

#: The pipeline that ships inside the package.
EMBEDDED = Path(__file__).parent.parent / "embedded"


def is_pipeline_dir(path: Path) -> bool:
    return (path / "config.cfg").is_file() and (path / "meta.json").is_file()


def load_pipeline_dir(path: Path) -> Loaded:
    """Read the first "multiclin_ner" of the pipeline saved at ``path``.

    Raises ClinnerError if there is none, if it listens to another component's encoder, or if a file is missing or damaged.
    """
    name, block = _component(path)
    cfg = read_cfg(path / name)
    architecture = cfg["architecture"] or block["model"]
    if architecture is None:
        raise ClinnerError(f"{path} holds a {FACTORY!r} without a model; train it, or name its checkpoint instead.")
    if "Listener" in architecture["tok2vec"]["@architectures"]:
        raise ClinnerError(f"{path} shares its encoder with other components; load it with spacy.load instead.")
    model = registry.resolve({"model": architecture})["model"]
    weights = path / name / "model.safetensors"
    model_from_bytes(model, weights.read_bytes(), str(weights))
    meta = srsly.read_json(path / "meta.json")
    return Loaded(model, cfg["tasks"], architecture, {"format": "spaCy pipeline", "name": meta.get("name", path.name), **_about(meta)})


def read_cfg(path: Path) -> dict[str, Any]:
    """Tasks and architecture of the component saved at ``path``, whose files must all be there."""
    for name in ("cfg", "model.safetensors"):
        if not (path / name).is_file():
            raise ClinnerError(f"{path / name} is missing; save the pipeline again.")
    try:
        cfg = srsly.read_json(path / "cfg")
        return {"tasks": cfg["tasks"], "architecture": cfg["architecture"]}
    except (ValueError, KeyError, TypeError) as error:
        raise ClinnerError(f"{path / 'cfg'} is damaged ({type(error).__name__}); save the pipeline again.") from error


def _component(path: Path) -> tuple[str, dict[str, Any]]:
    components = load_config(path / "config.cfg").get("components", {})
    for name, block in components.items():
        if block.get("factory") == FACTORY:
            return name, block
    raise ClinnerError(f"{path} holds no {FACTORY!r} but {sorted(components)}; name another pipeline.")


def _about(meta: dict[str, Any]) -> dict[str, Any]:
    return {key: meta[key] for key in ("version", "description", "license", "languages", "sources") if meta.get(key)}
