"""Make a trained pipeline the one that ships inside the package: weights in half precision, a model card beside.

    python scripts/ship_embedded.py training/refined --card configs/embedded.json
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import numpy as np
import srsly
import typer
from spacy.util import load_config, load_model_from_path

from clinner_spacy.checkpoints.pipeline_dir import FACTORY
from clinner_spacy.files import EMBEDDED, replacing
from clinner_spacy.models.weights import pack, unpack


def main(
    trained: Path,
    card: Annotated[Path, typer.Option(help="JSON with name, version, description, license, languages, sources.")],
    output: Path = EMBEDDED,
) -> None:
    config = load_config(trained / "config.cfg")
    component = load_model_from_path(trained).get_pipe(FACTORY)
    shutil.rmtree(output / FACTORY, ignore_errors=True)
    component.to_disk(output / FACTORY)
    halve(output / FACTORY / "model.safetensors")
    # Where the model was trained on from a checkpoint, its architecture stands beside the weights.
    cfg = srsly.read_json(output / FACTORY / "cfg")
    network = cfg["architecture"] or config["components"][FACTORY]["model"]
    network["tok2vec"]["embed"]["ngram_vectors"] = None  # they are in the weights by now
    own = {"tasks": cfg["tasks"], "about": {}, "calibration": cfg["calibration"], "architecture": None}
    srsly.write_json(output / FACTORY / "cfg", own)
    config["components"][FACTORY] |= {"model": network, "checkpoint": None}
    inference = {key: value for key, value in config.items() if key in ("nlp", "components")}
    type(config)(inference).to_disk(output / "config.cfg", interpolate=True)
    srsly.write_json(output / "meta.json", {**srsly.read_json(card), "pipeline": [FACTORY]})
    size = sum(path.stat().st_size for path in output.rglob("*") if path.is_file())
    print(f"{output}: {size / 1e6:.1f} MB")


def halve(path: Path) -> None:
    """Store a safetensors file's float32 tensors as float16; they are float32 again when read."""
    tensors, state = unpack(path.read_bytes(), str(path))
    with replacing(path, "wb") as file:
        file.write(pack({key: value.astype(np.float16) for key, value in tensors.items()}, state))


if __name__ == "__main__":
    typer.run(main)
