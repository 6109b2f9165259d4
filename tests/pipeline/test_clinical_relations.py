from __future__ import annotations

import logging
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span, SpanGroup
from spacy.training import Example

from clinner_spacy.errors import ClinnerError
from tests.pipeline.conftest import HASH_EMBED_CNN
from tests.tiny import save_encoder, save_relations

SPAN_PAIRS = {
    "@architectures": "clinner.SpanPairs.v1",
    "tok2vec": HASH_EMBED_CNN,
    "width": 32,
    "hidden": 32,
    "rows": 500,
}

#: Spans as (text, label), relations as (head, tail, label).
NOTES = [
    (
        "Toma ibuprofeno 600 mg y paracetamol 500 mg al día.",
        [("ibuprofeno", "DRUG"), ("600 mg", "DOSE"), ("paracetamol", "DRUG"), ("500 mg", "DOSE"), ("al día", "FREQ")],
        [(0, 1, "Has_Dose"), (2, 3, "Has_Dose"), (2, 4, "Has_Frequency")],
    ),
    (
        "Sin dolor abdominal. Refiere tos.",
        [("Sin", "NEG"), ("dolor abdominal", "SYMPTOM"), ("abdominal", "ANAT"), ("tos", "SYMPTOM")],
        [(0, 1, "Negation"), (2, 1, "Location_of")],
    ),
    ("Sin hallazgos.", [], []),
]


def with_spans(nlp: Language, text: str, spans: list[tuple[str, str]], key: str = "sc") -> Doc:
    doc = nlp.make_doc(text)
    found = [doc.char_span(text.index(mention), text.index(mention) + len(mention), label) for mention, label in spans]
    doc.spans[key] = SpanGroup(doc, name=key, spans=found)
    return doc


def gold(nlp: Language, text: str, spans: list, relations: list) -> Example:
    reference = with_spans(nlp, text, spans)
    reference._.relations = [{"head": h, "tail": t, "label": label} for h, t, label in relations]
    return Example(nlp.make_doc(text), reference)


def build(config: dict | None = None, examples: list | None = None, steps: int = 50) -> Language:
    spacy.util.fix_random_seed(0)
    nlp = spacy.blank("es")
    nlp.add_pipe("clinical_relations", config={"model": SPAN_PAIRS, **(config or {})})
    train = [gold(nlp, *note) for note in examples or NOTES]
    optimizer = nlp.initialize(lambda: train)
    for _ in range(steps):
        nlp.update(train, sgd=optimizer)
    return nlp


def found(doc: Doc) -> set[tuple[int, int, str]]:
    return {(r["head"], r["tail"], r["label"]) for r in doc._.relations}


def unscored(relation: dict) -> dict:
    return {key: relation[key] for key in ("head", "tail", "label")}


def annotated(nlp: Language) -> list[Doc]:
    return [nlp(with_spans(nlp, text, spans)) for text, spans, _ in NOTES]


@pytest.fixture(scope="module")
def nlp() -> Language:
    return build()


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Path:
    return save_relations(tmp_path_factory.mktemp("published") / "mbert")


def test_learns_relations_by_heart_and_writes_plain_dicts(nlp):
    for doc, (_, _, relations) in zip(annotated(nlp), NOTES, strict=True):
        assert found(doc) == set(relations)
        assert isinstance(doc._.relations, list)
        for relation in doc._.relations:
            assert {key: type(value) for key, value in relation.items()} == {
                **{"head": int, "tail": int},
                **{"label": str, "score": float},
            }
            assert 0.5 <= relation["score"] <= 1


def test_relations_of_a_span(nlp):
    doc = annotated(nlp)[0]
    related = doc._.relations_of(doc.spans["sc"][2])
    assert [(r.label, r.head.text, r.tail.text) for r in related] == [
        ("Has_Dose", "paracetamol", "500 mg"),
        ("Has_Frequency", "paracetamol", "al día"),
    ]
    assert doc._.relations_of(doc[5:6]) == []  # the same words without the label
    assert len(doc._.relations_of()) == 3


def test_survives_bytes_docbin_and_processes(nlp):
    docs = annotated(nlp)
    for doc, back in zip(docs, DocBin(docs=docs, store_user_data=True).get_docs(nlp.vocab), strict=True):
        assert list(back._.relations) == doc._.relations
        assert Doc(nlp.vocab).from_bytes(doc.to_bytes())._.relations == doc._.relations
    texts = [with_spans(nlp, text, spans) for text, spans, _ in NOTES]
    for doc, other in zip(docs, nlp.pipe(texts, n_process=2, batch_size=1), strict=True):
        assert found(other) == found(doc)


def test_saved_and_loaded(nlp, tmp_path):
    nlp.to_disk(tmp_path / "saved")
    loaded = spacy.load(tmp_path / "saved")
    copied = spacy.blank("es")
    copied.add_pipe("clinical_relations", config={"model": SPAN_PAIRS})
    copied.from_bytes(nlp.to_bytes())
    for other in (loaded, copied):
        assert [doc._.relations for doc in annotated(other)] == [doc._.relations for doc in annotated(nlp)]
        assert other.get_pipe("clinical_relations").cfg == nlp.get_pipe("clinical_relations").cfg
    files = {path.suffix for path in (tmp_path / "saved" / "clinical_relations").iterdir()}
    assert files == {"", ".safetensors"}


def test_keeps_the_pairs_of_its_training_data(nlp):
    component = nlp.get_pipe("clinical_relations")
    assert component.labels == ("Has_Dose", "Has_Frequency", "Location_of", "Negation")
    assert component.limits.pairs == {("DRUG", "DOSE"), ("DRUG", "FREQ"), ("NEG", "SYMPTOM"), ("ANAT", "SYMPTOM")}
    assert component.label_data == {"labels": list(component.labels), "pairs": component.cfg["pairs"]}


def test_pairs_narrow_and_the_threshold_leaves_out(nlp, tmp_path):
    nlp.to_disk(tmp_path / "saved")
    at = "components.clinical_relations"
    narrow = spacy.load(tmp_path / "saved", config={f"{at}.pairs": [["DRUG", "FREQ"], ["DRUG", "SYMPTOM"]]})
    assert found(annotated(narrow)[0]) == {(2, 4, "Has_Frequency")}
    none = spacy.load(tmp_path / "saved", config={f"{at}.threshold": 1.0})
    assert annotated(none)[0]._.relations == []
    every = spacy.load(tmp_path / "saved", config={f"{at}.threshold": 0.0})
    assert len(annotated(every)[0]._.relations) == 2 * 2 + 2


def test_pairs_that_are_left_out_are_still_seen_by_the_others(nlp, tmp_path):
    nlp.to_disk(tmp_path / "saved")
    at = "components.clinical_relations"
    every = spacy.load(tmp_path / "saved", config={f"{at}.threshold": 0.0})
    narrow = spacy.load(tmp_path / "saved", config={f"{at}.threshold": 0.0, f"{at}.pairs": [["DRUG", "DOSE"]]})
    score_of = {(r["head"], r["tail"]): r["score"] for r in annotated(every)[0]._.relations}
    kept = {(r["head"], r["tail"]): r["score"] for r in annotated(narrow)[0]._.relations}
    assert kept and kept == {pair: score_of[pair] for pair in kept}
    assert set(kept) == {(0, 1), (0, 3), (2, 1), (2, 3)}


def test_initializing_without_relations_changes_nothing(nlp, tmp_path):
    nlp.to_disk(tmp_path / "saved")
    again = spacy.load(tmp_path / "saved")
    component = again.get_pipe("clinical_relations")
    for examples in ([gold(again, *NOTES[2])], [gold(again, NOTES[0][0], NOTES[0][1], [])]):
        component.initialize(lambda examples=examples: examples, nlp=again)
        assert [found(doc) for doc in annotated(again)] == [found(doc) for doc in annotated(nlp)]


def test_documents_are_read_in_batches_of_words(nlp, monkeypatch):
    component = nlp.get_pipe("clinical_relations")
    docs = [with_spans(nlp, text, spans) for text, spans, _ in NOTES * 3]
    together = component.predict(docs)
    monkeypatch.setattr("clinner_spacy.pipeline.saved.MAX_WORDS", 12)
    apart = component.predict(iter(docs))
    assert [[unscored(r) for r in doc] for doc in apart] == [[unscored(r) for r in doc] for doc in together]


def test_what_stands_there_stays(nlp):
    doc = with_spans(nlp, *NOTES[0][:2])
    doc._.relations = ({"head": 0, "tail": 4, "label": "Rule"}, {"head": 0, "tail": 1, "label": "Has_Dose"})
    nlp.get_pipe("clinical_relations")(doc)
    assert doc._.relations[0] == {"head": 0, "tail": 4, "label": "Rule"}
    assert len(doc._.relations) == 4


def test_scores_end_to_end_and_with_gold_spans(nlp):
    scores = nlp.evaluate([gold(nlp, *note) for note in NOTES])
    assert scores["relations_gold_f"] == 1
    assert scores["relations_f"] == 0  # nothing before it finds spans
    examples = [Example(with_spans(nlp, text, spans), gold(nlp, text, spans, r).reference) for text, spans, r in NOTES]
    assert nlp.evaluate(examples)["relations_f"] == 1


def test_gold_on_other_words_is_carried_over_by_characters(nlp):
    text, _, relations = NOTES[1]
    words = ["Sin", "dolor", "abdo", "minal", ".", "Refiere", "tos", "."]
    reference = Doc(nlp.vocab, words=words, spaces=[True, True, False, False, True, True, False, False])
    places = [(0, 1, "NEG"), (1, 4, "SYMPTOM"), (2, 4, "ANAT"), (6, 7, "SYMPTOM")]
    reference.spans["sc"] = SpanGroup(reference, name="sc", spans=[Span(reference, *place) for place in places])
    reference._.relations = [{"head": h, "tail": t, "label": label} for h, t, label in relations]
    assert nlp.evaluate([Example(nlp.make_doc(text), reference)])["relations_gold_f"] == 1


def test_negatives_are_sampled(nlp):
    sampled = build({"negatives": 1.0})
    assert [found(doc) for doc in annotated(sampled)] == [found(doc) for doc in annotated(nlp)]
    candidates, targets, weights = sampled.get_pipe("clinical_relations")._training_pairs(gold(sampled, *NOTES[0]))
    assert len(candidates.heads) == len(targets) == len(weights) == 6  # the others of a pair are seen, but not learned
    assert (weights > 0).tolist() == targets.any(axis=1).tolist()
    assert 3 < (weights > 0).sum() < 7


def test_relations_out_of_reach_are_told(caplog):
    with caplog.at_level(logging.INFO, logger="spacy"):
        build({"max_distance": 0}, steps=0)
    assert "1 of 5 gold relations are not between candidates" in caplog.text


def test_shares_an_encoder_also_where_nothing_is_annotated(tmp_path):
    spacy.util.fix_random_seed(0)
    nlp = spacy.blank("es")
    nlp.add_pipe("tok2vec", config={"model": HASH_EMBED_CNN})
    listener = {"@architectures": "spacy.Tok2VecListener.v1", "width": 32}
    nlp.add_pipe("clinical_relations", config={"model": {**SPAN_PAIRS, "tok2vec": listener}})
    train = [gold(nlp, *note) for note in NOTES] + [Example(nlp.make_doc("x y"), nlp.make_doc("x y"))]
    optimizer = nlp.initialize(lambda: train)
    for _ in range(50):
        nlp.update(train, sgd=optimizer)
    nlp.update(train[-1:], sgd=optimizer)
    assert nlp.evaluate(train)["relations_gold_f"] == 1
    nlp.to_disk(tmp_path / "saved")
    assert found(annotated(spacy.load(tmp_path / "saved"))[0]) == set(NOTES[0][2])


class TestPublished:
    TYPES = MappingProxyType(
        {"DRUG": "CHE", "DOSE": "CHE", "FREQ": "CHE", "NEG": "LIV", "SYMPTOM": "DIS", "ANAT": "LIV"}
    )

    def nlp(self, published: Path, **config) -> Language:
        nlp = spacy.blank("es")
        nlp.add_pipe("clinical_relations", config={"checkpoint": str(published), "types": dict(self.TYPES), **config})
        return nlp

    def test_every_pair_of_a_sentence_is_a_candidate(self, published):
        docs = annotated(self.nlp(published, threshold=0.0))
        assert [len(doc._.relations) for doc in docs] == [20, 6, 0]
        assert {r["label"] for doc in docs for r in doc._.relations} <= {"Has_Dose", "Used_for"}

    def test_pairs_narrow(self, published):
        doc = annotated(self.nlp(published, threshold=0.0, pairs=[["DRUG", "DOSE"]]))[0]
        assert [(r["head"], r["tail"]) for r in doc._.relations] == [(0, 1), (0, 3), (2, 1), (2, 3)]

    def test_saved_with_its_weights(self, published, tmp_path):
        nlp = self.nlp(published, precision="fp32")
        nlp.to_disk(tmp_path / "saved")
        own = tmp_path / "saved" / "clinical_relations"
        assert not any(str(published.parent).encode() in file.read_bytes() for file in own.iterdir())
        config = (tmp_path / "saved" / "config.cfg").read_text().replace(str(published), "gone")
        (tmp_path / "saved" / "config.cfg").write_text(config)
        loaded = spacy.load(tmp_path / "saved")
        assert [doc._.relations for doc in annotated(loaded)] == [doc._.relations for doc in annotated(nlp)]

    def test_a_saved_pipeline_reads_as_asked(self, published, tmp_path):
        self.nlp(published, precision="fp32").to_disk(tmp_path / "saved")
        at = "components.clinical_relations"
        loaded = spacy.load(tmp_path / "saved", config={f"{at}.window": 32, f"{at}.precision": "bf16"})
        model = loaded.get_pipe("clinical_relations").model
        assert (model.shims[0].settings.window, model.shims[0].settings.precision) == (32, "bf16")

    def test_trained_on(self, published):
        nlp = self.nlp(published, precision="fp32")
        notes = [(text, spans, [(h, t, "Used_for") for h, t, _ in relations]) for text, spans, relations in NOTES]
        train = [gold(nlp, *note) for note in notes]
        optimizer = nlp.initialize(lambda: train)
        assert nlp.get_pipe("clinical_relations").labels == ("Has_Dose", "Used_for")
        losses = [nlp.update(train, sgd=optimizer)["clinical_relations"] for _ in range(20)]
        assert losses[-1] < losses[0]

    def test_unknown_types_are_refused_with_those_there_are(self, published):
        nlp = spacy.blank("es")
        nlp.add_pipe("clinical_relations", config={"checkpoint": str(published)})
        with pytest.raises(ClinnerError, match="CHE, DIS, LIV"):
            annotated(nlp)


def test_markers_from_an_encoder_without_them(tmp_path):
    spacy.util.fix_random_seed(0)
    encoder = save_encoder(tmp_path / "encoder", "bert")
    model = {"@architectures": "clinner.EntityMarkers.v1", "name": str(encoder), "precision": "fp32"}
    nlp = build({"model": model}, steps=5)
    shim = nlp.get_pipe("clinical_relations").model.shims[0]
    assert shim.encoder.pieces.tokenizer.token_to_id("</O:SYMPTOM>") is not None
    assert shim.encoder.config.vocab_size == shim.encoder.pieces.size
    nlp.to_disk(tmp_path / "saved")
    scores = [doc._.relations for doc in annotated(nlp)]
    assert [doc._.relations for doc in annotated(spacy.load(tmp_path / "saved"))] == scores


class TestErrors:
    def test_neither_model_nor_checkpoint(self):
        nlp = spacy.blank("es")
        nlp.add_pipe("clinical_relations")
        with pytest.raises(ClinnerError, match="neither a model nor a checkpoint"):
            nlp("x")

    @pytest.mark.parametrize(
        "config, match",
        [
            ({"checkpoint": "x", "model": SPAN_PAIRS}, "both"),
            ({"pairs": [["A", "B", "C"]]}, "pairs="),
            ({"max_distance": -1}, "max_distance=-1"),
        ],
    )
    def test_settings(self, config, match):
        with pytest.raises(ClinnerError, match=match):
            spacy.blank("es").add_pipe("clinical_relations", config=config)

    def test_training_data_without_relations(self):
        with pytest.raises(ClinnerError, match="no relations"):
            build(examples=[("Sin nada.", [("Sin", "NEG")], [])])


@pytest.mark.corpus
def test_reads_the_relations_of_a_corpus_and_learns_from_them(corpora):
    from clinner_spacy.corpora.readers import create_brat_reader

    nlp = spacy.blank("es")
    nlp.add_pipe("clinical_relations", config={"model": SPAN_PAIRS, "negatives": 4})
    train = list(create_brat_reader([str(corpora / "CT-EBM-SP" / "train")], limit=40)(nlp))
    spacy.util.fix_random_seed(0)
    optimizer = nlp.initialize(lambda: train)
    optimizer.learn_rate = 0.003
    order = np.random.default_rng(0)
    for _ in range(6):
        for n in order.permutation(len(train)):
            nlp.update([train[n]], sgd=optimizer)
    assert nlp.get_pipe("clinical_relations").score(train)["relations_gold_f"] > 0.5


def test_gold_beyond_the_text_is_told_in_a_sentence(nlp):
    example = gold(nlp, *NOTES[0])
    shorter = Example(nlp.make_doc("Toma ibuprofeno."), example.reference)
    with pytest.raises(ClinnerError, match=r"lies beyond the text it is of; the two texts differ"):
        nlp.get_pipe("clinical_relations").update([shorter])


def test_the_seed_decides_which_negatives_are_learned_from():
    drawn = []
    for seed in (1, 1, 2):
        nlp = spacy.blank("es")
        component = nlp.add_pipe("clinical_relations", config={"model": SPAN_PAIRS})
        examples = [gold(nlp, *note) for note in NOTES]
        spacy.util.fix_random_seed(seed)
        nlp.initialize(lambda examples=examples: examples)
        drawn.append(component._random.random())
    assert drawn[0] == drawn[1] != drawn[2]


def test_the_step_may_be_left_to_the_caller(nlp):
    component = nlp.get_pipe("clinical_relations")
    before = component.model.to_bytes()
    component.update([gold(nlp, *NOTES[0])], sgd=False)
    assert component.model.to_bytes() == before
