"""The component as a spaCy user meets it: trained, called, piped, saved, changed."""

from __future__ import annotations

import pickle

import pytest
import spacy
from spacy.tokens import Doc, DocBin, Span, SpanGroup

from clinner_spacy.errors import ClinnerError

from .conftest import HASH_EMBED_CNN, NOTES, gold, tagger, train

TEXTS = [text for text, _ in NOTES]


def found(doc: Doc) -> set[tuple[str, str]]:
    return {(span.label_, span.text) for span in doc.spans["sc"]}


def expected(mentions: dict[str, list[str]]) -> set[tuple[str, str]]:
    return {(task.upper(), mention) for task, spans in mentions.items() for mention in spans}


def same(doc: Doc, other: Doc) -> bool:
    return found(doc) == found(other) and (doc.spans["sc"].attrs["scores"] == other.spans["sc"].attrs["scores"]).all()


@pytest.mark.parametrize(("text", "mentions"), NOTES)
def test_finds_what_it_learned(nlp, text, mentions):
    doc = nlp(text)
    assert expected(mentions) <= found(doc)
    assert len(doc.spans["sc"].attrs["scores"]) == len(doc.spans["sc"])
    assert all(0 < score <= 1 for score in doc.spans["sc"].attrs["scores"])
    assert {(ent.label_, ent.text) for ent in doc.ents} <= found(doc)


def test_a_task_absent_from_a_reference_teaches_nothing_there(nlp):
    ner = nlp.get_pipe("multiclin_ner")
    example = gold(nlp, *NOTES[1])  # holds procedures and no diseases; symptoms are unknown
    scores, _ = ner.model.begin_update([example.predicted])
    _, gradient = ner.get_loss([example], scores)
    columns = ner.tagset.columns
    assert gradient[0][:, columns["procedure"]].any() and gradient[0][:, columns["disease"]].any()
    assert not gradient[0][:, columns["symptom"]].any()


def test_spacy_knows_it(nlp):
    assert nlp.pipe_labels["multiclin_ner"] == ["DISEASE", "PROCEDURE", "SYMPTOM"]
    analysis = nlp.analyze_pipes()["summary"]["multiclin_ner"]
    assert set(analysis["assigns"]) == {"doc.spans", "doc.ents"}
    assert set(analysis["scores"]) >= {"spans_sc_f", "spans_sc_char_f"}
    scores = nlp.evaluate([gold(nlp, *note) for note in NOTES])
    assert scores["spans_sc_f"] > 0.9 and scores["disease_f"] == 1.0


def test_labels_of_the_embedded_model_are_known_before_it_is_read():
    nlp = spacy.blank("en")
    ner = nlp.add_pipe("multiclin_ner")
    assert set(nlp.pipe_labels["multiclin_ner"]) == {"DISEASE", "SYMPTOM", "PROCEDURE", "DRUG"}
    assert ner.model is None


@pytest.mark.parametrize("lang", ["es", "it", "ro", "en", "nl", "sv", "cs", "xx"])
def test_the_embedded_model_in_every_language(lang):
    nlp = spacy.blank(lang)
    nlp.add_pipe("multiclin_ner")
    doc = nlp("Diabetes mellitus, fiebre. Patient with fever and diabetes mellitus; computed tomography.")
    assert {"DISEASE", "SYMPTOM", "PROCEDURE", "DRUG"} >= {span.label_ for span in doc.spans["sc"]} >= {"DISEASE"}


def test_pipe_batches_and_processes_agree_with_calls(nlp):
    one_by_one = [nlp(text) for text in TEXTS]
    for docs in (nlp.pipe(TEXTS, batch_size=2), nlp.pipe(TEXTS, n_process=2, batch_size=1)):
        assert all(same(doc, other) for doc, other in zip(docs, one_by_one, strict=True))


@pytest.mark.parametrize("words", [1, 12, 1000])
def test_batches_by_words_change_nothing(nlp, monkeypatch, words):
    texts = ["", *TEXTS, " ", *reversed(TEXTS)]
    expected = [nlp(text) for text in texts]
    monkeypatch.setattr("clinner_spacy.pipeline.saved.MAX_WORDS", words)
    assert all(same(doc, other) for doc, other in zip(nlp.pipe(texts), expected, strict=True))


def test_pickles_for_processes_that_are_spawned(nlp):
    assert same(pickle.loads(pickle.dumps(nlp))(TEXTS[0]), nlp(TEXTS[0]))


@pytest.mark.parametrize("annotate", ["spans", "both"])
def test_scores_what_stands_under_its_own_key(nlp, tmp_path, annotate):
    nlp.to_disk(tmp_path / "saved")
    config = {"components.multiclin_ner.spans_key": "cl", "components.multiclin_ner.annotate": annotate}
    scores = spacy.load(tmp_path / "saved", config=config).evaluate([gold(nlp, *NOTES[0])])
    assert scores["spans_cl_f"] == scores["disease_f"] == 1.0


def test_what_the_card_says_goes_along_with_the_weights(tmp_path):
    nlp = spacy.blank("es")
    nlp.add_pipe("multiclin_ner")
    nlp.to_disk(tmp_path / "saved")
    assert spacy.load(tmp_path / "saved").get_pipe("multiclin_ner").about["license"] == "CC BY-SA 4.0"


def test_docs_travel(nlp):
    doc = nlp(TEXTS[0])
    back = Doc(nlp.vocab).from_bytes(doc.to_bytes())
    assert same(doc, back)
    (binned,) = DocBin(docs=[doc]).get_docs(nlp.vocab)
    assert same(doc, binned)


def test_saved_pipelines_predict_the_same(nlp, tmp_path):
    nlp.to_disk(tmp_path / "saved")
    loaded = spacy.load(tmp_path / "saved")
    from_bytes = spacy.util.load_model_from_config(nlp.config).from_bytes(nlp.to_bytes())
    as_checkpoint = spacy.blank("es")
    as_checkpoint.add_pipe("multiclin_ner", config={"checkpoint": str(tmp_path / "saved")})
    as_checkpoint.to_disk(tmp_path / "again")
    again = spacy.load(tmp_path / "again")
    for other in (loaded, from_bytes, as_checkpoint, again):
        assert all(same(nlp(text), other(text)) for text in TEXTS)


def test_saved_without_pickle(nlp, tmp_path):
    nlp.to_disk(tmp_path / "saved")
    files = {path.name for path in (tmp_path / "saved" / "multiclin_ner").iterdir()}
    assert files == {"cfg", "model.safetensors"}


@pytest.mark.parametrize("annotate", ["spans", "ents", "both"])
def test_annotate(nlp, tmp_path, annotate):
    nlp.to_disk(tmp_path / "saved")
    other = spacy.load(tmp_path / "saved", config={"components.multiclin_ner.annotate": annotate})
    doc = other(TEXTS[0])
    assert ("sc" in doc.spans) == (annotate != "ents")
    assert bool(doc.ents) == (annotate != "spans")
    assert other.evaluate([gold(nlp, *NOTES[0])])["spans_sc_f"] > 0.5


def test_threshold_leaves_out_what_scores_less(nlp, tmp_path):
    nlp.to_disk(tmp_path / "saved")
    scores = sorted(nlp(TEXTS[0]).spans["sc"].attrs["scores"])
    strict = spacy.load(tmp_path / "saved", config={"components.multiclin_ner.threshold": float(scores[-1])})
    assert list(strict(TEXTS[0]).spans["sc"].attrs["scores"]) == [scores[-1]]


def test_spans_key_and_two_instances_that_share_it(nlp, tmp_path):
    nlp.to_disk(tmp_path / "saved")
    both = spacy.blank("es")
    for task in ("disease", "symptom"):
        config = {"checkpoint": str(tmp_path / "saved"), "task": task, "spans_key": "clinical"}
        both.add_pipe("multiclin_ner", name=task, config=config)
    doc = both(TEXTS[0])
    assert [s.label_ for s in doc.spans["clinical"]] == ["DISEASE", "SYMPTOM"]
    assert len(doc.spans["clinical"].attrs["scores"]) == 2


def test_what_stands_there_already_is_kept(nlp):
    ner = nlp.get_pipe("multiclin_ner")
    doc = nlp.make_doc(TEXTS[0])
    doc.spans["sc"] = SpanGroup(doc, name="sc", spans=[Span(doc, 0, 1, "PERSON"), Span(doc, 2, 3, "SYMPTOM")])
    doc.ents = [Span(doc, 4, 5, "WORD")]
    ner(doc)
    assert [(s.label_, s.text) for s in doc.spans["sc"]] == [
        ("PERSON", "Paciente"),
        ("SYMPTOM", "fiebre"),
        ("DISEASE", "diabetes mellitus tipo 2"),
    ]
    assert list(doc.spans["sc"].attrs["scores"][:2]) == [1.0, 1.0]
    assert [(e.label_, e.text) for e in doc.ents] == [("SYMPTOM", "fiebre"), ("WORD", "diabetes")]


def test_add_label_keeps_what_was_learned(nlp, tmp_path):
    nlp.to_disk(tmp_path / "saved")
    grown = spacy.load(tmp_path / "saved")
    ner = grown.get_pipe("multiclin_ner")
    assert ner.add_label("DRUG") == 1 and ner.add_label("DRUG") == 0
    ner.add_task("disease", ["SYNDROME"])
    assert ner.tasks["drug"] == ["DRUG"] and ner.tasks["disease"] == ["DISEASE", "SYNDROME"]
    assert all(expected(mentions) <= found(grown(text)) for text, mentions in NOTES)
    grown.to_disk(tmp_path / "grown")
    assert same(spacy.load(tmp_path / "grown")(TEXTS[0]), grown(TEXTS[0]))


def test_training_on_from_a_saved_pipeline(nlp, tmp_path):
    nlp.to_disk(tmp_path / "saved")
    more = spacy.blank("es")
    more.add_pipe("multiclin_ner", config={"checkpoint": str(tmp_path / "saved")})
    drug = gold(more, "Toma ibuprofeno.", {"drug": ["ibuprofeno"]})
    train(more, [drug, *(gold(more, *note) for note in NOTES)])
    assert ("DRUG", "ibuprofeno") in found(more("Toma ibuprofeno."))
    assert all(expected(mentions) <= found(more(text)) for text, mentions in NOTES)


@pytest.mark.parametrize("transitions", [False, True])
def test_transitions_are_learned_where_asked(transitions):
    nlp = spacy.blank("es")
    nlp.add_pipe("multiclin_ner", config={"checkpoint": None, "model": tagger(transitions=transitions)})
    train(nlp, [gold(nlp, *note) for note in NOTES])
    assert nlp.get_pipe("multiclin_ner").model.has_param("T") is (True if transitions else None)
    assert all(expected(mentions) <= found(nlp(text)) for text, mentions in NOTES)


def test_the_embedded_model_is_saved_as_it_is(tmp_path):
    nlp = spacy.blank("es")
    nlp.add_pipe("multiclin_ner")  # its transitions matter to every score
    expected = [nlp(text) for text in TEXTS]
    nlp.to_disk(tmp_path / "saved")
    saved = spacy.load(tmp_path / "saved")
    assert all(same(saved(text), doc) for text, doc in zip(TEXTS, expected, strict=True))


def test_listens_to_a_shared_encoder(tmp_path):
    nlp = spacy.blank("es")
    nlp.add_pipe("tok2vec", config={"model": HASH_EMBED_CNN})
    listener = {"@architectures": "spacy.Tok2VecListener.v1", "width": 32}
    nlp.add_pipe("multiclin_ner", config={"checkpoint": None, "model": tagger(listener)})
    train(nlp, [gold(nlp, *note) for note in NOTES])
    assert all(expected(mentions) <= found(nlp(text)) for text, mentions in NOTES)
    nlp.to_disk(tmp_path / "saved")
    assert same(spacy.load(tmp_path / "saved")(TEXTS[0]), nlp(TEXTS[0]))
    with pytest.raises(ClinnerError, match="shares its encoder"):
        lone = spacy.blank("es")
        lone.add_pipe("multiclin_ner", config={"checkpoint": str(tmp_path / "saved")})
        lone("x")


def test_gold_on_other_words_is_carried_over_by_characters(nlp):
    reference = Doc(nlp.vocab, words=["Paciente", "con", "fie", "bre", "."], spaces=[True, True, False, False, False])
    reference.spans["symptom"] = [Span(reference, 2, 3, "SYMPTOM")]
    from spacy.training import Example

    from clinner_spacy.ner.gold import gold_tags

    example = Example(nlp.make_doc("Paciente con fiebre."), reference)
    tags = gold_tags(example, nlp.get_pipe("multiclin_ner").tagset)
    assert tags[:, 2].tolist() == [0, 0, 1, 0]
    assert (tags[:, :2] == -1).all()


class TestErrors:
    def test_neither_model_nor_checkpoint(self):
        nlp = spacy.blank("es")
        nlp.add_pipe("multiclin_ner", config={"checkpoint": None})
        with pytest.raises(ClinnerError, match="neither a model nor a checkpoint"):
            nlp("x")

    def test_a_model_and_a_checkpoint(self):
        with pytest.raises(ClinnerError, match="both"):
            spacy.blank("es").add_pipe("multiclin_ner", config={"checkpoint": "x.pt", "model": tagger()})

    def test_training_data_without_span_groups(self):
        nlp = spacy.blank("es")
        nlp.add_pipe("multiclin_ner", config={"checkpoint": None, "model": tagger()})
        with pytest.raises(ClinnerError, match="no span group"):
            train(nlp, [gold(nlp, "Sin nada.", {})])

    def test_tasks_that_the_training_data_lacks(self):
        config = {"checkpoint": None, "model": tagger(), "tasks": {"diseases": ["DISEASE"]}}
        nlp = spacy.blank("es")
        nlp.add_pipe("multiclin_ner", config=config)
        with pytest.raises(ClinnerError, match=r"diseases.*disease, procedure"):
            train(nlp, [gold(nlp, *note) for note in NOTES])

    def test_a_label_that_the_task_lacks(self):
        nlp = spacy.blank("es")
        nlp.add_pipe("multiclin_ner", config={"checkpoint": None, "model": tagger(), "tasks": {"disease": ["ILLNESS"]}})
        with pytest.raises(ClinnerError, match=r"ILLNESS.*DISEASE"):
            train(nlp, [gold(nlp, *note) for note in NOTES])

    def test_tasks_beside_a_checkpoint(self):
        with pytest.raises(ClinnerError, match="choose with task"):
            spacy.blank("es").add_pipe("multiclin_ner", config={"tasks": {"disease": ["DISEASE"]}})

    def test_unknown_task_names_those_there_are(self, nlp, tmp_path):
        nlp.to_disk(tmp_path / "saved")
        other = spacy.blank("es")
        other.add_pipe("multiclin_ner", config={"checkpoint": str(tmp_path / "saved"), "task": "drug"})
        with pytest.raises(ClinnerError, match=r"drug.*disease.*procedure.*symptom"):
            other("x")

    def test_saved_from_another_architecture(self, nlp, tmp_path):
        nlp.to_disk(tmp_path / "saved")
        with pytest.raises(ClinnerError, match="another architecture"):
            spacy.load(tmp_path / "saved", config={"components.multiclin_ner.model.tok2vec.depth": 3})
