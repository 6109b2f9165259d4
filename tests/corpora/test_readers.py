from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import spacy
from spacy.tokens import Span
from spacy.util import registry
from thinc.api import Config

from clinner_spacy.corpora.readers import create_brat_reader
from clinner_spacy.errors import ClinnerError
from clinner_spacy.scoring.relations import score_relations

NLP = spacy.blank("es")
LABELS = ("SYMPTOM", "QUALITY")
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


@pytest.fixture
def related(tmp_path: Path) -> Path:
    """Two texts with a relation in the first only, and a third that nobody looked at."""
    folder = tmp_path / "related"
    folder.mkdir()
    for name in "abc":
        (folder / f"{name}.txt").write_text("tos seca")
    for name, more in (("a", "R1\tHas Arg1:T1 Arg2:T2\n"), ("b", "")):
        (folder / f"{name}.ann").write_text(f"T1\tSYMPTOM 0 3\ttos\nT2\tQUALITY 4 8\tseca\n{more}")
    return folder


@pytest.mark.parametrize("key", ["sc", "mentions"])
def test_relations_of_a_corpus_were_looked_for_in_all_its_documents(related: Path, key: str) -> None:
    references = [e.reference for e in resolve("BratCorpus", related, more=f'spans_key = "{key}"')(NLP)]
    assert [key in reference.spans for reference in references] == [True, True, False]
    assert [len(reference.spans[key]) for reference in references[:2]] == [2, 2]
    assert [reference._.relations for reference in references] == [[{"head": 1, "tail": 0, "label": "Has"}], [], None]


def test_relations_were_looked_for_where_there_are_some_if_the_reader_is_told_so(related: Path) -> None:
    references = [e.reference for e in resolve("BratCorpus", related, more='relations = "document"')(NLP)]
    assert ["sc" in reference.spans for reference in references] == [True, False, False]
    with pytest.raises(ClinnerError, match='is unknown; use "corpus" or "document"'):
        list(create_brat_reader([str(related)], relations="none")(NLP))  # type: ignore[arg-type]


def test_a_corpus_without_relations_was_not_looked_through_for_them(brat: Path) -> None:
    assert all("sc" not in example.reference.spans for example in resolve("BratCorpus", brat)(NLP))


def test_what_is_found_where_no_relation_is_costs_precision(related: Path) -> None:
    examples = list(create_brat_reader([str(related)])(NLP))
    for example in examples:
        example.predicted.spans["sc"] = [Span(example.predicted, n, n + 1, name) for n, name in enumerate(LABELS)]
        example.predicted._.relations = [{"head": 0, "tail": 1, "label": "Has"}]
    scores = score_relations(examples)
    assert (scores["relations_p"], scores["relations_r"]) == (0.5, 1.0)


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


@pytest.mark.parametrize("name", ["BratCorpus", "ConllCorpus", "MultiClinCorpus"])
def test_no_task_has_the_name_of_the_components_group(name: str, multiclin: Path, brat: Path, tmp_path: Path) -> None:
    (tmp_path / "a.conll").write_text("aspirina B-DRUG\n")
    source = {"BratCorpus": brat, "ConllCorpus": tmp_path / "a.conll", "MultiClinCorpus": multiclin}[name]
    task = "sintoma" if name == "BratCorpus" else "drug"
    with pytest.raises(ClinnerError, match=f"task {task} would have the name of the span group"):
        list(resolve(name, source, more=f'spans_key = "{task}"')(NLP))
    assert list(resolve(name, source, more='spans_key = "mentions"')(NLP))


def test_a_task_may_be_called_sc_where_the_component_writes_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "a.conll").write_text("Alta B-SC\n")
    with pytest.raises(ClinnerError, match="task sc would have the name"):
        list(resolve("ConllCorpus", tmp_path / "a.conll")(NLP))
    (example,) = resolve("ConllCorpus", tmp_path / "a.conll", more='spans_key = "mentions"')(NLP)
    assert [span.label_ for span in example.reference.spans["sc"]] == ["SC"]
