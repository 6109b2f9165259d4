from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import spacy
import torch
from hypothesis import given
from hypothesis import strategies as st

from clinner_spacy.checkpoints import load_checkpoint
from clinner_spacy.checkpoints.dt4h import read_state
from clinner_spacy.errors import ClinnerError
from tests.tiny import TEXT, save_dt4h, save_encoder

PER_LANGUAGE = tuple(f"disease_{lang}_classifier" for lang in ("es", "it", "ro"))


def nlp_with(lang: str = "es", **config: object) -> spacy.Language:
    nlp = spacy.blank(lang)
    nlp.add_pipe("multiclin_ner", config={"precision": "fp32", **config})
    return nlp


def spans(nlp: spacy.Language) -> list[tuple[int, int, str, float]]:
    found = []
    for doc in nlp.pipe(TEXT):
        scores = doc.spans["sc"].attrs["scores"]
        found += [(s.start, s.end, s.label_, round(float(p), 4)) for s, p in zip(doc.spans["sc"], scores, strict=True)]
    return found


@pytest.mark.parametrize("prefix", ["", "model.", "module.", "module.model."])
def test_all_tasks_of_a_file(tmp_path, prefix):
    loaded = load_checkpoint(str(save_dt4h(tmp_path, prefix=prefix)), base_model=str(tmp_path / "base"))
    assert loaded.tasks == {"disease": ["DISEASE"], "symptom": ["SYMPTOM"]}
    assert loaded.info["heads"] == ["disease", "symptom"]


def test_rows_are_put_in_order(tmp_path):
    state = torch.load(save_dt4h(tmp_path), weights_only=True)
    loaded = load_checkpoint(str(tmp_path / "mtl.pt"), base_model=str(tmp_path / "base"))
    published = state["classifiers.disease.weight"].numpy()  # B, I, O
    assert np.array_equal(loaded.model.get_param("W")[:3], published[[2, 0, 1]])


def test_a_task_may_be_chosen(tmp_path):
    file = str(save_dt4h(tmp_path))
    both = load_checkpoint(file, base_model=str(tmp_path / "base"))
    one = load_checkpoint(file, base_model=str(tmp_path / "base"), task="symptom")
    assert one.tasks == {"symptom": ["SYMPTOM"]}
    doc = spacy.blank("es")(TEXT[0])
    assert np.allclose(one.model.predict([doc])[0], both.model.predict([doc])[0][:, 3:], atol=1e-5)
    with pytest.raises(ClinnerError, match="no head 'drug' but disease, symptom"):
        load_checkpoint(file, base_model=str(tmp_path / "base"), task="drug")


def test_the_head_of_the_language_is_used(tmp_path):
    file = str(save_dt4h(tmp_path, PER_LANGUAGE, prefix="model."))
    settings = {"checkpoint": file, "base_model": str(tmp_path / "base")}
    spanish = spans(nlp_with("es", **settings))
    assert spanish == spans(nlp_with("es", **settings, task="disease"))
    italian = spans(nlp_with("xx", **settings, task="disease_it_ner"))
    assert italian != spans(nlp_with("xx", **settings, task="disease_es_ner"))
    assert spans(nlp_with("it", **settings)) == spans(nlp_with("it", **settings, task="disease_it"))
    for task in (None, "disease"):
        with pytest.raises(ClinnerError, match="'sv' but disease_es_ner, disease_it_ner, disease_ro_ner"):
            spans(nlp_with("sv", **settings, task=task))


def test_all_heads_where_no_language_is_named(tmp_path):
    loaded = load_checkpoint(str(save_dt4h(tmp_path, PER_LANGUAGE)), base_model=str(tmp_path / "base"))
    assert list(loaded.tasks) == ["disease_es_ner", "disease_it_ner", "disease_ro_ner"]
    assert loaded.info["languages"] == ["es", "it", "ro"]


def test_base_model_beside_the_file(tmp_path):
    save_dt4h(tmp_path)
    for file in (tmp_path / "base").iterdir():
        file.rename(tmp_path / file.name)
    assert load_checkpoint(str(tmp_path / "mtl.pt")).tasks == load_checkpoint(str(tmp_path)).tasks


def test_saved_pipeline_needs_no_checkpoint(tmp_path):
    file = save_dt4h(tmp_path)
    nlp = nlp_with(checkpoint=str(file), base_model=str(tmp_path / "base"))
    expected = spans(nlp)
    nlp.to_disk(tmp_path / "pipeline")
    file.unlink()
    for part in (tmp_path / "base").iterdir():
        part.unlink()
    assert spans(spacy.load(tmp_path / "pipeline")) == expected
    assert spans(nlp_with(checkpoint=str(tmp_path / "pipeline"))) == expected


def test_wrapped_and_old_state_dicts(tmp_path):
    file = save_dt4h(tmp_path)
    state = torch.load(file, weights_only=True)
    state["encoder.embeddings.position_ids"] = torch.arange(66)[None]  # a buffer, as old versions saved it
    torch.save({"model_state_dict": state}, file)
    assert load_checkpoint(str(file), base_model=str(tmp_path / "base")).tasks.keys() == {"disease", "symptom"}


class Unsafe:
    def __reduce__(self):
        return (Path.touch, (Path("touched-by-a-pickle"),))


@pytest.mark.parametrize("thing", [Unsafe(), torch.nn.Linear(2, 2)])
@pytest.mark.parametrize("how", [{}, {"pickle_protocol": 4}, {"_use_new_zipfile_serialization": False}])
def test_pickled_modules_are_refused(tmp_path, thing, how, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_dt4h(tmp_path)
    torch.save(thing, tmp_path / "mtl.pt", **how)
    with pytest.raises(ClinnerError, match=r"pickled module.*state_dict"):
        load_checkpoint(str(tmp_path / "mtl.pt"), base_model=str(tmp_path / "base"))
    assert not Path("touched-by-a-pickle").exists()


#: Bytes that an unpickler trips over in ways of its own; the second asks for an object, the pickles are not torch's.
OTHER_BYTES = (
    *(b"", b"clinical notes\nare no weights\n", b"<html>global</html>", b"\x80", b"t", b"s", b"\xff" * 50),
    *(pickle.dumps({"a": 1}), pickle.dumps(torch.nn.Linear(2, 2), protocol=2)),
)


@pytest.mark.parametrize("content", OTHER_BYTES)
def test_other_bytes_are_no_pytorch_file(tmp_path, content):
    (tmp_path / "mtl.pt").write_bytes(content)
    with pytest.raises(ClinnerError, match=r"mtl\.pt is no PyTorch file"):
        load_checkpoint(str(tmp_path / "mtl.pt"))


@given(st.binary(max_size=60))
def test_any_bytes_are_refused(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.pt"
    path.write_bytes(content)
    with pytest.raises(ClinnerError, match=r"is no PyTorch file|is a damaged PyTorch file"):
        read_state(path)


@pytest.mark.parametrize("zipped", [True, False])
def test_damaged_files_are_refused(tmp_path, zipped):
    file = save_dt4h(tmp_path)
    torch.save(torch.load(file, weights_only=True), file, _use_new_zipfile_serialization=zipped)
    file.write_bytes(file.read_bytes()[:-2000])
    with pytest.raises(ClinnerError, match=r"mtl\.pt is a damaged PyTorch file"):
        load_checkpoint(str(file), base_model=str(tmp_path / "base"))


def change(file: Path, **changes: object) -> None:
    state = torch.load(file, weights_only=True)
    for name, value in changes.items():
        key = name.replace("__", ".")
        if value is None:
            del state[key]
        else:
            state[key] = value
    torch.save(state, file)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classifiers__disease__weight": torch.zeros(4, 16)}, r"'disease'.*\(4, 16\)"),
        ({"classifiers__disease__bias": None}, "'disease'"),
        ({"classifiers__disease__weight": torch.zeros(3, 16, dtype=torch.int8)}, "'disease'.*in floating point"),
        ({"encoder__encoder__layer__1__output__dense__bias": torch.zeros(16, dtype=torch.int8)}, "is torch.int8 where"),
        ({"decoder__weight": torch.zeros(1)}, "decoder.weight"),
        ({"encoder__encoder__layer__1__output__dense__weight": None}, "encoder.layer.1.output.dense.weight is missing"),
        ({"encoder__encoder__layer__2__output__dense__bias": torch.zeros(16)}, "has no place"),
    ],
)
def test_states_that_do_not_fit_are_refused(tmp_path, changes, message):
    file = save_dt4h(tmp_path)
    change(file, **changes)
    with pytest.raises(ClinnerError, match=message):
        load_checkpoint(str(file), base_model=str(tmp_path / "base"))


def test_no_heads(tmp_path):
    with pytest.raises(ClinnerError, match="has no heads"):
        load_checkpoint(str(save_dt4h(tmp_path, heads=())), base_model=str(tmp_path / "base"))


def test_another_base_model_is_refused(tmp_path):
    file = str(save_dt4h(tmp_path))
    other = save_encoder(tmp_path / "other", weights=False, vocab_size=310)
    with pytest.raises(ClinnerError, match=r"word_embeddings.weight is \(\d+, 16\) where \(310, 16\)"):
        load_checkpoint(file, base_model=str(other))


def test_several_files_in_a_directory(tmp_path):
    save_dt4h(tmp_path)
    (tmp_path / "other.pt").write_bytes(b"")
    with pytest.raises(ClinnerError, match=r"several weight files \(mtl.pt, other.pt\)"):
        load_checkpoint(str(tmp_path))
