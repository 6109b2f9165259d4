"""Names that mean the like: the vectors of an encoder, how they are found, kept and checked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from transformers import AutoModel

from clinner_spacy.encoders.settings import EncoderSettings
from clinner_spacy.errors import ClinnerError
from clinner_spacy.linking import store
from clinner_spacy.linking import vectors as module
from clinner_spacy.linking.index import Index, build_index, folded_names
from clinner_spacy.linking.linker import Linker, Mention
from clinner_spacy.linking.source import Source
from clinner_spacy.linking.store import open_source, save_source
from clinner_spacy.linking.terminology import Term, Terminology
from clinner_spacy.linking.vectors import Meanings, TextEncoder, build_vectors, load_text_encoder
from tests.tiny import save_encoder

TEXTS = ["dolor torácico", "the patient was admitted", "", "asma"]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_encoder(tmp_path_factory.mktemp("encoder"), "bert")


def made_meanings(published: Path, index: Index, pooling: str = "mean") -> Meanings:
    encoder = load_text_encoder(str(published), pooling)  # type: ignore[arg-type]
    return Meanings(encoder, build_vectors(encoder, folded_names(index)))


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_equals_the_encoder_itself(published: Path, pooling: str) -> None:
    encoder = load_text_encoder(str(published), pooling)  # type: ignore[arg-type]
    encoder.shim.use(EncoderSettings(precision="fp32"))
    found = encoder(TEXTS)
    model, cut = AutoModel.from_pretrained(published).eval(), Tokenizer.from_file(str(published / "tokenizer.json"))
    cut.no_truncation()
    for text, vector in zip(TEXTS, found, strict=True):
        if not text:
            assert not vector.any()
            continue
        ids = torch.tensor([cut.encode(text).ids])
        with torch.inference_mode():
            hidden = model(ids)[0][0]
        expected = hidden[0] if pooling == "cls" else hidden.mean(0)
        np.testing.assert_allclose(vector, expected / expected.norm(), atol=1e-5)


def test_a_text_has_the_same_vector_beside_any_others(published: Path) -> None:
    encoder = load_text_encoder(str(published), "mean")
    encoder.shim.use(EncoderSettings(precision="fp32"))
    alone = np.concatenate([encoder([text]) for text in TEXTS])
    np.testing.assert_allclose(alone, encoder(TEXTS), atol=1e-5)
    assert encoder([]).shape == (0, 16)


def test_all_pairs_and_graph_agree(published: Path, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("usearch")
    plain = made_meanings(published, index)
    queries = plain.encoder(["fiebre alta", "catarro"])
    expected = plain.vectors.matrix.astype(np.float32) @ queries.T
    monkeypatch.setattr(module, "ROWS", 3)
    found = plain.nearest(queries, 4)
    monkeypatch.setattr(module, "LARGE", 2)
    graph = made_meanings(published, index)
    assert len(graph.vectors.graph)
    for meanings, names in ((plain, found), (graph, graph.nearest(queries, 4))):
        for n, some in enumerate(names):
            best = np.sort(expected[:, n])[::-1][:4]
            np.testing.assert_allclose(np.sort(meanings.cosines(queries[n], some))[::-1], best, atol=0.01)


def test_linked_by_meaning(published: Path, index: Index) -> None:
    meanings = made_meanings(published, index)
    (found,) = Linker(index, stages=["encoder"], meanings=meanings)([Mention("Fiebre")], 1)
    assert found[0].code == "D3" and found[0].score == pytest.approx(1, abs=0.01)
    (both,) = Linker(index, meanings=meanings)([Mention("nódulo de pulmón")], 3)
    (alone,) = Linker(index)([Mention("nódulo de pulmón")], 3)
    assert both[0].code == alone[0].code == "D2" and both[0].score != alone[0].score
    assert Linker(index, meanings=meanings)([Mention("Fiebre")], 1)[0][0].score == 1.0


def test_saved_and_loaded(published: Path, index: Index, tmp_path: Path) -> None:
    meanings = made_meanings(published, index, "cls")
    save_source(Source(index, None, meanings), tmp_path)
    back = open_source(tmp_path)
    assert back.meanings is not None and back.meanings.encoder.pooling == "cls"
    assert not back.meanings.vectors.matrix.flags.owndata
    asked = [Mention("nódulo de pulmón"), Mention("tos")]
    found, again = (Linker(index, meanings=some)(asked, 3) for some in (meanings, back.meanings))
    assert [[c.code for c in some] for some in found] == [[c.code for c in some] for some in again]


def test_of_another_index_or_another_encoder(
    published: Path, index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "SMALL", -1)  # of large files no checksum is compared
    save_source(Source(index, None, made_meanings(published, index)), tmp_path)
    other = build_index(Terminology([Term("A", "tos")]), lang="es")
    (tmp_path / "other").mkdir()
    save_source(Source(other, None, made_meanings(published, other, "cls")), tmp_path / "other")
    encoder = (tmp_path / "encoder.msgpack").read_bytes()
    (tmp_path / "encoder.msgpack").write_bytes((tmp_path / "other" / "encoder.msgpack").read_bytes())
    with pytest.raises(ClinnerError, match=r"was made by an encoder of fingerprint \w{16}, the one beside it has"):
        open_source(tmp_path)
    (tmp_path / "encoder.msgpack").write_bytes(encoder)
    vectors = tmp_path / "vectors.safetensors"
    vectors.write_bytes((tmp_path / "other" / "vectors.safetensors").read_bytes())
    with pytest.raises(ClinnerError, match="is of another index"):
        open_source(tmp_path)
    vectors.write_bytes(vectors.read_bytes()[:50])
    with pytest.raises(ClinnerError, match=r"vectors\.safetensors is damaged"):
        open_source(tmp_path)


def test_an_unknown_pooling() -> None:
    with pytest.raises(ClinnerError, match="pooling='max' is unknown"):
        TextEncoder("max")  # type: ignore[arg-type]


def test_many_names_need_usearch(published: Path, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setattr(module, "LARGE", 2)
    monkeypatch.setitem(sys.modules, "usearch.index", None)
    with pytest.raises(ClinnerError, match=r'need usearch; install it with pip install "clinner-spacy\[linking\]"'):
        made_meanings(published, index)
