from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from clinner_spacy.cli import app
from tests.published import FAMILIES
from tests.tiny import save_dt4h

CARD = "---\nlicense: cc-by-4.0\nlanguage:\n- nl\n- es\n---\n# A tagger\n"

#: Each family's encoder, what it tags, how it cuts long texts, and its tasks.
FACTS = {
    "Multi-Head CRF (IEETA)": (
        "roberta",
        "pieces of the raw text",
        "48 pieces with 7 of context on both sides",
        {"symptom": "SYMPTOM", "disease": "DISEASE"},
    ),
    "token classification with a CRF": ("xlm-roberta", "pieces of the raw text", "", {"procedure": "PROCEDURE"}),
    "CRF of the BSC's ner_lab": ("roberta", "pieces of the raw text", "64 pieces", {"disease": "DISEASE"}),
    "CardioNER.nl, TokenClassificationModelCRF": ("roberta", "pieces of the raw text", "", {"med": "MED"}),
    "CardioNER.nl, TokenClassificationModelMultiHeadCRF": (
        "roberta",
        "pieces of the raw text",
        "64 pieces",
        {"symptom": "SYMPTOM", "disease": "DISEASE"},
    ),
    "CardioNER.nl, MultiLabelTokenClassificationModelCustom": (
        "roberta",
        "pieces of the raw text",
        "64 pieces",
        {"disease": "DISEASE", "med": "MED"},
    ),
    "token classification": ("roberta", "words of the Doc", "64 pieces", {"ner": "DISEASE, SYMPTOM, PROCEDURE"}),
}


def info(*args: object) -> dict[str, str]:
    result = CliRunner().invoke(app, ["info", *map(str, args)])
    assert result.exit_code == 0, result.output
    lines = [line.partition("  ") for line in result.output.splitlines()]
    return {key.strip(): value.strip() for key, _, value in lines}


def test_a_saved_pipeline(saved: Path) -> None:
    about = info(saved)
    assert about["name"] == "by_heart"
    assert about["license"] == "CC BY 4.0"
    assert about["languages"] == "es"
    assert about["task disease"] == "DISEASE"
    assert int(about["parameters"].replace(",", "")) > 1000
    assert about["size"].endswith("MB on disk")


def test_a_published_checkpoint(tmp_path: Path) -> None:
    path = save_dt4h(tmp_path)
    about = info(path, "--base-model", tmp_path / "base")
    assert about["format"] == "DT4H multi-task file"
    assert {"task disease", "task symptom"} <= set(about)
    assert int(about["parameters"].replace(",", "")) > 1000


@pytest.mark.parametrize("family", FAMILIES)
def test_each_family(family: str, tmp_path: Path) -> None:
    """Family, encoder, units, windows, tasks, languages and licence, of each format that is read."""
    path = FAMILIES[family](tmp_path / "model")
    (path / "README.md").write_text(CARD)
    about = info(path)
    encoder, units, windows, tasks = FACTS[family]
    assert (about["format"], about["encoder"], about["units"]) == (family, encoder, units)
    assert about["windows"].startswith(windows)
    assert {key.removeprefix("task "): label for key, label in about.items() if key.startswith("task ")} == tasks
    assert (about["license"], about["language"]) == ("cc-by-4.0", "nl, es")
    assert about["size"].endswith("MB on disk")


def test_what_is_no_model(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["info", str(tmp_path / "absent")])
    assert result.exit_code == 1 and result.output.count("\n") == 1
