from __future__ import annotations

import sys

import pyarrow as pa
import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st

from clinner_spacy.assertion.categories import ATTRIBUTES, TRUE
from clinner_spacy.corpora.extension import set_relations_extension
from clinner_spacy.errors import ClinnerError
from clinner_spacy.ner.trim import trim
from clinner_spacy.tables.arrow import (
    CONCEPT,
    MENTION,
    SAID,
    as_table,
    from_table,
    mention_columns,
    relation_table,
    to_table,
)
from clinner_spacy.tables.records import SCORED

NLP = spacy.blank("es")
probability = st.floats(0, 1, width=32)


@st.composite
def notes(draw: st.DrawFn) -> tuple[dict[str, str], pa.Table]:
    """Texts and a table of findings in them, as a pipeline with all components would give."""
    texts = draw(st.lists(st.text("ab é\n.,🩺\u0301", max_size=20), min_size=1, max_size=3))
    records = []
    for name, text in enumerate(texts):
        cuts = st.integers(0, len(text))
        places = {trim(text, *sorted(pair)) for pair in draw(st.lists(st.tuples(cuts, cuts), max_size=4))}
        for start, end in sorted(place for place in places if place[0] < place[1]):
            said = {name: draw(probability) for name in ATTRIBUTES}
            code = draw(st.sampled_from(["", "C1"]))
            records.append(
                {"note_id": str(name), "start": start, "end": end, "text": text[start:end], "label": "L", "task": "t"}
                | {"score": draw(probability)}
                | {name: p >= TRUE for name, p in said.items()}
                | {f"{name}_score": said[name] for name in SCORED}
                | {"code": code, "term": code.lower(), "code_score": draw(probability) if code else None}
            )
    columns = mention_columns(said=bool(records), linked=bool(records))
    return {str(n): text for n, text in enumerate(texts)}, as_table(records, columns)


@settings(max_examples=50, deadline=None)
@given(notes())
def test_round_trip(given: tuple[dict[str, str], pa.Table]) -> None:
    texts, table = given
    docs = from_table(table, NLP, texts)
    assert [doc.text for doc in docs] == list(texts.values())
    assert to_table(docs).equals(table)


def test_relations_come_back() -> None:
    texts = {"a": "Toma aspirina 100 mg.", "b": "Nada."}
    rows = [{"note_id": "a", "start": 5, "end": 13, "label": "DRUG", "task": "t", "score": 0.5}]
    rows += [{**rows[0], "start": 14, "end": 20, "label": "DOSE"}]
    docs = from_table(pa.Table.from_pylist(rows), NLP, texts)
    set_relations_extension()
    docs[0]._.relations = [{"head": 0, "tail": 1, "label": "R", "score": 0.25}]
    relations = relation_table(docs)
    first, second = from_table(to_table(docs), NLP, texts, relations=relations)
    assert first._.relations == docs[0]._.relations and second._.relations == []
    assert relation_table([first, second]).equals(relations)
    with pytest.raises(ClinnerError, match="a relation with a DOSE from 14 to 20, which the table of findings has not"):
        from_table(to_table(docs).slice(0, 1), NLP, texts, relations=relations)


def test_columns_are_those_of_the_components() -> None:
    assert to_table([]).column_names == list(MENTION)
    assert list(mention_columns(said=True, linked=True)) == [*MENTION, *SAID, *CONCEPT]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"label": None}, "lacks label; it has note_id, start, end"),
        ({"note_id": "other"}, "none of the texts"),
        ({"end": 99}, "holds no word of the text of 3 characters"),
        ({"start": -1}, "holds no word"),
    ],
)
def test_a_table_that_does_not_fit(change: dict[str, object], sentence: str) -> None:
    row = {"note_id": "a", "start": 0, "end": 3, "label": "L", **change}
    table = pa.Table.from_pylist([{name: value for name, value in row.items() if value is not None}])
    with pytest.raises(ClinnerError, match=sentence):
        from_table(table, NLP, {"a": "tos"})


def test_without_pyarrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ClinnerError, match=r"clinner-spacy\[tables\]"):
        to_table([])
