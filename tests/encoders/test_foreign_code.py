"""Code that lies beside a model never runs: not when the user is asked and answers y, through whatever way it comes in.

All ways run in one process whose standard input says y again and again, once through a pipe and once through a
terminal, since transformers asks on either.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import spacy
import srsly
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from clinner_spacy.encoders.encoder import read_encoder
from clinner_spacy.encoders.saved import encoder_to_bytes
from tests.tiny import save_dt4h, save_encoder, save_relations, save_tagger
from tests.weights import rewrite

EVIL = """
from pathlib import Path
Path({ran!r}).write_text("ran")
from transformers import BertConfig, BertForTokenClassification, BertModel, BertTokenizerFast
class C(BertConfig):
    model_type = "evil"
class M(BertForTokenClassification):
    config_class = C
class T(BertTokenizerFast):
    pass
"""

#: A type that transformers knows, and has no token classifier for.
HEADLESS = "marian"

SCRIPT = """
import json, sys, warnings
from pathlib import Path
warnings.simplefilter("ignore")
import spacy
from spacy.util import registry
from clinner_spacy.checkpoints import load_checkpoint
from clinner_spacy.cli.app import app
from clinner_spacy.errors import ClinnerError
root, answers = Path(sys.argv[1]), {}

def attempt(name, act):
    try:
        act()
        answers[name] = "loaded"
    except ClinnerError as error:
        answers[name] = f"refused: {error}"

def command(*words):
    if code := app(list(words), prog_name="multiclin", standalone_mode=False):
        raise ClinnerError(f"exit code {code}")

def initialize(name):
    model = registry.resolve({"model": {"@architectures": "clinner.Transformer.v1", "name": name}})["model"]
    model.initialize()

def relations(path):
    spacy.blank("es").add_pipe("clinical_relations", config={"checkpoint": path}).load()

note = root / "note.txt"
note.write_text("y\\ny\\nPaciente con dolor.", encoding="utf-8")
for way in ("config", "head", "tokenizer"):
    path = str(root / way)
    attempt(f"checkpoint {way}", lambda: load_checkpoint(path))
    attempt(f"Transformer.v1 {way}", lambda: initialize(path))
    attempt(f"info {way}", lambda: command("info", path))
    attempt(f"predict {way}", lambda: command("predict", str(note), str(root / "out.tsv"), "--model", path))
    out = str(root / f"exported-{way}")
    attempt(f"export {way}", lambda: command("export", str(root / "dt4h" / "mtl.pt"), out, "--base-model", path))
attempt("relations", lambda: relations(str(root / "relations")))
for name in ("saved", "saved relations"):
    attempt(name, lambda: spacy.load(root / name))
Path(sys.argv[2]).write_text(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def evil(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every kind of model that brings code of its own; running it leaves a file "ran"."""
    root = tmp_path_factory.mktemp("evil")
    code = EVIL.format(ran=str(root / "ran"))
    maps = {"AutoConfig": "evil.C", "AutoModel": "evil.M", "AutoModelForTokenClassification": "evil.M"}
    elsewhere = {name: f"{root / 'config'}--{place}" for name, place in maps.items()}

    def edit(path: Path, **fields: Any) -> None:
        srsly.write_json(path, srsly.read_json(path) | fields)

    for way in ("config", "head", "tokenizer"):
        save_tagger(root / way, "bert")
        (root / way / "evil.py").write_text(code)
    edit(root / "config" / "config.json", model_type="evil", auto_map=maps)
    edit(root / "head" / "config.json", model_type=HEADLESS, auto_map=maps)
    tokenizer = Tokenizer.from_file(str(root / "tokenizer" / "tokenizer.json"))
    words = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    (root / "tokenizer" / "vocab.txt").write_text("\n".join(word for word, _ in words))
    (root / "tokenizer" / "tokenizer.json").unlink()
    srsly.write_json(root / "tokenizer" / "tokenizer_config.json", {"auto_map": {"AutoTokenizer": [None, "evil.T"]}})
    save_dt4h(root / "dt4h")
    save_relations(root / "relations")
    (root / "relations" / "evil.py").write_text(code)
    edit(root / "relations" / "config.json", model_type="evil", auto_map=maps)

    def poisoned(shim: bytes) -> bytes:
        state = srsly.msgpack_loads(shim)
        fields = json.loads(state["config"]) | {"auto_map": elsewhere, "model_type": HEADLESS}
        return srsly.msgpack_dumps(state | {"config": json.dumps(fields), "tagger": True})

    sources = {
        "saved": ("multiclin_ner", save_tagger(root / "good", "bert")),
        "saved relations": ("clinical_relations", save_relations(root / "good relations")),
    }
    for name, (factory, source) in sources.items():
        nlp = spacy.blank("es")
        nlp.add_pipe(factory, config={"checkpoint": str(source)}).load()
        nlp.to_disk(root / name)
        weights = root / name / factory / "model.safetensors"
        (shim,) = [key for key in load_file(weights) if ".shim." in key]
        rewrite(weights, lambda tensors, shim=shim: tensors | {shim: poisoned(tensors[shim].tobytes())})
    return root


@pytest.mark.parametrize("channel", ["pipe", "terminal"])
def test_no_code_of_a_repository_runs(evil: Path, channel: str, tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, str(tmp_path / "script.py"), str(evil), str(tmp_path / "answers.json")]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "home")}
    answer = b"y\n" * 500
    if channel == "pipe":
        done = subprocess.run(command, input=answer, env=environment, capture_output=True, timeout=300)
    else:
        import pty

        ours, theirs = pty.openpty()
        os.write(ours, answer)
        done = subprocess.run(command, stdin=theirs, env=environment, capture_output=True, timeout=300)
        os.close(ours)
        os.close(theirs)
    assert not (evil / "ran").exists(), done.stdout.decode()[-2000:]
    assert b"custom code? [y/N]" not in done.stdout, done.stdout.decode()[-2000:]
    answers = json.loads((tmp_path / "answers.json").read_text()) if done.returncode == 0 else done.stderr.decode()
    assert isinstance(answers, dict), answers[-3000:]
    # A known type may be read without the code beside it; where the code is needed, a sentence says so.
    may_load = {"checkpoint tokenizer", "Transformer.v1 tokenizer", "info tokenizer", "predict tokenizer"}
    assert {name for name, answer in answers.items() if answer == "loaded"} <= may_load, answers


def test_what_is_saved_names_no_code(tmp_path: Path) -> None:
    path = save_encoder(tmp_path / "encoder")
    srsly.write_json(
        path / "config.json",
        srsly.read_json(path / "config.json")
        | {"auto_map": {"AutoModel": "evil.M"}, "custom_pipelines": {"ner": {"impl": "evil.P"}}},
    )
    saved = encoder_to_bytes(read_encoder(path))
    assert b"evil" not in saved
    assert str(tmp_path).encode() not in saved
