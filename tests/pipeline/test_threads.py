"""Eight threads that use a pipeline for the first time, at once, in a fresh process, find what one thread finds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.tiny import save_tagger

SCRIPT = """
import sys, threading
import spacy
checkpoint, n = sys.argv[1], int(sys.argv[2])
notes = ["Paciente con diabetes mellitus tipo 2 y disnea.", "Refiere dolor torácico y fiebre de 39.", "Sin tos."]
texts = [f"{notes[i % 3]} Caso {i % 50}, {notes[i // 3 % 3]}" for i in range(n)]
config = {} if checkpoint == "embedded" else {"precision": sys.argv[3], "batch_tokens": 512}

def pipeline():
    nlp = spacy.blank("es")
    nlp.add_pipe("multiclin_ner", config={"checkpoint": checkpoint, **config})
    return nlp

def read(nlp):
    return [[(s.start, s.end, s.label_) for s in doc.spans["sc"]] for doc in nlp.pipe(texts)]

def work(k):
    try:
        start.wait()
        found[k] = read(nlp)
    except BaseException as error:
        found[k] = repr(error)

nlp, found, start = pipeline(), {}, threading.Barrier(8)
threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
[t.start() for t in threads]
[t.join() for t in threads]
serial = read(pipeline())
wrong = [found[k] if isinstance(found[k], str) else "other spans" for k in range(8) if found[k] != serial]
print(wrong, sum(map(len, serial)) > 0)
"""


@pytest.mark.parametrize(("kind", "precision"), [("embedded", ""), ("xlm-roberta", "fp32"), ("xlm-roberta", "bf16")])
def test_eight_threads_begin_at_once(tmp_path: Path, kind: str, precision: str) -> None:
    checkpoint = kind if kind == "embedded" else str(save_tagger(tmp_path / "tagger", kind))
    command = [sys.executable, "-c", SCRIPT, checkpoint, "1000", precision]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert (done.returncode, done.stdout.strip()) == (0, "[] True"), done.stderr[-2000:]


def test_weights_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import threading
    import time

    import spacy

    from clinner_spacy.pipeline import tagger

    read = []

    def slowly(*args, **kwargs):
        read.append(args)
        time.sleep(0.05)
        return original(*args, **kwargs)

    original = tagger.load_checkpoint
    monkeypatch.setattr(tagger, "load_checkpoint", slowly)
    component = spacy.blank("es").add_pipe("multiclin_ner")
    threads = [threading.Thread(target=component.load) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read) == 1
