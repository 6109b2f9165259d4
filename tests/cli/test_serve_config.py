from __future__ import annotations

from pathlib import Path

import pytest

from clinner_spacy.cli.serve_config import read_config
from clinner_spacy.errors import ClinnerError


def test_config(tmp_path: Path) -> None:
    (path := tmp_path / "c.toml").write_text('[es]\nassertion = true\nthreshold = 1\n[it]\nmodel = ["a", "b"]\n')
    assert read_config(path) == {
        "es": {"lang": "es", "assertion": True, "threshold": 1},
        "it": {"lang": "it", "model": ["a", "b"]},
    }


@pytest.mark.parametrize("text", ["", "[es", "es = 1", "[es]\nspeed = 2"])
def test_a_wrong_config_is_named(tmp_path: Path, text: str) -> None:
    (path := tmp_path / "c.toml").write_text(text)
    with pytest.raises(ClinnerError, match=r"c\.toml"):
        read_config(path)


@pytest.mark.parametrize(
    ("line", "found", "expected"),
    [
        ('threshold = "0.6"', "'0.6'", "a number from 0 to 1"),
        ("threshold = true", "True", "a number from 0 to 1"),
        ("threshold = 60", "60", "a number from 0 to 1"),
        ("threshold = nan", "nan", "a number from 0 to 1"),
        ('assertion = "yes"', "'yes'", "true or false"),
        ("assertion = 1", "1", "true or false"),
        ("model = 3", "3", "a string, or an array of strings"),
        ('model = ["a", 1]', "['a', 1]", "a string, or an array of strings"),
        ("model = []", "[]", "a string, or an array of strings"),
        ('lang = ""', "''", "a string"),
        ("device = 0", "0", "a string"),
        ('precision = "fp8"', "'fp8'", "one of auto, fp32, bf16, fp16"),
        ('words = "lines"', "'lines'", "one of spacy, whitespace, alphanumeric, pieces"),
        ("[es.words]", "{}", "one of spacy"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_expected(tmp_path: Path, line: str, found: str, expected: str) -> None:
    (path := tmp_path / "c.toml").write_text(f"[es]\n{line}\n")
    with pytest.raises(ClinnerError) as caught:
        read_config(path)
    setting = line.split(" ")[0].removeprefix("[es.").removesuffix("]")
    assert f"[es] {setting} is {found}; it must be {expected}" in str(caught.value)
