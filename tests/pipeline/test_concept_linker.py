"""The component: what it writes, that it survives, what it refuses, and that no mention is kept."""

from __future__ import annotations

import pickle
import re
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span, SpanGroup
from spacy.training import Example
from spacy.util import load_model_from_config

from clinner_spacy.errors import ClinnerError, WordsWarning
from clinner_spacy.linking.index import Index, build_index
from clinner_spacy.linking.learn import learn_ranking
from clinner_spacy.linking.linker import Linker, Mention
from clinner_spacy.linking.source import Source
from clinner_spacy.linking.store import save_source
from clinner_spacy.linking.terminology import Term, Terminology, read_terminology
from clinner_spacy.pipeline import concept_linker
from clinner_spacy.tables.found import mentions_of
from tests.linking.test_learn import MENTIONS, TERMS
from tests.terms import TABLE

TEXT = "Nódulos pulmonares y Fiebre, xyzw en su Radiografia de torax"
PLACES = [("Nódulos pulmonares", "DISEASE"), ("Fiebre", "SYMPTOM"), ("xyzw", "SYMPTOM"), ("Fiebre", "DISEASE")]
CODES = ["D2", "D3", "", "D3"]


@pytest.fixture
def index(table: Path) -> Index:
    return build_index(read_terminology(table), lang="es")


@pytest.fixture
def nlp(table: Path) -> Language:
    nlp = spacy.blank("es")
    nlp.add_pipe("concept_linker", config={"terms": str(table)})
    return nlp


def with_spans(nlp: Language, text: str = TEXT, places: list[tuple[str, str]] = PLACES) -> Doc:
    doc = nlp.make_doc(text)
    spans = [doc.char_span(text.index(m), text.index(m) + len(m), label) for m, label in places]
    doc.spans["sc"] = SpanGroup(doc, name="sc", spans=spans, attrs={"scores": [0.5] * len(places)})
    return doc


def linked(doc: Doc) -> list[str]:
    codes = doc.spans["sc"].attrs["codes"]
    assert codes == [span.kb_id_ for span in doc.spans["sc"]]
    return codes


def test_what_is_written(nlp: Language) -> None:
    doc = with_spans(nlp)
    doc.set_ents([doc.spans["sc"][1], doc.char_span(TEXT.index("Radio"), len(TEXT), "PROCEDURE")])
    doc = nlp.get_pipe("concept_linker")(doc)
    assert linked(doc) == CODES
    attrs = doc.spans["sc"].attrs
    assert attrs["scores"] == [0.5] * 4
    assert attrs["candidates"][0][0] == {"code": "D2", "term": "Nódulo pulmonar", "score": pytest.approx(0.95)}
    assert attrs["candidates"][2] == []
    assert [(ent.text, ent.kb_id_) for ent in doc.ents] == [("Fiebre", "D3"), ("Radiografia de torax", "P1")]


def test_tokens_outside_entities_stay_as_they_are(nlp: Language) -> None:
    doc = nlp.make_doc("Fiebre y tos")
    doc.set_ents([Span(doc, 0, 1, "SYMPTOM")], blocked=[doc[1:2]], missing=[doc[2:3]])
    before = [token.ent_iob for token in doc]
    doc = nlp.get_pipe("concept_linker")(doc)
    assert [token.ent_iob for token in doc] == before
    assert doc.ents[0].kb_id_ == "D3"


@pytest.mark.parametrize(("had", "stays"), [("D2", ""), ("Q38933", "Q38933")])
def test_an_entity_keeps_only_codes_of_others(had: str, stays: str, nlp: Language) -> None:
    """D2 is a code of the terminology, which this component wrote before; Q38933 is none."""
    doc = nlp.make_doc("xyzw")
    doc.ents = [Span(doc, 0, 1, "SYMPTOM", kb_id=had)]
    assert [ent.kb_id_ for ent in nlp.get_pipe("concept_linker")(doc).ents] == [stays]


def test_tables_have_codes(nlp: Language) -> None:
    doc = nlp.get_pipe("concept_linker")(with_spans(nlp))
    found = {(m.label, doc.text[m.start : m.end]): m for m in mentions_of(doc)}
    assert found["DISEASE", "Nódulos pulmonares"][-3:] == ("D2", "Nódulo pulmonar", pytest.approx(0.95))
    assert found["SYMPTOM", "xyzw"][-3:] == ("", "", None)


def test_a_second_run_changes_nothing(nlp: Language) -> None:
    pipe = nlp.get_pipe("concept_linker")
    once = pipe(with_spans(nlp))
    attrs = dict(once.spans["sc"].attrs)
    assert dict(pipe(once).spans["sc"].attrs) == attrs


def test_a_document_with_nothing(nlp: Language) -> None:
    assert len(nlp("")) == 0 and "sc" not in nlp("Fiebre").spans


def test_below_the_threshold_there_is_no_code(table: Path) -> None:
    nlp = spacy.blank("es")
    nlp.add_pipe("concept_linker", config={"terms": str(table), "threshold": 0.97, "k": 1})
    doc = nlp.get_pipe("concept_linker")(with_spans(nlp))
    assert linked(doc) == ["", "D3", "", "D3"]
    assert [len(candidates) for candidates in doc.spans["sc"].attrs["candidates"]] == [1, 1, 0, 1]


def test_without_a_ranking_the_threshold_is_higher(nlp: Language, index: Index) -> None:
    asked = [("diabetes tipo 2", "DISEASE"), ("Fiebre", "DISEASE")]
    pipe = nlp.get_pipe("concept_linker")
    doc = pipe(with_spans(nlp, "diabetes tipo 2 y Fiebre", asked))
    assert linked(doc) == ["", "D3"] and 0.5 < doc.spans["sc"].attrs["candidates"][0][0]["score"] < 0.85
    pipe.threshold = 0.01  # what is asked for counts
    assert linked(pipe(doc)) == ["D1", "D3"]
    ranker = learn_ranking(Terminology(TERMS), MENTIONS, "es")
    assert (Linker(index).threshold, Linker(index, ranker=ranker).threshold) == (0.85, 0.5)


def test_labels_and_abbreviations(table: Path, tmp_path: Path) -> None:
    short = tmp_path / "short.tsv"
    short.write_text("abbreviation\tmeaning\nNP\tnódulo pulmonar\n", encoding="utf-8")
    nlp = spacy.blank("es")
    config = {"terms": str(table), "abbreviations": str(short), "labels": {"DISEASE": ["finding"], "X": ["disorder"]}}
    nlp.add_pipe("concept_linker", config=config)
    places = [("NP", "DISEASE"), ("NP", "X"), ("catarro", "X"), ("catarro", "DISEASE")]
    doc = nlp.get_pipe("concept_linker")(with_spans(nlp, "NP y catarro", places))
    assert linked(doc) == ["D2", "", "A2", ""]


def test_exact_characters_are_linked(nlp: Language) -> None:
    doc = with_spans(nlp, "hiperFiebre", [("hiperFiebre", "SYMPTOM")])
    doc.spans["sc"].attrs["characters"] = [[5, 11]]
    assert linked(nlp.get_pipe("concept_linker")(doc)) == ["D3"]


def test_survives_bytes_and_docbin(nlp: Language) -> None:
    doc = nlp.get_pipe("concept_linker")(with_spans(nlp))
    box = DocBin(store_user_data=True, docs=[doc])
    for vocab in (nlp.vocab, spacy.blank("es").vocab):
        again = Doc(vocab).from_bytes(doc.to_bytes())
        boxed = next(DocBin(store_user_data=True).from_bytes(box.to_bytes()).get_docs(vocab))
        for back in (again, boxed):
            assert linked(back) == CODES
            assert back.spans["sc"].attrs["candidates"] == doc.spans["sc"].attrs["candidates"]


def test_several_processes(nlp: Language) -> None:
    one, two = (
        [linked(doc) for doc in nlp.pipe([with_spans(nlp) for _ in range(5)], n_process=n, batch_size=2)]
        for n in (1, 2)
    )
    assert one == two == [CODES] * 5


def by_disk(nlp: Language, tmp_path: Path) -> Language:
    nlp.to_disk(tmp_path / "saved")
    return spacy.load(tmp_path / "saved")


def by_disk_twice(nlp: Language, tmp_path: Path) -> Language:
    """Into the very folder that the index is mapped from."""
    back = by_disk(nlp, tmp_path)
    return by_disk(back, tmp_path)


def by_bytes(nlp: Language, tmp_path: Path) -> Language:
    return load_model_from_config(nlp.config).from_bytes(nlp.to_bytes())


def by_pickle(nlp: Language, tmp_path: Path) -> Language:
    component = pickle.loads(pickle.dumps(nlp.get_pipe("concept_linker")))
    other = spacy.blank("es")
    other._components.append(("concept_linker", component))  # type: ignore[attr-defined]
    return other


@pytest.mark.parametrize("way", [by_disk, by_disk_twice, by_bytes, by_pickle])
@pytest.mark.parametrize("built", [False, True])
def test_saved_and_loaded(
    way: Callable[[Language, Path], Language],
    built: bool,
    table: Path,
    index: Index,
    tmp_path: Path,
) -> None:
    config = {"terms": str(table)}
    if built:
        folder = tmp_path / "index"
        folder.mkdir()
        ranker = learn_ranking(read_terminology(table), MENTIONS, "es")
        save_source(Source(index, ranker), folder)
        config["index"] = str(folder)
    nlp = spacy.blank("es")
    nlp.add_pipe("concept_linker", config=config)
    pipe = nlp.get_pipe("concept_linker")
    expected = dict(pipe(with_spans(nlp)).spans["sc"].attrs)
    back = way(nlp, tmp_path)
    table.unlink()  # a saved pipeline has its own copy
    assert dict(back.get_pipe("concept_linker")(with_spans(back)).spans["sc"].attrs) == expected


@pytest.mark.parametrize("setting", ["terms", "index", "abbreviations"])
def test_another_file_than_what_was_saved_is_refused(setting: str, nlp: Language, table: Path, tmp_path: Path) -> None:
    nlp.to_disk(tmp_path / "saved")
    saved = repr(str(table)) if setting == "terms" else "None"
    message = re.escape(f"{setting}='new.tsv' of component 'concept_linker' has no effect") + ".*" + re.escape(saved)
    with pytest.raises(ClinnerError, match=message):
        spacy.load(tmp_path / "saved", config={f"components.concept_linker.{setting}": "new.tsv"})
    config = nlp.config.merge({"components": {"concept_linker": {setting: "new.tsv"}}})
    with pytest.raises(ClinnerError, match=message):
        load_model_from_config(config).from_bytes(nlp.to_bytes())
    spacy.load(tmp_path / "saved", config={f"components.concept_linker.{setting}": None})


def test_damaged_settings(nlp: Language, tmp_path: Path) -> None:
    nlp.to_disk(tmp_path / "saved")
    (tmp_path / "saved" / "concept_linker" / "settings.json").write_text('{"files": {}}')
    with pytest.raises(ClinnerError, match=r"settings\.json is missing or damaged"):
        spacy.load(tmp_path / "saved")


def test_no_mention_is_saved(nlp: Language, tmp_path: Path) -> None:
    pipe = nlp.get_pipe("concept_linker")
    pipe(with_spans(nlp, "Paciente Zyxwvut con fiebre", [("Zyxwvut", "SYMPTOM")]))
    assert any("Zyxwvut" in mention.text for mention in pipe._cache)
    pipe.to_disk(tmp_path / "saved")
    assert b"Zyxwvut" not in b"".join(path.read_bytes() for path in (tmp_path / "saved").iterdir())
    assert b"Zyxwvut" not in pipe.to_bytes()
    pipe.vocab = spacy.blank("es").vocab  # spaCy's own, which keeps words
    assert b"Zyxwvut" not in pickle.dumps(pipe)


def test_a_warning_that_the_vocabulary_keeps_words(nlp: Language, tmp_path: Path) -> None:
    nlp("Zyxwvut")
    with pytest.warns(WordsWarning):
        nlp.to_disk(tmp_path / "saved")
    with pytest.warns(WordsWarning):
        nlp.to_bytes()


def test_what_is_read_in_a_memory_zone_gives_no_warning(nlp: Language, tmp_path: Path) -> None:
    with nlp.memory_zone():
        nlp("Zyxwvut")
    with warnings.catch_warnings():
        warnings.simplefilter("error", WordsWarning)
        nlp.to_disk(tmp_path / "saved")
    assert b"Zyxwvut" not in (tmp_path / "saved" / "vocab" / "strings.json").read_bytes()


def test_what_is_remembered_is_bounded(nlp: Language, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(concept_linker, "CACHED", 3)
    pipe = nlp.get_pipe("concept_linker")
    for n in range(10):
        pipe(with_spans(nlp, f"fiebre{n}", [(f"fiebre{n}", "SYMPTOM")]))
        assert 0 < len(pipe._cache) <= 3
    pipe.candidates([Mention(f"tos{n}") for n in range(5)])
    assert len(pipe._cache) == 3


def test_k_changes_what_is_written_and_no_score(tmp_path: Path) -> None:
    path = tmp_path / "alike.tsv"
    path.write_text("code\tterm\nA\tfiebre alta\nB\tfiebre baja\n", encoding="utf-8")
    nlp = spacy.blank("es")
    nlp.add_pipe("concept_linker", config={"terms": str(path), "k": 1})
    pipe = nlp.get_pipe("concept_linker")
    gold = with_spans(nlp, "fiebre alto", [("fiebre alto", "X")])
    gold.spans["sc"].attrs["codes"] = ["B"]
    for k in (1, 2, 1):
        pipe.k = k
        doc = pipe(with_spans(nlp, gold.text, [("fiebre alto", "X")]))
        assert len(doc.spans["sc"].attrs["candidates"][0]) == k
        scores = nlp.evaluate([Example(nlp.make_doc(gold.text), gold)])
        assert (scores["codes_accuracy"], scores["codes_accuracy_5"], scores["codes_mrr"]) == (0, 1, 0.5)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"threshold": 2}, "threshold"),
        ({"k": 0}, "k=0 of component 'concept_linker' is below 1"),
        ({"stages": ["guess"]}, r"stages=\['guess'\] .* must be of exact, inflected, fuzzy, encoder"),
        ({"stages": []}, r"stages=\[\]"),
    ],
)
def test_settings_refused(config: dict, message: str) -> None:
    with pytest.raises(ClinnerError, match=message):
        spacy.blank("es").add_pipe("concept_linker", config=config)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "has nothing to link to; set terms"),
        ({"terms": "nowhere.tsv"}, r"nowhere\.tsv cannot be read"),
        ({"index": "nowhere"}, r"index\.json cannot be read"),
        ({"labels": {"X": ["guess"]}}, "names 'guess', which no term has; the terms have disorder, finding, procedure"),
        ({"abbreviations": "nowhere.tsv"}, r"nowhere\.tsv cannot be read"),
    ],
)
def test_refused_at_first_use(config: dict, message: str, table: Path) -> None:
    nlp = spacy.blank("es")
    if "labels" in config or "abbreviations" in config:
        config = config | {"terms": str(table)}
    nlp.add_pipe("concept_linker", config=config)
    with pytest.raises(ClinnerError, match=message):
        nlp("Fiebre")


def test_an_index_of_other_terms(table: Path, index: Index, tmp_path: Path) -> None:
    folder = tmp_path / "index"
    folder.mkdir()
    save_source(Source(index), folder)
    table.write_text(TABLE + "E1\tAsma\tdisorder\tes\t0\n", encoding="utf-8")
    nlp = spacy.blank("es")
    nlp.add_pipe("concept_linker", config={"terms": str(table), "index": str(folder)})
    with pytest.raises(ClinnerError, match=index.about["fingerprint"][:16]) as error:
        nlp("Fiebre")
    assert read_terminology(table).fingerprint[:16] in str(error.value)


def test_damaged_bytes(nlp: Language) -> None:
    pipe = nlp.get_pipe("concept_linker")
    for damaged in (b"", b"\x80", pipe.to_bytes()[:-100]):
        with pytest.raises(ClinnerError, match="is damaged"):
            pipe.from_bytes(damaged)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)).map(sorted), max_size=6))
def test_any_spans(places: list[list[int]]) -> None:
    """Overlapping, repeated, without words, of the whole document."""
    nlp = spacy.blank("es")
    doc = nlp.make_doc(TEXT)
    doc.spans["sc"] = [Span(doc, min(s, len(doc)), min(e, len(doc)), "X") for s, e in places]
    before = [(span.start, span.end, span.label_) for span in doc.spans["sc"]]
    component = linker_of(nlp)
    doc = component(doc)
    assert [(span.start, span.end, span.label_) for span in doc.spans["sc"]] == before
    for code, candidates in zip(linked(doc), doc.spans["sc"].attrs["candidates"], strict=True):
        assert not code or (candidates[0]["code"] == code and candidates[0]["score"] >= 0.5)


def linker_of(nlp: Language) -> concept_linker.ConceptLinker:
    component = concept_linker.ConceptLinker(nlp, "linker", {"terms": None, "index": None, "abbreviations": None})
    component._set(Source(build_index(Terminology([Term("D3", "fiebre"), Term("P1", "torax")]), lang="es")), {})
    return component
