from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import spacy
from spacy.util import registry
from thinc.api import Config

from clinner_spacy.errors import ClinnerError

NLP = spacy.blank("es")
CONFIG = """
[corpus]
@readers = "clinner.{name}.v1"
paths = {paths}
{more}
"""


def resolve(name: str, *paths: Path, more: str = "") -> Any:
    listed = "[" + ", ".join(f'"{path}"' for path in paths) + "]"
    return registry.resolve(Config().from_str(CONFIG.format(name=name, paths=listed, more=more)))["corpus"]


@pytest.fixture
def brat(tmp_path: Path) -> Path:
    (tmp_path / "brat").mkdir()
    for name in "ab":
        (tmp_path / "brat" / f"{name}.txt").write_text("fiebre alta")
        (tmp_path / "brat" / f"{name}.ann").write_text("T1\tSINTOMA 0 5\tfiebr\n")
    return tmp_path / "brat"


@pytest.fixture
def multiclin(tmp_path: Path) -> Path:
    for task in ("disease", "drug"):
        for kind in ("txt", "tsv"):
            (tmp_path / "c-train" / f"c-train-{task}" / kind).mkdir(parents=True)
        (tmp_path / "c-train" / f"c-train-{task}" / "txt" / f"{task}.txt").write_text("gripe")
        (tmp_path / "c-train" / f"c-train-{task}" / "tsv" / "t.tsv").write_text(
            f"filename\tlabel\tstart_span\tend_span\ttext\n{task}\t{task.upper()}\t0\t5\tgripe\n"
        )
    return tmp_path / "c-train"


def test_brat_from_a_config_again_and_again(brat: Path, caplog: pytest.LogCaptureFixture) -> None:
    reader = resolve("BratCorpus", brat, more='labels = {"SINTOMA": "SYMPTOM"}')
    with caplog.at_level(logging.INFO, logger="spacy"):
        first, second = list(reader(NLP)), list(reader(NLP))
    assert [e.reference.to_bytes() for e in first] == [e.reference.to_bytes() for e in second]
    example = first[0]
    assert [span.text for span in example.reference.spans["symptom"]] == ["fiebre"]
    assert not example.predicted.spans and example.predicted.text == "fiebre alta"
    assert sum("2 mentions in 2 documents; 2 moved" in record.getMessage() for record in caplog.records) == 1
    assert len(list(resolve("BratCorpus", brat, more="limit = 1")(NLP))) == 1


def test_multiclin_tasks_are_chosen_where_they_are(multiclin: Path) -> None:
    whole, part = multiclin, multiclin / "c-train-drug"
    examples = list(resolve("MultiClinCorpus", part, whole, more='tasks = ["disease"]')(NLP))
    assert [list(example.reference.spans) for example in examples] == [["disease"]]
    with pytest.raises(ClinnerError, match="has the task symptom"):
        list(resolve("MultiClinCorpus", whole, more='tasks = ["symptom"]')(NLP))


def test_conll_from_a_config(tmp_path: Path) -> None:
    (tmp_path / "a.conll").write_text("aspirina B-DRUG\n")
    (example,) = resolve("ConllCorpus", tmp_path / "a.conll", more='task = "drugs"')(NLP)
    assert [span.label_ for span in example.reference.spans["drugs"]] == ["DRUG"]
