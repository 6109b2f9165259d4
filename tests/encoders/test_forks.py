"""Processes forked after torch has run in the parent on several threads, in an interpreter of their own."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
from collections.abc import Callable

import torch

from clinner_spacy.encoders.forks import safe_in_forks
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


def in_child(compute: Callable[[], object]) -> object:
    """What ``compute`` gives in a forked process."""
    receive, send = multiprocessing.get_context("fork").Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=lambda: send.send(compute()))
    process.start()
    process.join(timeout=60)
    return receive.recv()


def threads() -> tuple[int, int, int]:
    before = torch.get_num_threads()
    with safe_in_forks(torch.device("cpu")):
        inside = torch.get_num_threads()
    return before, inside, torch.get_num_threads()


def test_a_forked_process_has_its_threads_back_afterwards():
    own = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert threads() == (2, 2, 2)
        assert in_child(threads) == (2, 1, 2)
    finally:
        torch.set_num_threads(own)


def refusal() -> str:
    try:
        with safe_in_forks(torch.device("cuda:0")):
            return ""
    except ClinnerError as error:
        return str(error)


def test_a_gpu_in_a_forked_process_is_refused():
    assert refusal() == ""
    assert "n_process" in in_child(refusal)
