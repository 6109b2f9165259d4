"""The MultiClinNER layout: ``<corpus>/<corpus>-<split>/<corpus>-<split>-<task>/{txt/*.txt, tsv/*.tsv}``.

One folder a task; the same document may stand under several. It becomes one Document with exactly the tasks it stands
in, so that symptoms nobody looked for are unknown, not absent.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from clinner_spacy.corpora.document import Document, Mention, Report
from clinner_spacy.corpora.text import read_text
from clinner_spacy.corpora.tsv import TsvRow, read_tsv, write_multiclin_tsv
from clinner_spacy.errors import ClinnerError

__all__ = ["multiclin_tasks", "read_multiclin", "write_multiclin_tsv"]


def read_multiclin(
    path: Path | str, *, tasks: Collection[str] | None = None, report: Report | None = None
) -> Iterator[Document]:
    """Documents of one split (or one task folder), by name; ``tasks`` chooses among its tasks (default: all).

    Raises ClinnerError for a folder of another layout, an unknown task, a document whose text differs between tasks, a
    table that names no text, a file that is not UTF-8 and an offset outside its text.
    """
    folders = _task_folders(Path(path))
    unknown = sorted(set(tasks or ()) - set(folders))
    if unknown:
        raise ClinnerError(f"{path} has no task {', '.join(unknown)}: it has {', '.join(folders)}.")
    chosen = {task: folder for task, folder in folders.items() if tasks is None or task in tasks}
    return _documents(chosen, report if report is not None else Report())


def multiclin_tasks(path: Path | str) -> list[str]:
    """The tasks a split (or task folder) was annotated for; raises ClinnerError for a folder of another layout."""
    return list(_task_folders(Path(path)))


def _task_folders(path: Path) -> dict[str, Path]:
    """Task name -> folder, of a split or of one task; the name is what the folder's has beyond its split's."""
    if not path.is_dir():
        raise ClinnerError(f"{path} is not a folder: give the folder of a split, such as MultiClinNER-es-train.")
    folders = [path] if _is_task(path) else sorted(filter(_is_task, path.iterdir()))
    if not folders:
        splits = [s.name for s in sorted(path.iterdir()) if s.is_dir() and any(map(_is_task, s.iterdir()))]
        advice = f"give one of its splits: {', '.join(splits)}" if splits else "none lies in it"
        raise ClinnerError(f"{path} is not a split with a folder a task, each with txt/ and tsv/: {advice}.")
    return {_task_name(folder.resolve()): folder for folder in folders}


def _is_task(folder: Path) -> bool:
    return (folder / "txt").is_dir() and (folder / "tsv").is_dir()


def _task_name(folder: Path) -> str:
    split = folder.parent.name + "-"
    return folder.name.removeprefix(split) if folder.name.startswith(split) else folder.name.rpartition("-")[2]


def _documents(folders: dict[str, Path], report: Report) -> Iterator[Document]:
    rows = {task: _rows_by_document(folder) for task, folder in folders.items()}
    texts: dict[str, dict[str, Path]] = {}
    for task, folder in folders.items():
        for file in sorted((folder / "txt").glob("*.txt")):
            texts.setdefault(file.stem, {})[task] = file
    for task, table in rows.items():
        for name, (source, found) in table.items():
            if task not in texts.get(name, {}):
                where = f"{source}, line {found[0].line}"
                raise ClinnerError(f"{where}: the filename is that of no text in {folders[task] / 'txt'}.")
    if not texts:
        raise ClinnerError(f"{next(iter(folders.values())) / 'txt'} holds no .txt file.")
    for name, files in sorted(texts.items()):
        document = Document(name, _one_text(files))
        for task in files:
            source, found = rows[task].get(name, (folders[task], []))
            document.mentions[task] = [_mention(row, document.text, source, report) for row in found]
        yield document


def _rows_by_document(folder: Path) -> dict[str, tuple[Path, list[TsvRow]]]:
    """Document name -> the table it stands in and its rows."""
    found: dict[str, tuple[Path, list[TsvRow]]] = {}
    tables = sorted((folder / "tsv").glob("*.tsv"))
    if not tables:
        raise ClinnerError(f"{folder / 'tsv'} holds no .tsv file: without one nothing is known of {folder.name}.")
    for table in tables:
        for row in read_tsv(table):
            found.setdefault(row.document.removesuffix(".txt"), (table, []))[1].append(row)
    return found


def _one_text(files: dict[str, Path]) -> str:
    first, *others = files.values()
    text = read_text(first)
    for other in others:
        if read_text(other) != text:
            raise ClinnerError(f"{first} and {other} are one document by name but differ: rename or repair one.")
    return text


def _mention(row: TsvRow, text: str, source: Path, report: Report) -> Mention:
    if row.start < 0 or row.end > len(text):
        where = f"the {len(text)} characters of {row.document}"
        raise ClinnerError(f"{source}, line {row.line}: start_span to end_span lies outside {where}.")
    report.compare(row.text, text[row.start : row.end])
    return Mention(row.label, ((row.start, row.end),))
