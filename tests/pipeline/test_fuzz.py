"""Damage by the thousand: a damaged pipeline or checkpoint gives one sentence or the same mentions, nothing else.

    python -m pytest -m slow -s tests/pipeline/test_fuzz.py      prints how many were tried and how they ended
"""

from __future__ import annotations

import json
import random
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
import torch
from safetensors.numpy import load, save

from clinner_spacy.checkpoints import load_checkpoint
from clinner_spacy.checkpoints.relations import load_relations
from clinner_spacy.cli.model import build_nlp
from clinner_spacy.errors import ClinnerError
from clinner_spacy.models.weights import model_to_bytes
from tests.pipeline.conftest import NOTES, gold, tagger, train
from tests.tiny import save_dt4h, save_relations, save_tagger
from tests.weights import rewrite

pytestmark = pytest.mark.slow

N_PIPELINES, N_CHECKPOINTS, SEED = 1200, 240, 20261121
TEXT = " ".join(note for note, _ in NOTES)
STRANGE: list[Any] = [None, -1, 0, 3, 0.5, "x", "", [], {}, [None], True, {"a": {"b": []}}, "é\x00", [[["x"]]]]

Change = Callable[[random.Random, Path], None]


# What may happen to a file


def flip(rng: random.Random, path: Path) -> None:
    data = bytearray(path.read_bytes())
    for _ in range(rng.choice((1, 1, 1, 8))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(data)


def flip_text(rng: random.Random, path: Path) -> None:
    """A text may say something else then, and be as valid: it must be read or refused, more cannot be seen."""
    flip(rng, path)


def truncate(rng: random.Random, path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: rng.choice((0, 1, 8, rng.randrange(len(data)), len(data) - 1))])


def garble(rng: random.Random, path: Path) -> None:
    """Bytes that no text holds, in the place of some."""
    data = bytearray(path.read_bytes())
    start = rng.randrange(len(data))
    data[start : start + rng.choice((0, 1, 20))] = rng.randbytes(rng.choice((1, 20))) + b"\xff\x00"
    path.write_bytes(data)


def remove(rng: random.Random, path: Path) -> None:
    path.unlink()


def edit_json(rng: random.Random, path: Path) -> None:
    """Another value in the place of one, or none, at any depth."""
    whole = json.loads(path.read_text(encoding="utf-8"))
    places: list[tuple[Any, Any]] = []

    def walk(value: Any) -> None:
        for key in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
            if key != "threshold":  # another one is a setting, and finds less
                places.append((value, key))
            walk(value[key])

    walk(whole)
    holder, key = rng.choice(places)
    if rng.random() < 0.3:
        del holder[key]
    else:
        holder[key] = rng.choice(STRANGE)
    path.write_text(json.dumps(whole), encoding="utf-8")


def edit_tensors(rng: random.Random, tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """One tensor removed, renamed, reshaped, of another type or with a number that is none."""
    name = rng.choice(sorted(tensors))
    value = tensors[name]
    others = {key: other for key, other in tensors.items() if key != name}
    bad = value.copy()
    if np.issubdtype(bad.dtype, np.floating) and bad.size:
        bad.flat[rng.randrange(bad.size)] = rng.choice((np.nan, np.inf, -np.inf))
    else:
        bad = bad[:-1]
    return rng.choice(
        [
            others,
            others | {name + "x": value},
            others | {name: value[None]},
            others | {name: value[:-1] if value.ndim else value[None]},
            others | {name: np.concatenate([value, value[:1]]) if value.ndim else value[None]},
            others | {name: value.astype(np.int64)},
            others | {name: bad},
        ]
    )


def damage_tensors(rng: random.Random, path: Path) -> None:
    """In a saved component, half of the time with a checksum that is right."""
    if rng.random() < 0.5:
        rewrite(path, lambda tensors: edit_tensors(rng, tensors))
        return
    data = path.read_bytes()
    metadata = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
    path.write_bytes(save(edit_tensors(rng, load(data)), metadata))


def damage_published(rng: random.Random, path: Path) -> None:
    path.write_bytes(save(edit_tensors(rng, load(path.read_bytes())), {"format": "pt"}))


def damage_state(rng: random.Random, path: Path) -> None:
    state = {name: value.numpy() for name, value in torch.load(path, weights_only=True).items()}
    torch.save({name: torch.from_numpy(value) for name, value in edit_tensors(rng, state).items()}, path)


#: Of a saved pipeline. A flipped bit of its settings may be another valid setting, which is nobody's loss.
PIPELINE: list[tuple[str, tuple[Change, ...]]] = [
    ("*/model.safetensors", (flip, flip, truncate, garble, damage_tensors, damage_tensors, damage_tensors, remove)),
    ("*/cfg", (truncate, garble, edit_json, edit_json, remove)),
    ("meta.json", (truncate, garble, edit_json, remove)),
    ("config.cfg", (truncate, garble, remove)),
    ("vocab/*", (flip, truncate, garble, remove)),
    ("tokenizer", (flip_text, truncate, garble, remove)),
]
FILES: list[tuple[str, tuple[Change, ...]]] = [
    ("*.safetensors", (flip, truncate, garble, damage_published, damage_published, remove)),
    ("*.pt", (flip, truncate, garble, damage_state, damage_state, remove)),
    ("config.json", (truncate, garble, edit_json, edit_json, remove)),
    ("tokenizer.json", (flip_text, truncate, garble, edit_json, remove)),
]


def mutations(
    rng: random.Random, source: Path, kinds: list[tuple[str, tuple[Change, ...]]], n: int, work: Path
) -> Any:
    """``n`` copies of a folder, each with one change, and what was changed."""
    there = [(pattern, changes) for pattern, changes in kinds if any(source.glob(pattern))]
    for _ in range(n):
        pattern, changes = rng.choice(there)
        file = rng.choice(sorted(path for path in source.glob(pattern) if path.stat().st_size))
        change = rng.choice(changes)
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(source, work)
        change(rng, work / file.relative_to(source))
        yield f"{change.__name__} {file.relative_to(source)}", change


def sentence(error: ClinnerError) -> bool:
    return "\n" not in str(error) and str(error).rstrip().endswith((".", "again.", ")"))


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("saved")
    small = spacy.blank("es")
    settings = {"checkpoint": None, "model": tagger(transitions=True)}
    small.add_pipe("multiclin_ner", config=settings)
    train(small, [gold(small, *note) for note in NOTES]).to_disk(root / "small")
    both = spacy.blank("es")
    published = {"checkpoint": str(save_tagger(root / "tagger", "bert")), "precision": "fp32"}
    both.add_pipe("multiclin_ner", config=published)
    relations = {"checkpoint": str(save_relations(root / "re")), "types": {"DISEASE": "DIS"}, "precision": "fp32"}
    both.add_pipe("clinical_relations", config=relations)
    both.to_disk(root / "both")
    return {"small": root / "small", "both": root / "both"}


def found(folder: Path) -> set[tuple[int, int]]:
    nlp = build_nlp(str(folder))
    doc = nlp(TEXT)
    keys = {pipe.spans_key for _, pipe in nlp.pipeline if hasattr(pipe, "spans_key")}
    return {(span.start_char, span.end_char) for key in keys for span in doc.spans.get(key, ())}


def test_damaged_pipelines(saved: dict[str, Path], tmp_path: Path) -> None:
    rng, ends, wrong = random.Random(SEED), Counter(), []
    for source in saved.values():
        before = found(source)
        assert before
        for what, change in mutations(rng, source, PIPELINE, N_PIPELINES // len(saved), tmp_path / "work"):
            try:
                now = found(tmp_path / "work")
            except ClinnerError as error:
                ends["refused"] += 1
                wrong += [] if sentence(error) else [f"{what}: {error}"]
            except Exception as error:
                wrong.append(f"{what}: {type(error).__name__}: {error}"[:300])
            else:
                ends["the same" if now == before else "more or others"] += 1
                wrong += [] if now >= before or change is flip_text else [f"{what}: lost {len(before - now)} mentions"]
    print(sum(ends.values()) + len(wrong), "pipelines:", dict(ends))
    assert not wrong, "\n".join([str(len(wrong)), *wrong[:40]])


def test_damaged_checkpoints(tmp_path: Path) -> None:
    save_dt4h(tmp_path / "dt4h")
    shutil.copy(tmp_path / "dt4h" / "base" / "config.json", tmp_path / "dt4h")
    shutil.copy(tmp_path / "dt4h" / "base" / "tokenizer.json", tmp_path / "dt4h")
    sources: dict[Path, Callable[[str], Any]] = {
        save_tagger(tmp_path / "tagger", "bert"): load_checkpoint,
        save_relations(tmp_path / "re"): load_relations,
        tmp_path / "dt4h": lambda path: load_checkpoint(str(Path(path) / "mtl.pt")),
    }
    rng, ends, wrong = random.Random(SEED), Counter(), []
    for source, read in sources.items():
        shutil.rmtree(tmp_path / "work", ignore_errors=True)
        shutil.copytree(source, tmp_path / "work")  # a model knows the name of its folder
        intact = model_to_bytes(read(str(tmp_path / "work")).model)
        for what, change in mutations(rng, source, FILES, N_CHECKPOINTS // len(sources), tmp_path / "work"):
            try:
                model = read(str(tmp_path / "work")).model
                if read is not load_relations:
                    model.predict([spacy.blank("es")(TEXT)])
            except ClinnerError as error:
                ends["refused"] += 1
                wrong += [] if sentence(error) else [f"{what}: {error}"]
            except Exception as error:
                wrong.append(f"{what}: {type(error).__name__}: {error}"[:300])
            else:
                ends["read"] += 1
                # a tensor that is not used, such as a pooler's, may be anything
                if change in (damage_published, damage_state) and model_to_bytes(model) != intact:
                    wrong.append(f"{what}: read all the same")
    print(sum(ends.values()) + len(wrong), "checkpoints:", dict(ends))
    assert not wrong, "\n".join([str(len(wrong)), *wrong[:40]])
