from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from spacy.tokens import Doc
from spacy.util import registry
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoModel

from clinner_spacy.checkpoints.relations import load_relations
from clinner_spacy.encoders.pieces import PieceTokenizer
from clinner_spacy.encoders.settings import EncoderSettings
from clinner_spacy.errors import ClinnerError
from clinner_spacy.models import markers
from clinner_spacy.relations.candidates import Limits, WordSpan, find_candidates
from clinner_spacy.relations.marked import choose, mark
from tests.tiny import save_relations

NLP = spacy.blank("es")
TEXT = "Paciente de 70 años con diabetes mellitus tipo 2 , tratamiento con enalapril 10 mg ."
WORDS = TEXT.split()
CODE = {"DRUG": "CHE", "DIS": "DIS", "PATIENT": "LIV"}

#: Nested, overlapping, on the same words, subject before and after its object, at the sentence's edges.
SPANS = [
    WordSpan(0, 1, "PATIENT"),
    WordSpan(5, 7, "DIS"),
    WordSpan(5, 9, "DIS"),
    WordSpan(6, 8, "DRUG"),
    WordSpan(6, 8, "DIS"),
    WordSpan(12, 13, "DRUG"),
    WordSpan(15, 16, "DIS"),
]


@pytest.fixture(scope="session", params=["bert", "deberta-v2"])
def folder(request, tmp_path_factory) -> Path:
    return save_relations(tmp_path_factory.mktemp("published") / request.param, request.param)


class Direct:
    """The published description in plain torch: one pair at a time, markers as words."""

    def __init__(self, folder: Path) -> None:
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_truncation()
        self.encoder = AutoModel.from_config(AutoConfig.from_pretrained(folder)).eval()
        self.state = load_file(folder / "model.safetensors")
        encoder = {k.split(".", 1)[1]: v for k, v in self.state.items() if not k.startswith(("layer_norm", "linear"))}
        self.encoder.load_state_dict(encoder)

    def __call__(self, words: list[str], head: WordSpan, tail: WordSpan) -> torch.Tensor:
        marked = self.words(words, head, tail)
        encoding = self.tokenizer.encode(marked, is_pretokenized=True)
        tokens = encoding.tokens
        with torch.no_grad():
            states = self.encoder(input_ids=torch.tensor([encoding.ids]))[0][0]
        pooled = []
        for side, span in (("S", head), ("O", tail)):
            code = CODE[span.label]
            first, last = tokens.index(f"<{side}:{code}>"), tokens.index(f"</{side}:{code}>")
            pooled.append(states[first : last + 1].max(dim=0).values)
        x = torch.cat(pooled)
        x = torch.nn.functional.layer_norm(x, x.shape, self.state["layer_norm.weight"], self.state["layer_norm.bias"])
        return self.state["linear.weight"] @ x + self.state["linear.bias"]

    def words(self, words: list[str], head: WordSpan, tail: WordSpan) -> list[str]:
        """Closing markers before opening ones, of two together the inner closes first and the outer opens first."""
        outer_first = [("S", head), ("O", tail)]
        if tail.end - tail.start > head.end - head.start:
            outer_first.reverse()
        marked = []
        for n in range(len(words) + 1):
            marked += [f"</{side}:{CODE[span.label]}>" for side, span in outer_first[::-1] if span.end == n]
            marked += [f"<{side}:{CODE[span.label]}>" for side, span in outer_first if span.start == n]
            marked += words[n : n + 1]
        return marked


def test_logits_are_those_of_a_direct_implementation(folder):
    loaded = load_relations(str(folder), types=CODE, settings=EncoderSettings(precision="fp32", batch_tokens=200))
    before = Doc(NLP.vocab, words=["Refiere", "disnea", "."])
    doc = Doc(NLP.vocab, words=[*WORDS, "Sin", "dolor", "."], sent_starts=[n in (0, 16) for n in range(19)])
    places = [*SPANS, WordSpan(17, 18, "DIS"), WordSpan(16, 19, "PATIENT")]
    candidates = [find_candidates(before, [], Limits()), find_candidates(doc, places, Limits())]
    logits = loaded.model.predict(candidates)
    direct = Direct(folder)
    assert len(candidates[1].heads) == 7 * 6 + 2
    for row, h, t in zip(logits, candidates[1].heads, candidates[1].tails, strict=True):
        head, tail = places[h], places[t]
        inside = head.start < 16
        offset = 0 if inside else 16
        words = WORDS if inside else ["Sin", "dolor", "."]
        moved = [WordSpan(p.start - offset, p.end - offset, p.label) for p in (head, tail)]
        assert np.allclose(row, direct(words, *moved), atol=1e-4), (head, tail)


#: Words before, between and after a pair -> those read: 58 and four markers, of 62 pieces and two special tokens.
WINDOWS = {
    (100, 2, 100): [*range(73, 131)],  # to either side as much
    (100, 30, 100): [*range(87, 145)],
    (3, 10, 200): [*range(58)],  # the sentence begins
    (200, 10, 3): [*range(157, 215)],  # and ends
    (3, 54, 3): [*range(2, 60)],  # one word beside what is between
    (3, 56, 3): [*range(3, 61)],
    (3, 100, 3): [*range(3, 32), *range(76, 105)],  # of what is between the nearest
    (100, 300, 100): [*range(100, 129), *range(373, 402)],
}


@pytest.mark.parametrize("lengths", WINDOWS, ids=str)
def test_a_long_sentence_is_read_in_a_window_around_the_pair(folder, lengths):
    loaded = load_relations(str(folder), types=CODE, settings=EncoderSettings(precision="fp32"))
    before, gap, after = lengths
    words = np.random.default_rng(0).choice(["a", "de", "dolor"], before + gap + after + 2).tolist()
    doc = Doc(NLP.vocab, words=words, sent_starts=[n == 0 for n in range(len(words))])
    assert set(loaded.model.shims[0].encoder.pieces([doc], 64).counts) == {1}
    at = before, before + gap + 1
    places = [WordSpan(n, n + 1, label) for n, label in zip(at, ("DRUG", "DIS"), strict=True)]
    logits = loaded.model.predict([find_candidates(doc, places, Limits(None))])
    kept = WINDOWS[lengths]
    moved = [WordSpan(kept.index(p.start), kept.index(p.start) + 1, p.label) for p in places]
    direct = Direct(folder)
    for row, pair in zip(logits, (moved, moved[::-1]), strict=True):
        assert np.allclose(row, direct([words[n] for n in kept], *pair), atol=1e-4)


def test_spans_longer_than_the_window_keep_their_markers(folder):
    loaded = load_relations(str(folder), types=CODE, settings=EncoderSettings(precision="fp32"))
    doc = Doc(NLP.vocab, words=["dolor"] * 400, sent_starts=[n == 0 for n in range(400)])
    found = find_candidates(doc, [WordSpan(0, 400, "DIS"), WordSpan(100, 300, "DRUG")], Limits())
    assert np.isfinite(loaded.model.predict([found])).all()


def test_a_span_without_pieces_still_has_its_markers(folder):
    loaded = load_relations(str(folder), types=CODE, settings=EncoderSettings(precision="fp32"))
    doc = Doc(NLP.vocab, words=["dolor", "\u200b", "tos"])
    found = find_candidates(doc, [WordSpan(0, 1, "DIS"), WordSpan(1, 2, "DRUG"), WordSpan(2, 3, "DIS")], Limits())
    logits = loaded.model.predict([found])
    assert logits.shape == (6, 2) and np.isfinite(logits).all()


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_markers_stand_around_the_pieces_of_their_spans(data):
    counts = data.draw(st.lists(st.integers(0, 3), min_size=1, max_size=12))
    at = np.concatenate([[0], np.cumsum(counts)])
    ids = np.arange(at[-1]) + 100
    starts = data.draw(st.tuples(*[st.integers(0, len(counts) - 1)] * 2))
    head, tail = (WordSpan(s, data.draw(st.integers(s + 1, len(counts))), "A") for s in starts)
    size = data.draw(st.integers(8, 40))
    marked = mark(ids, at, head, tail, {"A": [0, 1, 2, 3]}, size)
    assert len(marked.ids) == min(size, len(ids) + 4)
    for positions, span, (opening, closing) in ((marked.head, head, (0, 1)), (marked.tail, tail, (2, 3))):
        inside = marked.ids[positions]
        assert inside[0] == opening and inside[-1] == closing
        pieces = inside[inside >= 100] - 100
        assert ((pieces >= at[span.start]) & (pieces < at[span.end])).all()
        if len(ids) + 4 <= size:
            assert len(pieces) == at[span.end] - at[span.start]
    assert (np.diff(marked.ids[marked.ids >= 100]) > 0).all()


@given(st.integers(9, 200), st.data())
@settings(max_examples=200, deadline=None)
def test_the_window_holds_the_markers_and_what_is_between_them_first(n_pieces, data):
    markers = np.asarray(sorted(data.draw(st.sets(st.integers(0, n_pieces - 1), min_size=4, max_size=4))))
    size = data.draw(st.integers(8, n_pieces - 1))
    kept = choose(n_pieces, markers, size)
    assert len(kept) == size and set(markers.tolist()) <= set(kept.tolist()) and (np.diff(kept) > 0).all()
    between = markers[-1] - markers[0] + 1
    if between <= size:
        assert (np.diff(kept) == 1).all()


def test_pairs_read_a_few_at_once_keep_their_order_and_their_documents_are_cut_once(folder, monkeypatch):
    loaded = load_relations(str(folder), types=CODE, settings=EncoderSettings(precision="fp32"))
    doc = Doc(NLP.vocab, words=WORDS)
    X = [find_candidates(doc, SPANS[:n], Limits()) for n in (3, 0, 4, 2)]
    whole = loaded.model.predict(X)
    cuts, cut = [], PieceTokenizer.__call__
    monkeypatch.setattr(PieceTokenizer, "__call__", lambda self, docs, n: cuts.append(len(docs)) or cut(self, docs, n))
    monkeypatch.setattr(markers, "CHUNK", 3)
    assert np.allclose(loaded.model.predict(X), whole, atol=1e-5) and len(whole) == 20
    assert cuts == [4]


def test_learns_and_its_gradient_reaches_the_encoder(folder):
    loaded = load_relations(str(folder), types=CODE, settings=EncoderSettings(precision="fp32", batch_tokens=100))
    X = [find_candidates(Doc(NLP.vocab, words=WORDS), SPANS, Limits())]
    target = np.arange(len(X[0].heads)) % 2
    from thinc.api import Adam

    optimizer, losses = Adam(0.01), []
    for _ in range(15):
        Y, backprop = loaded.model.begin_update(X)
        P = np.exp(Y - Y.max(axis=1, keepdims=True))
        P /= P.sum(axis=1, keepdims=True)
        losses.append(-np.log(P[np.arange(len(P)), target]).mean())
        P[np.arange(len(P)), target] -= 1
        backprop(P)
        loaded.model.finish_update(optimizer)
    assert losses[-1] < 0.7 * losses[0]


class TestErrors:
    def test_unknown_types_are_refused_with_those_there_are(self, folder):
        loaded = load_relations(str(folder))
        found = find_candidates(Doc(NLP.vocab, words=WORDS), [WordSpan(0, 1, "Date"), WordSpan(1, 2, "DIS")], Limits())
        with pytest.raises(ClinnerError, match=r"'Date'.*CHE, DIS, LIV"):
            loaded.model.predict([found])
        with pytest.raises(ClinnerError, match=r"'DRUG' .code 'XXX'.*CHE, DIS, LIV"):
            load_relations(str(folder), types={"DRUG": "XXX"})

    @pytest.mark.parametrize("window", [5, 65])
    def test_windows_that_cannot_be_read(self, folder, window):
        with pytest.raises(ClinnerError, match=f"window={window}"):
            load_relations(str(folder), settings=EncoderSettings(window=window))

    def test_batch_tokens(self):
        block: dict[str, Any] = {"@architectures": "clinner.EntityMarkers.v1", "name": "x", "batch_tokens": 0}
        with pytest.raises(ClinnerError, match="batch_tokens"):
            registry.resolve({"model": block})
