"""What the package shows the world."""

from __future__ import annotations

import importlib.resources
import subprocess
import sys

import pytest

import clinner_spacy


def python(*args: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, *args], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", clinner_spacy.__all__)
def test_every_public_name_is_there(name):
    assert getattr(clinner_spacy, name).__doc__
    assert name in dir(clinner_spacy)


def test_other_names_are_not():
    with pytest.raises(AttributeError, match="nothing"):
        clinner_spacy.nothing  # noqa: B018 - the error is what is looked for


def test_importing_is_cheap():
    heavy = "{'torch', 'transformers', 'spacy', 'thinc', 'numpy', 'typer'} & set(sys.modules)"
    assert python("-c", f"import sys, clinner_spacy; assert not {heavy}, {heavy}").returncode == 0


def test_types_are_shipped():
    assert (importlib.resources.files("clinner_spacy") / "py.typed").is_file()


@pytest.mark.parametrize("command", [["-m", "clinner_spacy"], ["-m", "spacy", "multiclin"]])
def test_version(command):
    assert python(*command, "--version").stdout.strip() == clinner_spacy.__version__


def test_help_without_arguments():
    shown = python("-m", "clinner_spacy")
    assert "predict" in shown.stdout + shown.stderr
