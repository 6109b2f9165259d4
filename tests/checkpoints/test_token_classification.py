from __future__ import annotations

import json

import numpy as np
import pytest
import spacy
import torch
from transformers import AutoModelForTokenClassification

from clinner_spacy.checkpoints import load_checkpoint
from clinner_spacy.encoders.encoder import read_pieces
from clinner_spacy.encoders.settings import EncoderSettings
from clinner_spacy.errors import ClinnerError
from clinner_spacy.ner.schemes import scheme_of, spans_of
from tests.tiny import KINDS, TEXT, save_tagger

SCHEMES = {
    "BIO": ("B-DRUG", "I-DRUG", "O", "B-FORM", "I-FORM"),
    "IO": ("O", "I-DRUG", "I-FORM"),
    "bare": ("DRUG", "FORM", "O"),
    "BILOU": ("O", "B-DRUG", "I-DRUG", "L-DRUG", "U-DRUG"),
    "BIOES": ("S-DRUG", "E-DRUG", "O", "I-DRUG", "B-DRUG"),
    "padded": ("[PAD]", "O", "B-DRUG", "I-DRUG", "[SEP]"),
}


def published_tags(path, words: list[str]) -> list[str]:
    """The best tag at each word's first piece, by transformers alone."""
    model = AutoModelForTokenClassification.from_pretrained(path).eval()
    encoding = read_pieces(path).tokenizer.encode(words, is_pretokenized=True)
    with torch.inference_mode():
        best = model(input_ids=torch.tensor([encoding.ids])).logits[0].argmax(-1).tolist()
    first = {word: n for n, word in reversed(list(enumerate(encoding.word_ids))) if word is not None}
    return [model.config.id2label[best[first[n]]] for n in range(len(words))]


def ours(path, text: str, **config: object) -> list[tuple[int, int, str]]:
    nlp = spacy.blank("es")
    nlp.add_pipe("multiclin_ner", config={"checkpoint": str(path), "precision": "fp32", **config})
    doc = nlp(text)
    return sorted((span.start, span.end, span.label_) for span in doc.spans["sc"])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_spans_are_those_of_the_best_tags(tmp_path, kind, scheme):
    path = save_tagger(tmp_path, kind, SCHEMES[scheme])
    for text in (line[:50] for line in TEXT):  # one window
        words = [token.text for token in spacy.blank("es")(text)]
        tags = published_tags(path, words)
        if scheme in ("BILOU", "BIOES"):
            # Read as BIO: an L or E that a U, S, or another L or E follows has no say of its own in ours.
            tags = [tag.replace("U-", "B-").replace("S-", "B-").replace("L-", "I-").replace("E-", "I-") for tag in tags]
        assert ours(path, text) == sorted(spans_of(tags, scheme_of(set(tags) | {"O"})))


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_pipeline_is_complete(tmp_path, kind):
    path = save_tagger(tmp_path / "published", kind)
    nlp = spacy.blank("es")
    nlp.add_pipe("multiclin_ner", config={"checkpoint": str(path), "precision": "fp32"})
    nlp.to_disk(tmp_path / "pipeline")
    docs = [nlp.make_doc(text) for text in TEXT]
    expected = nlp.get_pipe("multiclin_ner").model.predict(docs)
    for file in path.iterdir():
        file.unlink()
    found = spacy.load(tmp_path / "pipeline").get_pipe("multiclin_ner").model.predict(docs)
    for mine, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-5)


def test_three_single_task_models_on_one_key(tmp_path):
    nlp = spacy.blank("es")
    for label in ("DISEASE", "SYMPTOM", "PROCEDURE"):
        path = save_tagger(tmp_path / label, "xlm-roberta", ("O", f"B-{label}", f"I-{label}"))
        nlp.add_pipe("multiclin_ner", name=label, config={"checkpoint": str(path)})
    doc = nlp(TEXT[0])
    assert {span.label_ for span in doc.spans["sc"]} == {"DISEASE", "SYMPTOM", "PROCEDURE"}
    assert len(doc.spans["sc"].attrs["scores"]) == len(doc.spans["sc"])


def test_tasks_are_named(tmp_path):
    one = str(save_tagger(tmp_path / "one", "bert"))
    several = str(save_tagger(tmp_path / "several", "bert", SCHEMES["BIO"]))
    assert load_checkpoint(one).tasks == {"disease": ["DISEASE"]}
    assert load_checkpoint(several).tasks == {"ner": ["DRUG", "FORM"]}
    assert load_checkpoint(several, task="drug").tasks == {"drug": ["DRUG", "FORM"]}
    with pytest.raises(ClinnerError, match="has one task"):
        load_checkpoint(several, task=["drug", "form"])


def test_bare_labels_need_their_names(tmp_path):
    path = save_tagger(tmp_path, "bert", ("LABEL_0", "LABEL_1", "LABEL_2"))
    with pytest.raises(ClinnerError, match=r"LABEL_0.*`labels`"):
        load_checkpoint(str(path))
    assert load_checkpoint(str(path), labels=["O", "B-X", "I-X"]).tasks == {"x": ["X"]}
    assert {label for *_, label in ours(path, TEXT[0], labels=["O", "B-X", "I-X"])} <= {"X"}
    with pytest.raises(ClinnerError, match="has 3 tags"):
        load_checkpoint(str(path), labels=["O", "B-X"])


@pytest.mark.parametrize("tags", [("positive", "negative"), ("O",), ("B-X", "I-X", "LABEL_2"), ("NOUN", "B-X", "O")])
def test_labels_without_sense_are_refused(tmp_path, tags):
    with pytest.raises(ClinnerError, match="no tagger of mentions") as caught:
        load_checkpoint(str(save_tagger(tmp_path, "bert", tags)))
    assert tags[0] in str(caught.value)


def test_unusual_tags_cannot_be_trained(tmp_path):
    loaded = load_checkpoint(str(save_tagger(tmp_path, "bert", SCHEMES["IO"])))
    with pytest.raises(ClinnerError, match="cannot be trained"):
        loaded.model.begin_update([spacy.blank("es")(TEXT[0])])


def test_long_texts_are_read_whole(tmp_path):
    loaded = load_checkpoint(str(save_tagger(tmp_path, "roberta")), settings=EncoderSettings(window=32))
    doc = spacy.blank("es")(" ".join(TEXT * 3))
    (scores,) = loaded.model.predict([doc])
    assert not np.isnan(scores).any()
    assert np.allclose(np.exp(scores).sum(axis=1), 1, atol=1e-4)


def test_code_of_a_repository_is_never_run(tmp_path):
    path = save_tagger(tmp_path, "bert")
    config = json.loads((path / "config.json").read_text())
    config |= {
        "model_type": "evil",
        "auto_map": {"AutoConfig": "evil.Config", "AutoModelForTokenClassification": "evil.M"},
    }
    (path / "config.json").write_text(json.dumps(config))
    (path / "evil.py").write_text("raise SystemExit('run')")
    with pytest.raises(ClinnerError, match="never run"):
        load_checkpoint(str(path))


@pytest.mark.parametrize("file", ["config.json", "tokenizer.json", "model.safetensors"])
def test_damaged_and_missing_files(tmp_path, file):
    path = save_tagger(tmp_path, "bert")
    (path / file).write_text("{")
    with pytest.raises(ClinnerError, match=str(path)):
        load_checkpoint(str(path))
    (path / file).unlink()
    with pytest.raises(ClinnerError, match=str(path)):
        load_checkpoint(str(path))


def test_a_saved_pipeline_reads_as_asked(tmp_path):
    path = save_tagger(tmp_path / "published")
    nlp = spacy.blank("es")
    nlp.add_pipe("multiclin_ner", config={"checkpoint": str(path), "precision": "fp32", "device": "cpu"})
    nlp.to_disk(tmp_path / "pipeline")
    assert nlp.get_pipe("multiclin_ner").architecture["tok2vec"]["device"] is None
    config = {"components.multiclin_ner.window": 32, "components.multiclin_ner.precision": "bf16"}
    loaded = spacy.load(tmp_path / "pipeline", config=config)
    again = spacy.blank("es")
    saved = {"checkpoint": str(tmp_path / "pipeline"), "window": 32, "precision": "bf16"}
    again.add_pipe("multiclin_ner", config=saved).load()
    for pipeline in (loaded, again):
        tok2vec = pipeline.get_pipe("multiclin_ner").model.get_ref("tok2vec")
        assert tok2vec.shims[0].settings.window == 32 and tok2vec.shims[0].settings.precision == "bf16"


def test_numbers_that_are_none_are_no_empty_result(tmp_path):
    path = save_tagger(tmp_path / "published")
    nlp = spacy.blank("es")
    ner = nlp.add_pipe("multiclin_ner", config={"checkpoint": str(path), "precision": "fp32"})
    ner.load()
    shim = ner.model.get_ref("tok2vec").shims[0]
    for parameter in shim._model.parameters():
        parameter.data.fill_(float("nan"))
    with pytest.raises(ClinnerError, match="no finite numbers"):
        nlp(TEXT[0])


def test_a_tokenizer_of_another_model_is_refused(tmp_path):
    path = save_tagger(tmp_path / "tagger", "xlm-roberta", vocab_size=20)
    with pytest.raises(ClinnerError, match=r"pieces, the encoder knows 20"):
        load_checkpoint(str(path))


@pytest.mark.parametrize("name", ["missing.pt", "./missing", "/nowhere/missing.pt"])
def test_a_missing_local_file_is_no_hub_name(name):
    with pytest.raises(ClinnerError, match=r"missing.* is no file or directory here|no file or directory .*missing"):
        load_checkpoint(name)


def test_settings_that_a_saved_pipeline_has_no_use_for(tmp_path):
    nlp = spacy.blank("es")
    nlp.add_pipe("multiclin_ner", config={"checkpoint": str(save_tagger(tmp_path / "published"))})
    nlp.to_disk(tmp_path / "pipeline")
    with pytest.raises(ClinnerError, match="no use for base_model"):
        load_checkpoint(str(tmp_path / "pipeline"), base_model="FacebookAI/xlm-roberta-base")
