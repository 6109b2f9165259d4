from __future__ import annotations

import pickle
from typing import Any

import pyarrow as pa
import pytest
import spacy
from spacy.language import Language

from clinner_spacy import Annotate
from clinner_spacy.errors import ClinnerError
from clinner_spacy.tables.arrow import mention_columns, schema
from tests.pipeline.conftest import NOTES
from tests.tables.files import same_findings

TEXTS = [text for text, _ in NOTES]
NOTE_TABLE = pa.table({"note_id": ["a", "b", "c"], "text": TEXTS, "day": pa.array([1, 2, 3], pa.date32())})

#: Calls of ``make`` so far.
MADE: list[Language] = []


def make() -> Language:
    nlp = spacy.blank("es")
    nlp.add_pipe("multiclin_ner")
    nlp.add_pipe("clinical_assertion")
    MADE.append(nlp)
    return nlp


@pytest.fixture(scope="module")
def annotate() -> Annotate:
    return Annotate(make, keep=["day"])


def test_a_row_a_mention_with_the_columns_kept(annotate: Annotate) -> None:
    found = annotate(NOTE_TABLE)
    assert found.column_names[:2] == ["note_id", "day"] and found.schema.field("day").type == pa.date32()
    assert found.drop(["day"]).schema == schema(mention_columns(said=True, linked=False))
    days = dict(zip(NOTE_TABLE["note_id"].to_pylist(), NOTE_TABLE["day"].to_pylist(), strict=True))
    texts = dict(zip(NOTE_TABLE["note_id"].to_pylist(), TEXTS, strict=True))
    rows = found.to_pylist()
    assert len(rows) > 3
    for row in rows:
        assert texts[row["note_id"]][row["start"] : row["end"]] == row["text"] and row["day"] == days[row["note_id"]]


def test_batches_however_cut_give_the_same(annotate: Annotate) -> None:
    batches = [annotate(batch) for batch in NOTE_TABLE.to_batches(max_chunksize=1)]
    assert same_findings(pa.concat_tables(batches), annotate(NOTE_TABLE))
    assert annotate(NOTE_TABLE.slice(0, 0)).schema == annotate(NOTE_TABLE).schema


def test_the_pipeline_is_loaded_once_and_never_pickled(annotate: Annotate) -> None:
    expected, before = annotate(NOTE_TABLE), len(MADE)
    sent = pickle.dumps(annotate)
    assert len(sent) < 1000 and len(MADE) == before
    there = pickle.loads(sent)
    assert [there(NOTE_TABLE).equals(expected) for _ in range(2)] == [True, True]
    assert len(MADE) == before + 1


def test_words_are_forgotten(annotate: Annotate) -> None:
    annotate(pa.table({"note_id": ["a"], "text": ["Zxqvarías refiere tos."], "day": [None]}))
    assert "Zxqvarías" not in annotate.nlp.vocab.strings


@pytest.mark.parametrize(
    "kind", [pa.large_string(), pa.dictionary(pa.int32(), pa.string()), pa.string_view()], ids=str
)
def test_every_type_of_strings(annotate: Annotate, kind: pa.DataType) -> None:
    table = NOTE_TABLE.set_column(1, "text", NOTE_TABLE["text"].cast(pa.string()).combine_chunks().cast(kind))
    assert annotate(table).equals(annotate(NOTE_TABLE))


def test_ids_may_be_whole_numbers(annotate: Annotate) -> None:
    table = NOTE_TABLE.set_column(0, "note_id", pa.array([7, 8, 9]))
    assert set(annotate(table)["note_id"].to_pylist()) <= {"7", "8", "9"}


def test_tasks(annotate: Annotate) -> None:
    assert set(Annotate(make, tasks=["symptom"])(NOTE_TABLE)["label"].to_pylist()) == {"SYMPTOM"}


def test_a_directory_or_a_config(annotate: Annotate, tmp_path: Any) -> None:
    config = {"nlp": {"lang": "es", "pipeline": ["ner"]}, "components": {"ner": {"factory": "multiclin_ner"}}}
    from_config = Annotate(config)
    found = from_config(NOTE_TABLE)
    assert found.select(["start", "end", "score"]).equals(annotate(NOTE_TABLE).select(["start", "end", "score"]))
    make().to_disk(tmp_path / "saved")
    assert Annotate(tmp_path / "saved")(NOTE_TABLE).equals(annotate(NOTE_TABLE).drop(["day"]))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"text": None}, "lacks the column 'text'; it has note_id, day"),
        ({"day": None}, "lacks the column 'day'"),
        ({"text": pa.array(["a", None, None])}, "'text' has 2 nulls in 3 rows, the first in row 1"),
        ({"note_id": pa.array(["a", "b", None])}, "'note_id' has 1 nulls in 3 rows, the first in row 2"),
        ({"text": pa.array([b"a", b"b", b"c"])}, "'text' is of type binary; texts are strings"),
        ({"text": pa.array([1, 2, 3])}, "'text' is of type int64"),
        ({"note_id": pa.array([0.5, 1.5, 2.5])}, "'note_id' is of type double; ids are strings or whole numbers"),
    ],
)
def test_columns_that_are_no_notes(annotate: Annotate, change: dict[str, pa.Array | None], sentence: str) -> None:
    columns = {name: change.get(name, NOTE_TABLE[name]) for name in NOTE_TABLE.column_names}
    with pytest.raises(ClinnerError, match=sentence):
        annotate(pa.table({name: column for name, column in columns.items() if column is not None}))


def test_bytes_that_are_no_text_are_not_shown(annotate: Annotate) -> None:
    broken = pa.array([b"Juan \xff"]).view(pa.string())
    with pytest.raises(ClinnerError, match="no UTF-8") as caught:
        annotate(pa.table({"note_id": ["a"], "text": broken, "day": [1]}))
    assert "Juan" not in repr(caught.value) and caught.value.__cause__ is None


def test_an_error_of_a_component_shows_no_text() -> None:
    def broken() -> Language:
        nlp = make()
        nlp.add_pipe("breaks_on_words", first=True)
        return nlp

    with pytest.raises(ClinnerError, match=r"cannot read a note of this batch \(RuntimeError\)") as caught:
        Annotate(broken)(NOTE_TABLE)
    assert "fiebre" not in str(caught.value)


@Language.component("breaks_on_words")
def breaks_on_words(doc: Any) -> Any:
    raise RuntimeError(doc.text)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"keep": ["score"]}, "column 'score' of their own"),
        ({"keep": "day"}, "keep is a list"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ClinnerError, match=sentence):
        Annotate(make, **settings)


@pytest.mark.parametrize(
    ("pipeline", "sentence"),
    [
        ("no_such_pipeline", "no pipeline that can be loaded"),
        (lambda: spacy.blank("es"), "no 'multiclin_ner'"),
    ],
)
def test_a_pipeline_that_is_none(pipeline: Any, sentence: str) -> None:
    with pytest.raises(ClinnerError, match=sentence):
        Annotate(pipeline)(NOTE_TABLE)


def test_tasks_that_are_not_there() -> None:
    with pytest.raises(ClinnerError, match="no task 'gene'"):
        Annotate(make, tasks=["gene"])(NOTE_TABLE)
