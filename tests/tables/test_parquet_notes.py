from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clinner_spacy import Annotate
from clinner_spacy.errors import ClinnerError
from clinner_spacy.tables.parquet_notes import check_notes, find_parquet

ANNOTATE = Annotate("never loaded", keep=["day"])
NOTES = pa.table({"other": [0.5, 0.5], "note_id": ["a", "b"], "text": ["tos", "fiebre"], "day": [1, 2]})


def write(folder: Path, *tables: pa.Table) -> list[Path]:
    for number, table in enumerate(tables):
        pq.write_table(table, folder / f"{number}.parquet")
    return find_parquet(folder)


def with_column(name: str, column: list) -> pa.Table:
    return NOTES.set_column(NOTES.column_names.index(name), name, pa.array(column))


def test_the_columns_that_are_read(tmp_path: Path) -> None:
    files = write(tmp_path, NOTES, with_column("note_id", ["c", "d"]))
    assert [file.name for file in files] == ["0.parquet", "1.parquet"]
    table = check_notes(files, ANNOTATE)
    assert len(table) == 0 and table.schema == NOTES.select(["note_id", "text", "day"]).schema


@pytest.mark.parametrize(
    ("second", "sentence"),
    [
        (NOTES.drop(["text"]), "1.parquet lacks the column 'text'; it has other, note_id, day"),
        (with_column("note_id", ["c", "b"]), "^1 notes have an id that an earlier note has"),
        (with_column("note_id", ["c", None]), "1.parquet: The column 'note_id' has 1 nulls in 2 rows"),
        (with_column("note_id", [1, 2]), "1.parquet has the column 'note_id' as int64, .*0.parquet as string"),
    ],
)
def test_files_that_do_not_fit(tmp_path: Path, second: pa.Table, sentence: str) -> None:
    with pytest.raises(ClinnerError, match=sentence):
        check_notes(write(tmp_path, NOTES, second), ANNOTATE)


def test_bookkeeping_is_passed_over_below_the_folder_alone(tmp_path: Path) -> None:
    folder = tmp_path / "_notes"
    for name in ("a/1.parquet", "_delta_log/0.parquet", ".hidden/x/2.parquet", "_SUCCESS.parquet"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(NOTES, folder / name)
    (folder / "_temporary").symlink_to(tmp_path / "nowhere")
    assert find_parquet(folder) == [folder / "a" / "1.parquet"]


@pytest.mark.parametrize("statistics", [True, False])
def test_a_text_that_is_null_is_found_before_the_job(tmp_path: Path, statistics: bool) -> None:
    table = with_column("text", ["tos", None])
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=1, write_statistics=statistics)
    with pytest.raises(ClinnerError, match=r"a\.parquet: The column 'text' has 1 nulls; leave"):
        check_notes(find_parquet(tmp_path), ANNOTATE)


def test_broken_and_missing_files(tmp_path: Path) -> None:
    with pytest.raises(ClinnerError, match=r"holds no \.parquet file"):
        find_parquet(tmp_path)
    with pytest.raises(ClinnerError, match="is no directory"):
        find_parquet(tmp_path / "not there")
    (file,) = write(tmp_path, NOTES)
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(ClinnerError, match=r"0\.parquet cannot be read as Parquet"):
        check_notes([file], ANNOTATE)
    (tmp_path / "1.parquet").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ClinnerError, match=r"1\.parquet cannot be read"):
        find_parquet(tmp_path)
