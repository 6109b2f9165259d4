"""Processes forked after torch has run in the parent on several threads, in an interpreter of their own."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from clinner_spacy.encoders import forks
from clinner_spacy.errors import ClinnerError
from tests.tiny import TEXT, save_tagger

PROGRAM = """
import sys
import spacy, torch

torch.set_num_threads(2)
nlp = spacy.blank("es")
nlp.add_pipe("multiclin_ner", config={"checkpoint": sys.argv[1]})
texts = sys.argv[2:] * 4
x = torch.randn(512, 512)
x @ x  # the parent's threads are there now

def rows(doc):
    return [(span.start, span.end, span.label_) for span in doc.spans["sc"]]

alone = [rows(doc) for doc in nlp.pipe(texts)]
forked = [rows(doc) for doc in nlp.pipe(texts, n_process=2, batch_size=4)]
assert alone == forked, (alone, forked)
"""


def test_forked_processes_find_the_same_and_do_not_hang(tmp_path):
    checkpoint = save_tagger(tmp_path / "tagger")
    command = [sys.executable, "-c", PROGRAM, str(checkpoint), *TEXT]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr


def test_a_gpu_in_a_forked_process_is_refused(monkeypatch):
    forks.check_fork(torch.device("cuda:0"))
    monkeypatch.setattr(forks, "_parent_used_cuda", True)
    forks.check_fork(torch.device("cpu"))
    with pytest.raises(ClinnerError, match="n_process"):
        forks.check_fork(torch.device("cuda:0"))
