"""Each published format, made small, against a direct implementation of its description."""

from __future__ import annotations

import json

import numpy as np
import pytest
import spacy
import torch
from spacy.training import Example
from tokenizers import Tokenizer
from torch.nn.functional import gelu, relu

from clinner_spacy.encoders.units import units_of
from clinner_spacy.errors import ClinnerError
from tests.published import (
    CLTL_TAGS,
    LONG,
    Reference,
    cardioner,
    cardioner_multihead,
    cardioner_multilabel,
    cltl,
    linear,
    linear_crf,
    marginals,
    mentions,
    multihead,
    ner_lab,
    runs,
    save,
    viterbi,
)
from tests.tiny import TEXT

SHORT = TEXT[0]


def found(path, text, **settings):
    """(start, end, label) in characters -> score, as the component finds them in a text."""
    nlp = spacy.blank("es")
    settings.setdefault("precision", "fp32")
    nlp.add_pipe("multiclin_ner", config={"checkpoint": path if isinstance(path, list) else str(path), **settings})
    doc = nlp(text)
    group = doc.spans["sc"]
    exact = group.attrs.get("characters", [])
    rows = zip(exact, group, group.attrs["scores"], strict=True)
    return {(*place, span.label_): score for place, span, score in rows}


def visible(spans, text):
    """Without what no word holds: white space."""
    return {(start, end, label) for start, end, label in spans if text[start:end].strip()}


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.mark.parametrize(("kind", "prefix"), [("roberta", "roberta"), ("bert", "bert"), ("xlm-roberta", "roberta")])
@pytest.mark.parametrize("text", [SHORT, LONG], ids=["one window", "several"])
def test_multi_head_crf(tmp_path, kind, prefix, text):
    """Blocks of 48 pieces with 7 on both sides, pads before the first; only the last dense layer counts."""
    path = multihead(tmp_path, kind, prefix)
    reference = Reference(path, kind, prefix)
    ids, offsets = reference.pieces(text)
    expected, scores = set(), {}
    for label in ("SYMPTOM", "DISEASE"):
        tags, p = [], []
        for first in range(0, len(ids), 48):
            before = ids[max(first - 7, 0) : first]
            window = [*before, *ids[first : first + 48 + 7]]
            X = reference.vectors(window, n_hidden=7 - len(before))
            logits = reference.linear(f"{label}_classifier", gelu(reference.linear(f"{label}_dense_1", X)))
            chain = reference.chain(f"{label}_crf")
            inner = slice(1 + 7, 1 + 7 + len(ids[first : first + 48]))
            tags += viterbi(logits, *chain)[inner]
            p += marginals(logits, *chain)[inner].tolist()
        expected |= mentions(tags, offsets, label)
        for first, last in runs(tags):
            inner = range(first, last + 1)
            alone = offsets[first] not in (offsets[first - 1], *offsets[last + 1 : last + 2])  # no bare "▁" beside it
            if alone and all(max(p[n]) == p[n][tags[n]] for n in inner):  # the best path has the most probable tags
                place = offsets[first][0], offsets[last][1], label
                scores[place] = sum(p[n][tags[n]] for n in inner) / len(inner)
    ours = found(path, text)
    assert set(ours) == visible(expected, text)
    assert len(set(scores) & set(ours)) > len(ours) / 2
    for place in set(scores) & set(ours):
        assert ours[place] == pytest.approx(scores[place], abs=1e-4)


def test_linear_crf_over_raw_text(tmp_path):
    """SU-FMI-AI: a linear layer and a CRF over all pieces, special tokens too, the encoder under its own prefix."""
    path = linear_crf(tmp_path)
    reference = Reference(path, "xlm-roberta", "transformer")
    ids, offsets = reference.pieces(SHORT)
    logits = reference.linear("classifier", reference.vectors(ids))
    tags = [(1, 2, 0)[tag] for tag in viterbi(logits, *reference.chain("crf"))[1:-1]]
    ours = found(path, SHORT)
    assert ours and set(ours) == visible(mentions(tags, offsets, "PROCEDURE"), SHORT)


def test_ner_lab(tmp_path):
    """No config beside the weights; forbidden transitions are held at -10,000 whatever the weights say."""
    path = ner_lab(tmp_path / "model")
    reference = Reference(path, "roberta", "backbone")
    ids, offsets = reference.pieces(SHORT)
    transitions, start, end = reference.chain("crf")
    transitions[0, 2] = start[2] = -10_000
    logits = reference.linear("classifier", reference.vectors(ids))
    tags = viterbi(logits, transitions, start, end)[1:-1]
    ours = found(path, SHORT)
    assert ours and set(ours) == visible(mentions(tags, offsets, "DISEASE"), SHORT)


@pytest.mark.parametrize("hidden", [(), (12, 8)])
@pytest.mark.parametrize("with_crf", [False, True])
def test_cardioner_single_head(tmp_path, hidden, with_crf):
    path = cardioner(tmp_path, hidden, with_crf)
    reference = Reference(path, "roberta", "roberta")
    ids, offsets = reference.pieces(SHORT)
    X = reference.vectors(ids)
    for n in range(len(hidden)):
        X = relu(reference.linear(f"classifier.{3 * n}", X))
    logits = reference.linear(f"classifier.{3 * len(hidden) if hidden else 1}", X)
    best = viterbi(logits, *reference.chain("crf")) if with_crf else logits.argmax(dim=1).tolist()
    ours = found(path, SHORT)
    assert ours and set(ours) == visible(mentions(best[1:-1], offsets, "MED"), SHORT)


def test_cardioner_multi_head_crf(tmp_path):
    """Its dense layers follow one another, unlike IEETA's."""
    path = cardioner_multihead(tmp_path)
    reference = Reference(path, "roberta", "roberta")
    ids, offsets = reference.pieces(SHORT)
    expected = set()
    for label in ("SYMPTOM", "DISEASE"):
        X = reference.vectors(ids)
        for n in range(2):
            X = gelu(reference.linear(f"{label}_dense_{n}", X))
        tags = viterbi(reference.linear(f"{label}_classifier", X), *reference.chain(f"{label}_crf"))[1:-1]
        expected |= mentions(tags, offsets, label)
    assert set(found(path, SHORT)) == visible(expected, SHORT)


def test_cardioner_labels_each_true_or_not(tmp_path):
    path = cardioner_multilabel(tmp_path)
    reference = Reference(path, "roberta", "backbone")
    ids, offsets = reference.pieces(SHORT)
    p = reference.linear("classifier.1", reference.vectors(ids)).sigmoid()[1:-1]
    expected, scores = set(), {}
    for column, label in ((1, "DISEASE"), (3, "MED")):
        best = p[:, column : column + 2].max(dim=1)
        tags = [int(n) + 1 if value >= 0.5 else 0 for value, n in zip(best.values, best.indices, strict=True)]
        expected |= mentions(tags, offsets, label)
        scores |= {(*place, label): float(value) for place, value in zip(offsets, best.values, strict=True)}
    ours = found(path, SHORT)
    assert ours and set(ours) == visible(expected, SHORT)
    for place in set(ours) & set(scores):
        assert ours[place] == pytest.approx(scores[place], abs=1e-4)


def test_one_head_of_several_labels_over_raw_text(tmp_path):
    """CLTL: seven tags in one head, softmax, raw text."""
    path = cltl(tmp_path)
    reference = Reference(path, "roberta", "roberta")
    ids, offsets = reference.pieces(SHORT)
    best = reference.linear("classifier", reference.vectors(ids)).argmax(dim=1).tolist()[1:-1]
    spans, before = [], 0
    for tag, (start, end) in zip(best, offsets, strict=True):
        if tag and (tag % 2 or (before + 1) // 2 != (tag + 1) // 2):
            spans.append([start, end, CLTL_TAGS[tag][2:]])
        elif tag:
            spans[-1][1] = end
        before = tag
    assert set(found(path, SHORT, words="pieces")) == visible({tuple(span) for span in spans}, SHORT)


@pytest.mark.parametrize("kind", ["xlm-roberta", "bert", "roberta", "modernbert"])
def test_words_of_the_bsc_are_those_of_transformers_pipeline(tmp_path, kind):
    from transformers import AutoModelForTokenClassification, PreTrainedTokenizerFast, TokenClassificationPipeline

    from tests.tiny import save_tagger

    path = save_tagger(tmp_path, kind)
    text = "Dolor (torácico): 38,5 ºC;\nla řeč a déšť."
    built = json.loads((path / "tokenizer.json").read_text())
    unknown = "[UNK]" if "[UNK]" in json.dumps(built["added_tokens"]) else "<unk>"
    own = Tokenizer.from_file(str(path / "tokenizer.json"))
    own.no_truncation()
    own.no_padding()
    inputs = ["input_ids", "attention_mask"]  # transformers 4's pipeline gives ModernBert token types otherwise
    fast = PreTrainedTokenizerFast(tokenizer_object=own, unk_token=unknown, model_input_names=inputs)
    model = AutoModelForTokenClassification.from_pretrained(path)
    words, spread = [], ""
    for n, char in enumerate(text):
        joined = n and not char.isspace() and not text[n - 1].isspace()
        if joined and not (latin(char) and latin(text[n - 1])):
            spread += " "
            words.append(None)
        spread += char
        words.append(n)
    run = TokenClassificationPipeline(model=model, tokenizer=fast, aggregation_strategy="first")
    expected = set()
    for entity in run(spread):
        held = [place for place in words[entity["start"] : entity["end"]] if place is not None]
        if held and text[held[0] : held[-1] + 1].strip():
            expected.add((held[0], held[-1] + 1))
    assert expected
    assert {place[:2] for place in found(path, text, words="alphanumeric")} == expected


def latin(char):
    return (char.isascii() and char.isalnum()) or ("À" <= char <= "ÿ" and char not in "×÷")


def test_a_saved_pipeline_needs_nothing_else(tmp_path):
    path = multihead(tmp_path / "published")
    nlp = spacy.blank("es")
    nlp.add_pipe("multiclin_ner", config={"checkpoint": str(path), "precision": "fp32"})
    doc = nlp(LONG)
    expected = list(doc.spans["sc"].attrs["characters"])
    nlp.to_disk(tmp_path / "saved")
    for file in path.iterdir():
        file.unlink()
    doc = spacy.load(tmp_path / "saved")(LONG)
    assert list(doc.spans["sc"].attrs["characters"]) == expected


def test_an_ensemble_is_the_mean_of_its_members(tmp_path):
    names = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        names.append(str(multihead(tmp_path / str(seed))))
    nlp = spacy.blank("es")
    together = nlp.add_pipe("multiclin_ner", config={"checkpoint": names, "precision": "fp32"})
    together.load()
    docs = [nlp.make_doc(LONG)]
    units = [of_doc.doc for of_doc in units_of(together.model, docs)]
    probabilities = [np.exp(member.predict(units)[0]) for member in together.model.layers]
    assert np.allclose(np.exp(together.model.predict(units)[0]), sum(probabilities) / 2, atol=1e-4)
    assert not np.allclose(*probabilities, atol=1e-2)
    found = together.predict(docs)
    nlp.to_disk(tmp_path / "saved")
    assert spacy.load(tmp_path / "saved").get_pipe("multiclin_ner").predict(docs) == found


def test_members_that_differ_are_refused(tmp_path):
    names = [str(multihead(tmp_path / "a")), str(multihead(tmp_path / "b", "bert", "bert"))]
    with pytest.raises(ClinnerError, match="tags other units"):
        found(names, SHORT)
    names[1] = str(multihead(tmp_path / "c", labels=["DISEASE"]))
    with pytest.raises(ClinnerError, match="has the tasks"):
        found(names, SHORT)


def test_training_on_pieces_learns(tmp_path):
    """Heads of a plain token classifier are trained on the units they tag: gold is carried over by its characters."""
    kind = {"architectures": ["RobertaForTokenClassification"], "id2label": {"0": "O", "1": "B-D", "2": "I-D"}}
    path = save(tmp_path, "roberta", "roberta", linear("classifier", 3), kind)
    nlp = spacy.blank("es")
    settings = {"checkpoint": str(path), "task": "d", "words": "pieces", "precision": "fp32"}
    nlp.add_pipe("multiclin_ner", config=settings)
    gold = nlp.make_doc(SHORT)
    starts = {word: SHORT.index(word) for word in ("diabetes mellitus", "hipertensión")}
    gold.spans["d"] = [gold.char_span(start, start + len(word), label="D") for word, start in starts.items()]
    example = Example(nlp.make_doc(SHORT), gold)
    optimizer = nlp.initialize(lambda: [example])
    optimizer.learn_rate = 0.01
    losses = [nlp.update([example], sgd=optimizer)["multiclin_ner"] for _ in range(40)]
    assert losses[-1] < losses[0] / 10
    doc = nlp(SHORT)
    expected = [(span.start_char, span.end_char) for span in gold.spans["d"]]
    assert [(span.start_char, span.end_char) for span in doc.spans["sc"]] == expected
