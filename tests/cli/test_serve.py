from __future__ import annotations

from pathlib import Path

import pytest

from clinner_spacy.cli.serve import read_config
from clinner_spacy.errors import ClinnerError


def test_config(tmp_path: Path) -> None:
    (path := tmp_path / "c.toml").write_text("[es]\nassertion = true\n[it]\n")
    assert read_config(path) == {"es": {"lang": "es", "assertion": True}, "it": {"lang": "it"}}


@pytest.mark.parametrize("text", ["", "[es", "es = 1", "[es]\nspeed = 2"])
def test_a_wrong_config_is_named(tmp_path: Path, text: str) -> None:
    (path := tmp_path / "c.toml").write_text(text)
    with pytest.raises(ClinnerError, match=r"c\.toml"):
        read_config(path)
