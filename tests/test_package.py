"""The built wheel and a packaged pipeline, each in an environment that has nothing else, away from the sources."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import spacy

from tests.pipeline.conftest import NOTES, gold, tagger, train

ROOT = Path(__file__).parents[1]
MAX_BYTES = 40_000_000

SMOKE = """
import sys, spacy
nlp = spacy.blank("es")
nlp.add_pipe("multiclin_ner")
doc = nlp(open(sys.argv[1], encoding="utf-8").read())
assert {span.label_ for span in doc.spans["sc"]} >= {"DISEASE", "SYMPTOM", "PROCEDURE"}, doc.spans
import clinner_spacy  # only now: nothing above needs it
print(clinner_spacy.__file__)
"""

PACKAGED = """
import sys, spacy
doc = spacy.load("es_by_heart")(sys.argv[1])
print([(span.text, span.label_) for span in doc.spans["sc"]])
"""


def sh(*command: object, cwd: Path) -> str:
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package's wheel, built from a clean copy of the files that git tracks."""
    sources, out = tmp_path_factory.mktemp("sources"), tmp_path_factory.mktemp("wheel")
    archive = sources / "sources.tar"
    sh("git", "archive", "--output", archive, "HEAD", cwd=ROOT)
    sh("tar", "-xf", archive, cwd=sources)
    sh(sys.executable, "-m", "build", "--wheel", "--outdir", out, sources, cwd=out)
    (built,) = out.glob("clinner_spacy-*.whl")
    return built


@pytest.fixture(scope="module")
def clean(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a new environment with the wheel and what it requires."""
    folder = tmp_path_factory.mktemp("clean")
    sh(sys.executable, "-m", "venv", folder / "env", cwd=folder)
    python = folder / "env" / "bin" / "python"
    sh(python, "-m", "pip", "install", "--quiet", "--constraint", ROOT / "constraints.txt", wheel, cwd=folder)
    return python


@pytest.mark.slow
def test_the_wheel_holds_the_model(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist()}
    model = {name: size for name, size in sizes.items() if name.startswith("clinner_spacy/embedded/")}
    assert "clinner_spacy/embedded/multiclin_ner/model.safetensors" in model
    assert sum(model.values()) <= MAX_BYTES
    assert "clinner_spacy/embedded/assertion_es/multiclin_ner/model.safetensors" in model
    assert len([name for name in sizes if name.startswith("clinner_spacy/assertion/lexicons/")]) == 7
    page = {Path(name).suffix for name in sizes if name.startswith("clinner_spacy/service/page/")}
    assert page == {".html", ".css", ".js"}
    assert not any(name.startswith(("tests/", "benchmarks/")) for name in sizes)


@pytest.mark.slow
def test_the_wheel_finds_spans(clean: Path, tmp_path: Path) -> None:
    where = sh(clean, "-I", "-c", SMOKE, ROOT / "assets" / "notes" / "es.txt", cwd=tmp_path)
    assert str(clean.parents[1]) in where
    sh(clean.parent / "multiclin", "predict", ROOT / "assets" / "notes", tmp_path / "out.tsv", cwd=tmp_path)
    assert (tmp_path / "out.tsv").read_text(encoding="utf-8").count("\n") > 10


@pytest.mark.slow
def test_a_packaged_pipeline(clean: Path, tmp_path: Path) -> None:
    nlp = spacy.blank("es")
    nlp.add_pipe("multiclin_ner", config={"checkpoint": None, "model": tagger()})
    train(nlp, [gold(nlp, *note) for note in NOTES]).to_disk(tmp_path / "model")
    (tmp_path / "packages").mkdir()
    package = ("-m", "spacy", "package", "model", "packages", "--name", "by_heart", "--version", "1.0.0")
    sh(sys.executable, *package, "--build", "wheel", cwd=tmp_path)
    (built,) = tmp_path.glob("packages/*/dist/*.whl")
    sh(clean, "-m", "pip", "install", "--quiet", "--no-index", built, cwd=tmp_path)
    (tmp_path / "model").rename(tmp_path / "gone")
    text = NOTES[0][0]
    doc = nlp(text)
    found = [(span.text, span.label_) for span in doc.spans["sc"]]
    assert found
    assert sh(clean, "-I", "-c", PACKAGED, text, cwd=tmp_path).strip() == str(found)
    (tmp_path / "note.txt").write_text(text)
    command = ("predict", "note.txt", "out.tsv", "--model", "es_by_heart")
    sh(clean.parent / "multiclin", *command, cwd=tmp_path)
    assert (tmp_path / "out.tsv").read_text().count("\n") == len(found) + 1
