"""A file is there whole or not at all."""

from __future__ import annotations

import pytest

from clinner_spacy.errors import ClinnerError
from clinner_spacy.files import replacing


def test_written_as_given(tmp_path):
    with replacing(tmp_path / "a.txt") as file:
        file.write("ñ\r\nș\n")
        assert not (tmp_path / "a.txt").exists()
    assert (tmp_path / "a.txt").read_bytes() == "ñ\r\nș\n".encode()


def test_a_failure_leaves_what_was_there(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), replacing(path, "wb") as file:
        file.write(b"new")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["no/such/folder/a.txt", "folder", "file/a.txt"])
def test_an_unwritable_place_is_named(tmp_path, name):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    with pytest.raises(ClinnerError, match=r"cannot be written"), replacing(tmp_path / name) as file:
        file.write("x")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder"]
