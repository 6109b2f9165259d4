"""With ``local_files_only`` nothing tries to connect to anywhere, not even to find out who is asking."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.encoders.hub_server import Hub, serve
from tests.tiny import save_dt4h, save_encoder, save_tagger

#: An audit hook hears of every connection that Python makes, whatever library asks for it.
SCRIPT = """
import sys
met = []
def hook(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        met.append((event, str(args[1:])))
sys.addaudithook(hook)
import spacy
nlp = spacy.blank("es")
nlp.add_pipe("multiclin_ner", config={settings})
print(len(nlp("Paciente con dolor.").spans["sc"]) >= 0, met)
"""


@pytest.mark.parametrize("case", ["repository", "directory", "dt4h"])
def test_local_files_only_connects_to_nowhere(tmp_path, case):
    with serve(Hub(tmp_path / "hub")) as hub:
        save_tagger(hub.root / "org" / "tagger")
        save_dt4h(hub.root / "org" / "mtl")
        save_encoder(hub.root / "org" / "base")
        settings = {
            "repository": {"checkpoint": "org/tagger"},
            "directory": {"checkpoint": str(hub.root / "org" / "tagger")},
            "dt4h": {"checkpoint": str(hub.root / "org" / "mtl" / "mtl.pt"), "base_model": "org/base"},
        }[case]
        environment = {key: value for key, value in os.environ.items() if key != "HF_HUB_OFFLINE"}
        environment |= {"HF_HOME": str(tmp_path / "home"), "HF_ENDPOINT": hub.url}

        def run(settings: dict) -> str:
            command = [sys.executable, "-c", SCRIPT.replace("{settings}", repr(settings))]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
            return done.stdout.strip() or done.stderr[-2000:]

        if case != "directory":  # fills the cache, and shows that the hook hears
            assert "socket.connect" in run(settings)
        assert run(settings | {"local_files_only": True}) == "True []"
