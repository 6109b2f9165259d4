"""What both components save, and every way in which it may be damaged: one sentence each."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
import srsly
import torch
from safetensors.numpy import load, save
from safetensors.torch import load_file, save_file
from spacy.language import Language

from clinner_spacy.checkpoints import load_checkpoint
from clinner_spacy.errors import ClinnerError
from tests.pipeline.conftest import NOTES, gold, tagger, train
from tests.tiny import save_relations, save_tagger
from tests.weights import rewrite

NER, RELATIONS = "multiclin_ner", "clinical_relations"
OPTIONAL = {"about", "settings", "threshold", "calibration"}
KEPT = {
    NER: {"tasks", "architecture"} | OPTIONAL,
    RELATIONS: {"labels", "null", "pairs", "architecture"} | OPTIONAL - {"calibration"},
}
GONE = object()


@pytest.fixture(scope="module")
def pipelines(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Language]:
    """A pipeline around published weights for each component, as they rebuild their model."""
    published = tmp_path_factory.mktemp("published")
    made = {}
    for name, path in ((NER, save_tagger(published / "tagger", "bert")), (RELATIONS, save_relations(published / "re"))):
        made[name] = spacy.blank("es")
        made[name].add_pipe(name, config={"checkpoint": str(path), "precision": "fp32"}).load()
    return made


def refused(load: Any, given: Any) -> str:
    with pytest.raises(ClinnerError) as caught:
        load(given)
    message = str(caught.value)
    assert "\n" not in message and message.endswith("again.")
    return message


@pytest.mark.parametrize("name", [NER, RELATIONS])
def test_the_files(pipelines: dict[str, Language], tmp_path: Path, name: str) -> None:
    pipelines[name].to_disk(tmp_path)
    assert {path.name for path in (tmp_path / name).iterdir()} == {"cfg", "model.safetensors"}
    assert set(srsly.read_json(tmp_path / name / "cfg")) == KEPT[name]


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        *((name, {key: GONE}, "is damaged (KeyError)") for name in KEPT for key in sorted(KEPT[name] - OPTIONAL)),
        (NER, {"tasks": ["DISEASE"]}, "is damaged"),
        (NER, {"tasks": None}, "is damaged"),
        (NER, {"tasks": {"disease": "DISEASE"}}, "is damaged"),
        (NER, {"tasks": {"disease": [1]}}, "is damaged"),
        (NER, {"about": 5}, "is damaged"),
        *((NER, {"calibration": saved}, "is damaged") for saved in (5, {"entity": [1, 1]}, {"gone": [1, 1, 0]})),
        (NER, {"tasks": {"disease": ["DISEASE", "SYNDROME"]}}, "scores 3 tags where its tasks need 5"),
        (RELATIONS, {"labels": "Has_Dose"}, "is damaged"),
        (RELATIONS, {"labels": [1, 2]}, "is damaged"),
        (RELATIONS, {"null": "no"}, "is damaged"),
        (RELATIONS, {"pairs": {"DRUG": "DOSE"}}, "is damaged"),
        (RELATIONS, {"pairs": [["DRUG"]]}, "is damaged"),
        (RELATIONS, {"labels": ["Has_Dose"]}, "scores 2 labels where its cfg names 1"),
        *((name, {"architecture": a}, "makes no model here") for name in KEPT for a in (5, [], {}, "clinner")),
        *((name, {"architecture": {"@architectures": a}}, "makes no model here") for name in KEPT for a in (5, "none")),
        *((name, {"architecture": {"@architectures": "spacy.TextCatBOW.v3"}}, "makes no model here") for name in KEPT),
    ],
)
def test_a_damaged_cfg(
    pipelines: dict[str, Language], tmp_path: Path, name: str, changes: dict[str, Any], message: str
) -> None:
    component = pipelines[name].get_pipe(name)
    component.to_disk(tmp_path)
    cfg = {**srsly.read_json(tmp_path / "cfg"), **changes}
    cfg = {key: value for key, value in cfg.items() if value is not GONE}
    (tmp_path / "cfg").write_text(json.dumps(cfg))
    before = component.cfg
    told = refused(component.from_disk, tmp_path)
    assert message in told and str(tmp_path) in told
    state = srsly.msgpack_loads(component.to_bytes())
    told = refused(component.from_bytes, srsly.msgpack_dumps({**state, "cfg": cfg}))
    assert message in told and f"The state of component {name!r}" in told
    assert component.cfg is before


def test_a_damaged_cfg_of_a_checkpoint(pipelines: dict[str, Language], tmp_path: Path) -> None:
    pipelines[NER].to_disk(tmp_path)
    file = tmp_path / NER / "cfg"
    whole = srsly.read_json(file)
    for changes, message in (({"architecture": 5}, "makes no model here"), ({"tasks": []}, "is damaged")):
        file.write_text(json.dumps(whole | changes))
        assert message in refused(load_checkpoint, str(tmp_path))


@pytest.mark.parametrize("name", [NER, RELATIONS])
def test_a_model_that_is_described_nowhere(pipelines: dict[str, Language], tmp_path: Path, name: str) -> None:
    pipelines[name].to_disk(tmp_path)
    file = tmp_path / name / "cfg"
    file.write_text(json.dumps(srsly.read_json(file) | {"architecture": None}))
    with pytest.raises(ClinnerError, match=r"model\.safetensors belongs to a model that the config does not describe"):
        spacy.load(tmp_path)


@pytest.mark.parametrize("name", [NER, RELATIONS])
@pytest.mark.parametrize("file", ["cfg", "model.safetensors"])
@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b"\xff\xfe", b"\x80\x04no weights"])
def test_damaged_files(
    pipelines: dict[str, Language], tmp_path: Path, name: str, file: str, content: bytes | None
) -> None:
    component = pipelines[name].get_pipe(name)
    component.to_disk(tmp_path)
    if content is None:
        (tmp_path / file).unlink()
    else:
        (tmp_path / file).write_bytes(content)
    assert str(tmp_path / file) in refused(component.from_disk, tmp_path)


@pytest.mark.parametrize("name", [NER, RELATIONS])
def test_damaged_bytes(pipelines: dict[str, Language], name: str) -> None:
    component = pipelines[name].get_pipe(name)
    whole = component.to_bytes()
    state = srsly.msgpack_loads(whole)
    parts: list[Any] = [[], 5, None, {}, {"cfg": state["cfg"]}, {"model": state["model"]}]
    parts += [{**state, "model": model} for model in (5, None, "", b"", state["model"][:-100], whole)]
    for data in (b"", b"\xc1", b"no msgpack", whole[:100], whole + b"x", *map(srsly.msgpack_dumps, parts)):
        assert f"The state of component {name!r}" in refused(component.from_bytes, data)


@pytest.mark.parametrize("name", [NER, RELATIONS])
@pytest.mark.parametrize("part", [b'"model_type"', b'"added_tokens"', b"tokenizer", b"embeddings.LayerNorm"])
def test_a_damaged_encoder(pipelines: dict[str, Language], tmp_path: Path, name: str, part: bytes) -> None:
    component = pipelines[name].get_pipe(name)
    whole = component.to_bytes()
    assert "checksum" in refused(component.from_bytes, whole.replace(part, b"\xff" * len(part)))
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(srsly.msgpack_loads(whole)["model"])
    rewrite(weights, lambda tensors: {key: _replaced(key, value, part) for key, value in tensors.items()})
    damaged = srsly.msgpack_dumps(srsly.msgpack_loads(whole) | {"model": weights.read_bytes()})
    told = refused(component.from_bytes, damaged)
    assert told.startswith(f"The state of component {name!r}: The saved encoder is damaged")


def _replaced(key: str, value: Any, part: bytes) -> Any:
    return value.tobytes().replace(part, b"\xff" * len(part)) if ".shim." in key else value


@pytest.mark.parametrize(("name", "other"), [(NER, RELATIONS), (RELATIONS, NER)])
def test_weights_of_another_component(pipelines: dict[str, Language], tmp_path: Path, name: str, other: str) -> None:
    for pipeline in pipelines.values():
        pipeline.to_disk(tmp_path / "both", exclude=["meta.json"])
    weights = (tmp_path / "both" / other / "model.safetensors").read_bytes()
    (tmp_path / "both" / name / "model.safetensors").write_bytes(weights)
    with pytest.raises(ClinnerError, match="another architecture"):
        pipelines[name].get_pipe(name).from_disk(tmp_path / "both" / name)


@pytest.mark.parametrize("name", [NER, RELATIONS])
def test_exclude(pipelines: dict[str, Language], tmp_path: Path, name: str) -> None:
    component = pipelines[name].get_pipe(name)
    for left_out, there in ((["model"], {"cfg"}), (["cfg"], {"model.safetensors"}), (["model", "cfg"], set())):
        folder = tmp_path / "".join(left_out)
        component.to_disk(folder, exclude=left_out)
        assert {path.name for path in folder.iterdir()} == there
        model = component.model
        component.from_disk(folder, exclude=left_out)
        assert (component.model is model) == ("model" in left_out)
        data = component.to_bytes(exclude=left_out)
        assert set(srsly.msgpack_loads(data)) == {part.removesuffix(".safetensors") for part in there}
        component.from_bytes(data, exclude=left_out)
    fresh = spacy.blank("es").add_pipe(name, config={"checkpoint": "nowhere/at-all"})
    fresh.from_bytes(component.to_bytes(), exclude=["model"])
    assert fresh.model is None and fresh.cfg == component.cfg


@pytest.mark.parametrize("name", [NER, RELATIONS])
def test_a_threshold_set_on_the_component_is_saved(pipelines: dict[str, Language], tmp_path: Path, name: str) -> None:
    nlp = pipelines[name]
    before = nlp.get_pipe(name).threshold
    nlp.get_pipe(name).threshold = 0.6
    nlp.to_disk(tmp_path)
    data = nlp.get_pipe(name).to_bytes()
    nlp.get_pipe(name).threshold = before
    again = spacy.load(tmp_path)
    assert again.get_pipe(name).threshold == 0.6
    again.to_disk(tmp_path / "again")
    assert spacy.load(tmp_path / "again").get_pipe(name).threshold == 0.6
    other = spacy.load(tmp_path, config={"components": {name: {"threshold": 0.7}}})
    assert other.get_pipe(name).threshold == 0.7
    assert nlp.get_pipe(name).from_bytes(data).threshold == 0.6
    nlp.get_pipe(name).threshold = before


@pytest.mark.parametrize("name", [NER, RELATIONS])
@pytest.mark.parametrize("threshold", [7, -0.1, "0.5", True, None, float("nan")])
def test_a_threshold_that_is_no_probability(pipelines: dict[str, Language], name: str, threshold: Any) -> None:
    if threshold == threshold:  # no config of spaCy's takes NaN
        with pytest.raises(ClinnerError, match="give a number from 0 to 1"):
            spacy.blank("es").add_pipe(name, config={"threshold": threshold})
    with pytest.raises(ClinnerError, match="give a number from 0 to 1"):
        pipelines[name].get_pipe(name).threshold = threshold


@pytest.mark.parametrize(
    ("name", "setting", "value"),
    [
        (NER, "task", "disease"),
        (NER, "labels", ["O", "B-X", "I-X"]),
        (NER, "words", "pieces"),
        (RELATIONS, "types", {"DRUG": "CHE"}),
    ],
)
def test_what_was_chosen_is_not_chosen_again(
    pipelines: dict[str, Language], tmp_path: Path, name: str, setting: str, value: Any
) -> None:
    pipelines[name].to_disk(tmp_path)
    with pytest.raises(ClinnerError, match=rf"{setting}=.* of component '{name}' has no use for .*; leave it out\.$"):
        spacy.load(tmp_path, config={"components": {name: {setting: value}}})


def test_the_task_that_it_was_saved_with(tmp_path: Path) -> None:
    nlp = spacy.blank("es")
    nlp.add_pipe(NER, config={"checkpoint": str(save_tagger(tmp_path / "tagger", "bert")), "task": "illness"})
    nlp.to_disk(tmp_path / "saved")
    assert spacy.load(tmp_path / "saved").get_pipe(NER).tasks == {"illness": ["DISEASE"]}


@pytest.mark.parametrize("name", [NER, RELATIONS])
@pytest.mark.parametrize("read_before", [True, False])
def test_the_licence_goes_along(tmp_path: Path, name: str, read_before: bool) -> None:
    source = (save_tagger if name == NER else save_relations)(tmp_path / "source", "bert")
    (source / "README.md").write_text("---\nlicense: cc-by-nc-4.0\n---\n")
    nlp = spacy.blank("es")
    nlp.meta["license"] = "MIT"
    component = nlp.add_pipe(name, config={"checkpoint": str(source)})
    if read_before:
        component.load()
    nlp.to_disk(tmp_path / "saved")
    for folder in (tmp_path / "saved", tmp_path / "again"):
        assert srsly.read_json(folder / "meta.json")["license"] == "MIT, cc-by-nc-4.0"
        spacy.load(folder).to_disk(tmp_path / "again")


def test_half_precision_stays_half_on_disk(tmp_path: Path) -> None:
    source = save_tagger(tmp_path / "source", "bert")
    half = {name: value.half() for name, value in load_file(source / "model.safetensors").items()}
    save_file(half, source / "model.safetensors", metadata={"format": "pt"})
    srsly.write_json(source / "config.json", srsly.read_json(source / "config.json") | {"torch_dtype": "float16"})
    nlp = spacy.blank("es")
    nlp.add_pipe(NER, config={"checkpoint": str(source), "precision": "fp32"}).load()
    before = list(weights_of(nlp))
    nlp.to_disk(tmp_path / "saved")
    full = sum(value.numel() * 4 for value in before)
    assert (tmp_path / "saved" / NER / "model.safetensors").stat().st_size - 40_000 < full * 0.6
    assert all(torch.equal(a, b) for a, b in zip(before, weights_of(spacy.load(tmp_path / "saved")), strict=True))
    with torch.no_grad():  # training goes on in full precision
        before[0].add_(1e-5)
    nlp.to_disk(tmp_path / "trained")
    after = list(weights_of(spacy.load(tmp_path / "trained")))
    assert {value.dtype for value in after} == {torch.float32}
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def weights_of(nlp: Language) -> Iterator[torch.Tensor]:
    return iter(nlp.get_pipe(NER).model.get_ref("tok2vec").shims[0]._model.parameters())


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("where", ["0.W", "shim", "linear"])
def test_numbers_that_are_none(pipelines: dict[str, Language], tmp_path: Path, where: str, value: float) -> None:
    nlp = spacy.load(_saved(pipelines[RELATIONS if where == "linear" else NER], tmp_path / "good"))
    (_, component) = nlp.pipeline[0]
    if where == "shim":
        with torch.no_grad():
            next(weights_of(nlp))[0, 0] = value
    else:
        node = component.model if where == "0.W" else list(component.model.walk())[-1]
        node.get_param("W")[0, 0] = value
    component.to_disk(tmp_path / "bad")
    assert "finite" in refused(component.from_disk, tmp_path / "bad")


@pytest.mark.parametrize("name", ["W", "b"])
def test_heads_of_another_size(pipelines: dict[str, Language], tmp_path: Path, name: str) -> None:
    _saved(pipelines[NER], tmp_path)
    for change in (lambda value: value[:-1], lambda value: np.concatenate([value, value[:1]])):
        shutil.copytree(tmp_path / NER, tmp_path / "bad", dirs_exist_ok=True)
        rewrite(tmp_path / "bad" / "model.safetensors", lambda t, c=change: t | {f"0.{name}": c(t[f"0.{name}"])})
        assert f"{name} is" in refused(pipelines[NER].get_pipe(NER).from_disk, tmp_path / "bad")


def test_a_missing_or_strange_tensor(nlp: Language, tmp_path: Path) -> None:
    """Of a model of thinc's layers, with transitions."""
    crf = spacy.blank("es")
    crf.add_pipe(NER, config={"checkpoint": None, "model": tagger(transitions=True)})
    train(crf, [gold(crf, *note) for note in NOTES], steps=1).to_disk(tmp_path)
    weights, whole = tmp_path / NER / "model.safetensors", (tmp_path / NER / "model.safetensors").read_bytes()
    tensors = load(whole)
    metadata = json.loads(whole[8 : 8 + int.from_bytes(whole[:8], "little")])["__metadata__"]
    for name in tensors:
        others = {key: value for key, value in tensors.items() if key != name}
        weights.write_bytes(save(others, metadata))  # with the old checksum
        refused(crf.get_pipe(NER).from_disk, tmp_path / NER)
        for changed in (
            others,
            others | {name + "x": tensors[name]},
            others | {name: tensors[name].astype(np.int32)},
            others | {name: np.concatenate([tensors[name], tensors[name][:1]])},
        ):
            weights.write_bytes(whole)
            rewrite(weights, lambda _, changed=changed: changed)
            refused(crf.get_pipe(NER).from_disk, tmp_path / NER)


def _saved(nlp: Language, path: Path) -> Path:
    nlp.to_disk(path)
    return path
