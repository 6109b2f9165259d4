"""The real huggingface_hub against a hub on loopback."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import huggingface_hub.constants
import huggingface_hub.file_download
import huggingface_hub.utils._http
import pytest

from clinner_spacy.checkpoints import load_checkpoint
from clinner_spacy.encoders.settings import EncoderSettings
from clinner_spacy.errors import ClinnerError
from tests.encoders.hub_server import COMMIT, Hub, serve
from tests.tiny import save_dt4h, save_encoder, save_tagger


@pytest.fixture
def hub(tmp_path, monkeypatch):
    with serve(Hub(tmp_path / "hub")) as hub:
        (tmp_path / "hub").mkdir()
        point_at(hub.url, monkeypatch)
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
        new_connections()
        yield hub
    new_connections()


def point_at(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What HF_ENDPOINT does when the client is imported; older versions copy the pattern."""
    pattern = url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", url)
    for module in (huggingface_hub.constants, huggingface_hub.file_download):
        monkeypatch.setattr(module, "HUGGINGFACE_CO_URL_TEMPLATE", pattern, raising=False)


def new_connections() -> None:
    """Older versions keep connections that know whether the client was offline when they were made."""
    getattr(huggingface_hub.utils._http, "reset_sessions", lambda: None)()


@pytest.fixture
def tagger(hub):
    save_tagger(hub.root / "org" / "tagger")
    (hub.root / "org" / "tagger" / "README.md").write_text("---\nlicense: cc-by-4.0\nlanguage: [es]\n---\n# Card\n")
    (hub.root / "org" / "tagger" / "pytorch_model.bin").write_bytes(b"the same again, large")
    (hub.root / "org" / "tagger" / "training_args.bin").write_bytes(b"")
    return "org/tagger"


@pytest.fixture
def dt4h(hub):
    save_dt4h(hub.root / "org" / "mtl")
    base = save_encoder(hub.root / "org" / "base")
    (hub.root / "org" / "mtl" / "base").rename(hub.root / "unused")
    return "org/mtl", "org/base", base


def test_a_tagger(hub, tagger):
    loaded = load_checkpoint(tagger)
    assert loaded.tasks == {"disease": ["DISEASE"]}
    assert (loaded.info["license"], loaded.info["language"]) == ("cc-by-4.0", ["es"])
    wanted = {"config.json", "tokenizer.json", "model.safetensors", "README.md"}
    assert set(hub.served) == {f"{tagger}/{name}" for name in wanted}


def test_a_dt4h_file_and_its_base_without_weights(hub, dt4h):
    loaded = load_checkpoint(dt4h[0], base_model=dt4h[1])
    assert loaded.tasks == {"disease": ["DISEASE"], "symptom": ["SYMPTOM"]}
    assert set(hub.served) == {"org/mtl/mtl.pt", "org/base/config.json", "org/base/tokenizer.json"}


def test_one_of_several_files(hub, dt4h):
    (hub.root / "org" / "mtl" / "other.pt").write_bytes(b"")
    with pytest.raises(ClinnerError, match=r"name one, as org/mtl/mtl\.pt"):
        load_checkpoint(dt4h[0], base_model=dt4h[1])
    assert load_checkpoint("org/mtl/mtl.pt", base_model=dt4h[1]).tasks


def test_sharded_weights(hub, tagger):
    folder = hub.root / tagger
    (folder / "model.safetensors").rename(folder / "model-00001-of-00001.safetensors")
    from safetensors import safe_open

    with safe_open(folder / "model-00001-of-00001.safetensors", "np") as file:
        names = {name: "model-00001-of-00001.safetensors" for name in file.keys()}  # noqa: SIM118
    (folder / "model.safetensors.index.json").write_text(str({"metadata": {}, "weight_map": names}).replace("'", '"'))
    assert load_checkpoint(tagger).tasks


def test_a_mirror_without_file_lists(hub, tagger, dt4h):
    hub.lists = False
    assert load_checkpoint(tagger).tasks
    assert load_checkpoint("org/mtl/mtl.pt", base_model=dt4h[1]).tasks
    assert load_checkpoint("org/mtl", base_model=dt4h[1]).tasks  # DT4H's files have their repositories' names


@pytest.mark.parametrize("revision", ["v1", COMMIT])
def test_revision(hub, tagger, revision):
    assert load_checkpoint(tagger, settings=EncoderSettings(revision=revision)).tasks


def test_the_cache_serves_offline(hub, tagger, dt4h, monkeypatch):
    load_checkpoint(tagger)
    load_checkpoint(dt4h[0], base_model=dt4h[1])
    hub.served.clear()
    assert load_checkpoint(tagger, settings=EncoderSettings(local_files_only=True)).tasks
    assert load_checkpoint(dt4h[0], base_model=dt4h[1], settings=EncoderSettings(local_files_only=True)).tasks
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    assert load_checkpoint(tagger).tasks
    assert load_checkpoint(dt4h[0], base_model=dt4h[1]).tasks
    assert hub.served == []


def test_not_in_the_cache(hub, tagger, monkeypatch):
    with pytest.raises(ClinnerError, match="not in the cache"):
        load_checkpoint(tagger, settings=EncoderSettings(local_files_only=True))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ClinnerError, match="out of reach"):
        load_checkpoint(tagger)
    assert hub.served == []


def test_a_hub_that_does_not_answer(tagger, monkeypatch):
    nowhere = "http://127.0.0.1:9"
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # between the client's attempts
    point_at(nowhere, monkeypatch)
    with pytest.raises(ClinnerError, match="out of reach"):
        load_checkpoint(tagger)


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("org/nothing", {}, "no repository 'org/nothing'"),
        ("org/tagger", {"revision": "v9"}, "no such revision"),
        ("org/tagger/mtl.pt", {}, "'org/tagger' has no mtl.pt"),
        ("org/tagger/some/file.txt", {}, "no file or directory here"),
        ("no such thing", {}, "no file or directory here"),
    ],
)
def test_names_that_lead_nowhere(tagger, name, settings, message):
    with pytest.raises(ClinnerError, match=message):
        load_checkpoint(name, settings=EncoderSettings(**settings))


@pytest.mark.parametrize(
    "name",
    ["embeded", "mtl.pt", "models/mtl.pt", "here/best", "org/", "a//b", "org/tagger.safetensors", "C:\\\\notes", "~/m"],
)
def test_a_mistyped_name_fails_without_asking(hub, name, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path)
    point_at("http://127.0.0.1:9", monkeypatch)
    monkeypatch.setattr("huggingface_hub.utils._http.get_session", lambda: pytest.fail("the hub was asked"))
    with pytest.raises(ClinnerError, match="no file or directory"):
        load_checkpoint(name)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_disk_that_is_full_is_not_a_hub_out_of_reach(hub, tagger, monkeypatch, number):
    def full(*args, **kwargs):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("huggingface_hub.file_download.http_get", full)
    with pytest.raises(ClinnerError, match=rf"cannot be kept in the cache .*{os.strerror(number)}"):
        load_checkpoint(tagger)


@pytest.mark.parametrize("content", ["{", "[]", '{"weight_map": []}', '{"weight_map": {"a": "../../x"}}'])
def test_a_damaged_index(hub, tagger, content):
    (hub.root / tagger / "model.safetensors").unlink()
    (hub.root / tagger / "model.safetensors.index.json").write_text(content)
    with pytest.raises(ClinnerError, match="no index of weights"):
        load_checkpoint(tagger)


@pytest.mark.parametrize("file", ["config.json", "tokenizer.json", "model.safetensors"])
def test_missing_files(hub, tagger, file):
    (hub.root / tagger / "pytorch_model.bin").unlink()
    (hub.root / tagger / file).unlink()
    with pytest.raises(ClinnerError, match=f"has no {file}"):
        load_checkpoint(tagger)


def test_gated(hub, tagger):
    hub.gated.add(tagger)
    with pytest.raises(ClinnerError, match="gated; accept its terms"):
        load_checkpoint(tagger)


def test_by_the_environment_of_a_user(hub, tagger, tmp_path):
    script = (
        "import spacy; nlp = spacy.blank('es');"
        f"nlp.add_pipe('multiclin_ner', config={{'checkpoint': {tagger!r}}});"
        "print(len(nlp('Paciente con dolor.').spans['sc']) >= 0)"
    )
    environment = {key: value for key, value in os.environ.items() if key != "HF_HUB_OFFLINE"}
    environment |= {"HF_HOME": str(tmp_path / "home"), "HF_ENDPOINT": hub.url}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=300)
    assert done.stdout.strip() == "True", done.stderr
    assert f"{tagger}/model.safetensors" in hub.served
