"""A file is there whole or not at all."""

from __future__ import annotations

import pytest

from clinner_spacy.errors import ClinnerError
from clinner_spacy.files import find_files, making_folder, replacing


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


def test_two_that_write_one_file_never_meet(tmp_path):
    path = tmp_path / "a.txt"
    with replacing(path) as one, replacing(path) as two:
        one.write("one")
        two.write("two")
        assert len(list(tmp_path.iterdir())) == 2
    assert path.read_text() == "one" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["ñ" * 127, "a" * 255])
def test_a_name_as_long_as_names_may_be(tmp_path, name):
    with replacing(tmp_path / name) as file:
        file.write("x")
    assert (tmp_path / name).read_text() == "x"


def test_a_folder_appears_whole(tmp_path):
    (tmp_path / "empty").mkdir()
    for name in ("new", "empty"):
        with making_folder(tmp_path / name) as folder:
            (folder / "a").write_text("x")
            assert not (tmp_path / name / "a").exists()
        assert (tmp_path / name / "a").read_text() == "x"
    with pytest.raises(ClinnerError, match="exists already"), making_folder(tmp_path / "new"):
        pass
    with pytest.raises(KeyError), making_folder(tmp_path / "other") as folder:
        (folder / "a").write_text("x")
        raise KeyError
    assert sorted(p.name for p in tmp_path.iterdir()) == ["empty", "new"]


def test_what_others_put_there_meanwhile_stays(tmp_path):
    with pytest.raises(ClinnerError, match="cannot be written"), making_folder(tmp_path / "new"):
        (tmp_path / "new").mkdir()
        (tmp_path / "new" / "theirs").write_text("x")
    assert [p.name for p in tmp_path.rglob("*")] == ["new", "theirs"]


def test_files_behind_links_are_found_and_dead_links_told(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "b").write_text("")
    (tmp_path / "in" / "linked").symlink_to(tmp_path / "other")
    (tmp_path / "other" / "back").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "dead").symlink_to(tmp_path / "nowhere")
    (tmp_path / "in" / "self").symlink_to(tmp_path / "in" / "self")
    files, unreadable = find_files(tmp_path / "in")
    assert files == [str(tmp_path / "in" / "linked" / "b")]
    assert unreadable == [str(tmp_path / "in" / name) for name in ("dead", "self")]
