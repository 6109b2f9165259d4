"""docs/settings.md names every setting of every component, with its default."""

from __future__ import annotations

import importlib.metadata
import json
import re
from pathlib import Path

import pytest
import spacy
from spacy.language import Language

PAGE = (Path(__file__).parents[1] / "docs" / "settings.md").read_text(encoding="utf-8")
COMPONENTS = re.findall(r"^## (\w+)$", PAGE, re.MULTILINE)[:-1]


def rows(component: str) -> dict[str, str]:
    """Setting -> default, as the page has them."""
    section = re.split(r"^## ", PAGE.split(f"## {component}\n")[1], flags=re.MULTILINE)[0]
    return dict(re.findall(r"^\| `(\w+)` \| [^|]* \| `([^`]*)` \|", section, re.MULTILINE))


def default(value: object) -> str:
    return value["@scorers"] if isinstance(value, dict) and value else json.dumps(value)


def test_every_component_has_a_section():
    points = importlib.metadata.distribution("clinner-spacy").entry_points
    assert set(COMPONENTS) == {point.name for point in points if point.group == "spacy_factories"}


@pytest.mark.parametrize("component", COMPONENTS)
def test_every_setting_is_there_with_its_default(component):
    spacy.blank("es").add_pipe(component)  # registers the factory
    expected = Language.get_factory_meta(component).default_config
    assert rows(component) == {name: default(value) for name, value in expected.items()}
