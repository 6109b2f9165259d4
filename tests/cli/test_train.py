"""Steps, evaluations and learning rate agree with the corpus."""

from __future__ import annotations

from pathlib import Path

import pytest
import spacy
from typer.testing import CliRunner

from clinner_spacy.cli import app
from clinner_spacy.cli.train import parse_settings, plan
from clinner_spacy.corpora.docbin import save_docs
from clinner_spacy.errors import ClinnerError
from tests.pipeline.conftest import NOTES, gold

CONFIG = Path(__file__).parents[2] / "configs" / "embedded.cfg"
SMALL = {
    "nlp.lang": "es",
    "training.batcher.size": 12,
    "components.multiclin_ner.model.tok2vec.embed.rows": 100,
    "components.multiclin_ner.model.tok2vec.encode.depth": 2,
    "components.multiclin_ner.model.tok2vec.encode.dilations": [1, 1],
}


@pytest.fixture
def settings(tmp_path: Path) -> dict:
    nlp = spacy.blank("es")
    docs = [gold(nlp, *note).reference for note in NOTES * 25]
    save_docs(tmp_path / "notes.spacy", docs)
    return SMALL | {f"corpora.{part}.paths": [str(tmp_path / "notes.spacy")] for part in ("train", "dev")}


def test_a_plan_ends_with_an_evaluation_after_whole_epochs(settings: dict) -> None:
    training = plan(CONFIG, settings, 3)["training"]
    per_epoch = training["eval_frequency"]
    assert 50 <= per_epoch <= 75  # 75 notes of some ten words, twelve a batch
    assert (training["max_steps"], training["max_epochs"]) == (3 * per_epoch, 0)
    schedule = training["optimizer"]["learn_rate"]
    assert schedule["total_steps"] == 3 * per_epoch and schedule["warmup_steps"] == 3 * per_epoch // 10


def test_a_small_corpus_is_read_the_more_often(settings: dict) -> None:
    training = plan(CONFIG, settings | {"training.batcher.size": 1000}, 0)["training"]
    assert training["eval_frequency"] == 20  # an epoch is a step
    assert training["max_steps"] == 1000


@pytest.mark.parametrize("name", ["training.max_steps", "training.max_epochs", "training.eval_frequency"])
def test_what_follows_from_the_corpus_is_not_set(name: str) -> None:
    with pytest.raises(ClinnerError, match=f"{name} follows from the corpus"):
        plan(CONFIG, {name: 5}, 0)


def test_settings_are_json_or_strings() -> None:
    given = ["training.dropout=0.25", 'corpora.train.paths=["a"]', "nlp.lang=es", "--paths.train=a=b"]
    assert parse_settings(given) == {
        **{"training.dropout": 0.25, "corpora.train.paths": ["a"]},
        **{"nlp.lang": "es", "paths.train": "a=b"},
    }
    for wrong in ("training.dropout", "dropout=0.3"):
        with pytest.raises(ClinnerError, match="is not of the form"):
            parse_settings([wrong])


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"corpora.train.paths": ["nowhere.spacy"]}, "nowhere.spacy"),
        ({"training.patience": "much"}, "patience"),
        ({"nothing.at.all": 3}, "nothing"),
        ({"nlp.lang": "klingon"}, "klingon"),
    ],
)
def test_what_cannot_be_trained_is_told_in_a_sentence(settings: dict, wrong: dict, why: str) -> None:
    with pytest.raises(ClinnerError, match=why):
        plan(CONFIG, settings | wrong, 0)


@pytest.mark.parametrize(("rate", "learned"), [(0.01, True), (0.0, False)])
def test_trains_and_refuses_what_finds_nothing(settings: dict, rate: float, learned: bool, tmp_path: Path) -> None:
    settings |= {"training.optimizer.learn_rate.initial_rate": rate, "training.batcher.size": 100}
    given = [f"{name}={value}".replace("'", '"') for name, value in settings.items()]
    done = CliRunner().invoke(app, ["train", str(CONFIG), str(tmp_path / "out"), *given, "--epochs", "5"])
    assert (done.exit_code == 0) == learned, done.output
    if learned:
        doc = spacy.load(tmp_path / "out" / "model-best")(NOTES[0][0])
        assert [span.text for span in doc.spans["sc"]] == ["fiebre", "diabetes mellitus tipo 2"]
    else:
        assert "finds nothing right in the dev corpus (F 0.00)" in done.output


def test_its_own_config_is_not_overwritten(tmp_path: Path) -> None:
    config = tmp_path / "config.cfg"
    config.write_text("[nlp]\n")
    result = CliRunner().invoke(app, ["train", str(config), str(tmp_path)])
    assert (result.exit_code, config.read_text()) == (1, "[nlp]\n")
    assert "name another output" in result.output
