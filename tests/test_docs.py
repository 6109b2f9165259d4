"""README and docs say what is so: their Python and their commands run, in order, in an empty directory of their own.

A block after ``<!-- not run: why -->`` is left out. A ``text`` block right after a Python one is what it prints.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

BLOCK = re.compile(
    r"(?P<skip><!-- not run:[^>]*-->\s*)?^```(?P<kind>python|bash|text)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL
)
#: What a page may ask to run; anything else (git, make, pip) changes the machine.
COMMANDS = ("multiclin ", "python -m spacy ")


class Block(NamedTuple):
    kind: str
    body: str
    skip: bool


def blocks(page: Path) -> list[Block]:
    return [Block(m["kind"], m["body"], bool(m["skip"])) for m in BLOCK.finditer(page.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_blocks_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("assets", "configs"):
        shutil.copytree(ROOT / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "__main__"}
    printed = ""
    for block in blocks(page):
        if block.skip:
            continue
        if block.kind == "python":
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(compile(block.body, page.name, "exec"), names)
            printed = out.getvalue()
        elif block.kind == "text" and printed:
            assert block.body == printed
        elif block.kind == "bash":
            run_commands(block.body)
            printed = ""


def run_commands(body: str) -> None:
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    for line in body.replace("\\\n", " ").splitlines():
        if line.startswith(COMMANDS):
            done = subprocess.run(shlex.split(line, comments=True), env=env, capture_output=True, text=True)
            assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
        assert target.startswith("https://") or (page.parent / target).exists(), target
