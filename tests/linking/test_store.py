"""Indexes on disk: mapped, the same as in memory, and refused where they are damaged or of something else."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from clinner_spacy.errors import ClinnerError
from clinner_spacy.linking import store
from clinner_spacy.linking.features import FEATURES
from clinner_spacy.linking.index import Index, build_index
from clinner_spacy.linking.ranker import PAIRS, Ranker
from clinner_spacy.linking.source import Source
from clinner_spacy.linking.store import (
    arrays_in,
    arrays_to_bytes,
    index_arrays,
    index_of,
    open_index,
    open_source,
    ranking_arrays,
    ranking_of,
    save_index,
    save_source,
)
from clinner_spacy.linking.terminology import Term, Terminology


def same(one: Index, other: Index) -> bool:
    arrays = index_arrays(one), index_arrays(other)
    return one.about == other.about and all(np.array_equal(arrays[0][name], arrays[1][name]) for name in arrays[0])


def test_saved_and_mapped(index: Index, tmp_path: Path) -> None:
    save_index(index, tmp_path)
    back = open_index(tmp_path)
    assert same(index, back)
    assert not back.hashes.flags.writeable and not back.hashes.flags.owndata
    assert same(pickle.loads(pickle.dumps(back)), index)


def test_as_bytes(index: Index) -> None:
    data = arrays_to_bytes(index_arrays(index))
    assert same(index_of(arrays_in(memoryview(data)), index.about, "here"), index)


def test_the_same_terms_give_the_same_bytes(index: Index) -> None:
    assert arrays_to_bytes(index_arrays(index)) == arrays_to_bytes(index_arrays(index))


@pytest.mark.parametrize("keep", [0, 5, 100, 0.9])
def test_a_file_that_ends_early(index: Index, tmp_path: Path, keep: float) -> None:
    save_index(index, tmp_path)
    path = tmp_path / "index.safetensors"
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data)) if isinstance(keep, float) else keep])
    with pytest.raises(ClinnerError, match=r"index\.safetensors is damaged"):
        open_index(tmp_path)


def test_what_is_missing(index: Index, tmp_path: Path) -> None:
    with pytest.raises(ClinnerError, match=r"index\.json cannot be read; .* link build"):
        open_index(tmp_path)
    save_index(index, tmp_path)
    (tmp_path / "index.safetensors").unlink()
    with pytest.raises(ClinnerError, match=r"index\.safetensors cannot be read"):
        open_index(tmp_path)


def test_arrays_that_do_not_fit_together(index: Index) -> None:
    arrays = index_arrays(index)
    for name in arrays:
        with pytest.raises(ClinnerError, match="is no index or is damaged"):
            index_of({key: value for key, value in arrays.items() if key != name}, index.about, "here")
    with pytest.raises(ClinnerError, match="is no index or is damaged"):
        index_of(arrays | {"counts": arrays["counts"][:-1]}, index.about, "here")


def test_numbers_that_changed(index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_index(index, tmp_path)
    path = tmp_path / "index.safetensors"
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)
    with pytest.raises(ClinnerError, match="its checksum is not the one"):
        open_index(tmp_path)
    monkeypatch.setattr(store, "SMALL", 10)
    open_index(tmp_path)  # a large one is only mapped
    with pytest.raises(ClinnerError, match="its checksum is not the one"):
        open_index(tmp_path, check=True)


def test_another_version(index: Index, tmp_path: Path) -> None:
    save_index(index, tmp_path)
    about = json.loads((tmp_path / "index.json").read_text())
    (tmp_path / "index.json").write_text(json.dumps(about | {"version": 99}))
    with pytest.raises(ClinnerError, match="has version 99, this package reads 2"):
        open_index(tmp_path)


@pytest.mark.parametrize("name", ["lang", "content"])
def test_what_is_known_lacks_something(name: str, index: Index, tmp_path: Path) -> None:
    save_index(index, tmp_path)
    about = json.loads((tmp_path / "index.json").read_text())
    del about[name]
    (tmp_path / "index.json").write_text(json.dumps(about))
    with pytest.raises(ClinnerError, match=rf"lacks '{name}'; build"):
        open_index(tmp_path)


def test_no_checksums(index: Index, tmp_path: Path) -> None:
    save_index(index, tmp_path)
    about = json.loads((tmp_path / "index.json").read_text())
    del about["checksums"]
    (tmp_path / "index.json").write_text(json.dumps(about))
    with pytest.raises(ClinnerError, match=r"index\.json has no checksums"):
        open_index(tmp_path)


def test_a_ranking_that_is_lost_or_changed_or_too_many(index: Index, tmp_path: Path) -> None:
    ranker = Ranker(np.ones(len(FEATURES), dtype=np.float32), np.zeros(PAIRS, dtype=np.float32))
    save_source(Source(index, ranker), tmp_path)
    path = tmp_path / "ranking.safetensors"
    data = path.read_bytes()
    path.write_bytes(data[:-1] + b"\1")
    with pytest.raises(ClinnerError, match=r"ranking\.safetensors is damaged: its checksum"):
        open_source(tmp_path)
    path.unlink()
    with pytest.raises(ClinnerError, match=r"ranking\.safetensors is missing, which index\.json names"):
        open_source(tmp_path)
    save_source(Source(index, None), tmp_path)
    path.write_bytes(data)
    with pytest.raises(ClinnerError, match=r"ranking\.safetensors is not of this index"):
        open_source(tmp_path)


def test_a_ranking_of_another_index(index: Index) -> None:
    ranker = Ranker(np.ones(len(FEATURES), dtype=np.float32), np.zeros(PAIRS, dtype=np.float32))
    arrays = ranking_arrays(ranker, index)
    assert np.array_equal(ranking_of(arrays, index, "here").features, ranker.features)
    other = build_index(Terminology([Term("A", "tos")]), lang="es")
    with pytest.raises(ClinnerError, match=index.about["content"][:16]) as error:
        ranking_of(arrays, other, "here")
    assert other.about["content"][:16] in str(error.value)
    with pytest.raises(ClinnerError, match="is no ranking or is damaged"):
        ranking_of(arrays | {"features": ranker.features[:3]}, index, "here")
