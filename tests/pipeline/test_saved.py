"""What both components save, and every way in which it may be damaged: one sentence each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import spacy
import srsly
from spacy.language import Language

from clinner_spacy.checkpoints import load_checkpoint
from clinner_spacy.errors import ClinnerError
from tests.tiny import save_relations, save_tagger

NER, RELATIONS = "multiclin_ner", "clinical_relations"
KEPT = {NER: {"tasks", "about", "architecture", "calibration"}, RELATIONS: {"labels", "null", "pairs", "architecture"}}
OPTIONAL = {"about", "calibration"}
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
def test_a_damaged_encoder(pipelines: dict[str, Language], name: str, part: bytes) -> None:
    component = pipelines[name].get_pipe(name)
    damaged = component.to_bytes().replace(part, b"\xff" * len(part))
    told = refused(component.from_bytes, damaged)
    assert told.startswith(f"The state of component {name!r}: The saved encoder is damaged")


@pytest.mark.parametrize(("name", "other"), [(NER, RELATIONS), (RELATIONS, NER)])
def test_weights_of_another_component(pipelines: dict[str, Language], tmp_path: Path, name: str, other: str) -> None:
    for pipeline in pipelines.values():
        pipeline.to_disk(tmp_path / "both", exclude=["meta.json"])
    weights = (tmp_path / "both" / other / "model.safetensors").read_bytes()
    (tmp_path / "both" / name / "model.safetensors").write_bytes(weights)
    with pytest.raises(ClinnerError, match="another architecture"):
        pipelines[name].get_pipe(name).from_disk(tmp_path / "both" / name)
