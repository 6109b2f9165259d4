"""No word that was read leaves with a pipeline."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import spacy
from spacy.language import Language
from typer.testing import CliRunner

from clinner_spacy.checkpoints import load_checkpoint
from clinner_spacy.cli import app
from clinner_spacy.cli.annotate import annotate_texts
from clinner_spacy.cli.model import build_nlp
from clinner_spacy.errors import ClinnerError, WordsWarning
from clinner_spacy.pipeline.components import labels_of
from clinner_spacy.pipeline.forget import forget_words
from clinner_spacy.tables.found import Text
from tests.pipeline.conftest import NOTES, gold, tagger, train

NOTE = "Zacarías Quintanilla, NHC 998877, refiere tos y fiebre."
SECRETS = ("Zacarías", "Quintanilla", "998877", "zacarías")


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A pipeline that has learned from notes and read another."""
    nlp = spacy.blank("es")
    nlp.add_pipe("multiclin_ner", config={"checkpoint": None, "model": tagger()})
    train(nlp, [gold(nlp, *note) for note in NOTES], steps=20)
    nlp.add_pipe("entity_ruler", first=True).add_patterns([{"label": "RULE", "pattern": "madrugada"}])
    nlp.vocab.set_vector("conocida", np.ones(3, dtype="f"))
    nlp(NOTE)
    with pytest.warns(WordsWarning):
        nlp.to_disk(tmp_path / "saved")
    return tmp_path / "saved"


def told(folder: Path) -> list[str]:
    return [word for word in SECRETS for path in folder.rglob("*") if path.is_file() if word.encode() in read(path)]


def read(path: Path) -> bytes:
    data = path.read_bytes()
    return data + json.dumps(json.loads(data), ensure_ascii=False).encode() if path.suffix == ".json" else data


def test_a_pipeline_forgets_and_finds_the_same(saved: Path) -> None:
    assert set(told(saved)) == set(SECRETS)  # what spaCy does
    before = [spacy.load(saved)(text).spans["sc"].attrs["scores"].tolist() for text, _ in NOTES]
    result = CliRunner().invoke(app, ["forget", str(saved)])
    assert result.exit_code == 0 and "words taken out" in result.output
    assert told(saved) == []
    strings = json.loads((saved / "vocab" / "strings.json").read_text())
    assert not {"Paciente", "biopsia", "tos"} & set(strings)  # those of the training data, too
    assert {"SYMPTOM", "RULE", "madrugada", "conocida"} <= set(strings)
    nlp = spacy.load(saved)
    assert [nlp(text).spans["sc"].attrs["scores"].tolist() for text, _ in NOTES] == before
    assert [ent.label_ for ent in nlp("de madrugada").ents] == ["RULE"]
    assert nlp.vocab["conocida"].has_vector
    assert forget_words(saved) == 0


def test_what_is_no_pipeline_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ClinnerError, match="no saved pipeline"):
        forget_words(tmp_path)
    (tmp_path / "vocab").mkdir()
    (tmp_path / "vocab" / "strings.json").write_text('["Zacarías"]')
    with pytest.raises(ClinnerError, match="no pipeline that can be loaded") as error:
        forget_words(tmp_path)
    assert "Zacar" not in str(error.value)


def test_exported_pipelines_hold_no_words(saved: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["export", str(saved), str(tmp_path / "exported"), "--lang", "es"])
    assert result.exit_code == 0, result.output
    assert told(tmp_path / "exported") == []


def test_commands_leave_no_words_in_the_vocabulary(saved: Path) -> None:
    forget_words(saved)
    nlp = build_nlp(str(saved))
    list(annotate_texts([Text("a", NOTE)], nlp, labels_of(nlp)))
    assert not any(word in nlp.vocab.strings for word in SECRETS)


def test_a_pickled_model_has_no_words() -> None:
    model = load_checkpoint("embedded").model
    nlp: Language = spacy.blank("es")
    model.predict([nlp(NOTE)])
    embeds = [node for node in model.walk() if "cache" in node.attrs]
    assert embeds and all(node.attrs["cache"].now.row_of for node in embeds)
    copies = [node for node in pickle.loads(pickle.dumps(model.copy())).walk() if "cache" in node.attrs]
    assert copies and not any(node.attrs[name].now.row_of for node in copies for name in ("cache", "ngram_cache"))


def fresh() -> Language:
    nlp = spacy.blank("es")
    nlp.add_pipe("multiclin_ner")
    return nlp


def test_saving_a_pipeline_that_has_read_warns(tmp_path: Path) -> None:
    nlp = fresh()
    nlp(NOTE)
    with pytest.warns(WordsWarning, match="multiclin forget") as told_by:
        nlp.to_disk(tmp_path / "saved")
    assert not any(word in str(warning.message) for warning in told_by for word in SECRETS)
    with pytest.warns(WordsWarning):
        nlp.to_bytes()
    trained = spacy.blank("es")
    trained.add_pipe("multiclin_ner", config={"checkpoint": None, "model": tagger()})
    train(trained, [gold(trained, *note) for note in NOTES], steps=1)
    with pytest.warns(WordsWarning):
        trained.to_disk(tmp_path / "trained")


@pytest.mark.filterwarnings("error")
def test_saving_a_pipeline_that_keeps_no_words_does_not_warn(saved: Path, tmp_path: Path) -> None:
    fresh().to_disk(tmp_path / "blank")
    spacy.load(saved).to_disk(tmp_path / "again")
    nlp = fresh()
    nlp("")
    with nlp.memory_zone():
        list(nlp.pipe([NOTE, NOTE]))
    nlp.to_disk(tmp_path / "zone")
    assert told(tmp_path / "zone") == []
