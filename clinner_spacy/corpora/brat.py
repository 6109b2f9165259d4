"""brat standoff: ``x.txt`` with ``x.ann`` beside it. https://brat.nlplab.org/standoff.html

Read: mentions (``T``, discontinuous ones too), annotators' notes (``#``), binary relations (``R``), and of attributes
(``A``) those that say whether a mention is negated, uncertain, of the family, historical or hypothetical; codes of
concepts, from normalizations (``N``) or notes, where asked for. An event (``E``) is known only as another name of its
trigger; events, other attributes, other normalizations and equivalences are counted as not read.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Literal

from clinner_spacy.assertion.categories import ATTRIBUTES
from clinner_spacy.corpora.document import Document, Fragment, Mention, Relation, Report
from clinner_spacy.corpora.labels import NO_TASK, into_tasks, rename_labels
from clinner_spacy.corpora.text import document_name, read_text
from clinner_spacy.errors import ClinnerError
from clinner_spacy.files import CONTROL, find_files, making_folder

#: Where the code of a mention's concept stands: in a normalization, behind the colon, or as the first line of its note.
Codes = Literal["normalizations", "notes"] | None

KINDS = {"E": "events", "A": "attributes", "M": "attributes", "*": "equivalences"}


def read_brat(
    path: Path | str,
    *,
    labels: Mapping[str, str] | None = None,
    only: Collection[str] | None = None,
    task: str | None = None,
    relations: Literal["corpus", "document"] = "corpus",
    codes: Codes = None,
    report: Report | None = None,
) -> Iterator[Document]:
    """Documents of a folder and those below it, by name (the path below ``path``, without suffix).

    ``labels`` renames (source name -> ours), ``only`` chooses among our names. Each label becomes a task of its own, in
    lower case, so that mentions of different labels may overlap; ``task`` puts them all into one. A text without
    ``.ann`` comes without tasks. ``relations`` says what an ``.ann`` without an ``R`` line means: "corpus", that it has
    no relations if others of the folder have, "document", that nobody looked for relations there. ``codes`` says where
    codes of concepts stand; None: nowhere. Raises ClinnerError for a first note with white space where notes are codes,
    for a folder without ``.txt`` or ``.ann``, an ``.ann`` without its text, a line that cannot be read (with its
    number), an offset outside the text, an unknown label and a file that is not UTF-8.
    """
    report = report if report is not None else Report()
    folder = Path(path)
    files, unreadable = find_files(folder) if folder.is_dir() else ([], [])
    if unreadable:
        raise ClinnerError(f"{unreadable[0]} cannot be read: no file or folder that can be opened; remove it.")
    texts = sorted(Path(file) for file in files if file.endswith(".txt"))
    annotations = {Path(file) for file in files if file.endswith(".ann")}
    if not texts or not annotations:
        raise ClinnerError(
            f"{path} holds no .{'ann' if texts else 'txt'} file: give a folder with x.txt and x.ann side by side."
        )
    alone = sorted(annotations - {text.with_suffix(".ann") for text in texts})
    if alone:
        raise ClinnerError(f"{alone[0]} has no {alone[0].stem}.txt beside it.")
    if relations not in ("corpus", "document"):
        raise ClinnerError(f'relations={relations!r} is unknown; use "corpus" or "document".')
    if codes not in (None, "normalizations", "notes"):
        raise ClinnerError(f'codes={codes!r} is unknown; use "normalizations" or "notes", or leave it out.')
    documents = [_read(text, folder, codes, report) for text in texts]
    if relations == "document" or not any(document.relations for document in documents):
        for document in documents:
            document.relations = document.relations or None
    _share_attributes(documents)
    rename_labels(documents, labels, only, report)
    yield from into_tasks(documents, task)


@dataclass
class _Lines:
    """The lines of one ``.ann``, sorted by kind."""

    mentions: dict[str, Mention] = field(default_factory=dict)
    number: int = 0  # of the line that is being read
    notes: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    first_notes: dict[str, int] = field(default_factory=dict)  # target -> the line of its first note
    triggers: dict[str, str] = field(default_factory=dict)
    relations: list[Relation] = field(default_factory=list)
    attributes: list[tuple[str, str]] = field(default_factory=list)
    normalizations: list[tuple[str, str]] = field(default_factory=list)


def _share_attributes(documents: Sequence[Document]) -> None:
    """What one mention of a corpus was annotated for, all were."""
    mentions = [mention for document in documents for mention in document.mentions.get(NO_TASK, ())]
    found = {name for mention in mentions for name in mention.attributes}
    for document in documents:
        document.attributes = tuple(name for name in ATTRIBUTES if name in found)


def _read(source: Path, folder: Path, codes: Codes, report: Report) -> Document:
    document = Document(document_name(source.relative_to(folder)), read_text(source))
    path = source.with_suffix(".ann")
    if not path.exists():
        report.not_read["texts without .ann"] += 1
        return document
    lines = _Lines()
    for number, line in enumerate(re.split(r"\r\n|\n|\r", read_text(path).removeprefix("\ufeff")), 1):
        if line.strip():
            lines.number = number
            try:
                _read_line(line, document.text, lines, report)
            except (ValueError, LookupError) as error:
                why = str(error) if isinstance(error, ClinnerError) else "not a line of brat standoff"
                raise ClinnerError(f"{path}, line {number}: {why}.") from error
    noted: dict[str, int] = {}
    for target, notes in lines.notes.items():
        mention = lines.mentions.get(lines.triggers.get(target, target))
        if mention is None:
            report.not_read["notes on other than mentions"] += len(notes)
        else:
            if target in lines.first_notes:
                noted.setdefault(mention.id, lines.first_notes[target])
            lines.mentions[mention.id] = replace(mention, note="\n".join(filter(None, [mention.note, *notes])))
    for name, target in lines.attributes:
        mention = lines.mentions.get(lines.triggers.get(target, target))
        if mention is None:
            report.not_read["attributes"] += 1
        else:
            lines.mentions[mention.id] = replace(mention, attributes=mention.attributes | {name})
    if codes == "notes":
        _check_codes(lines, noted, path)
    _set_codes(lines, codes, report)
    document.coded = codes is not None
    document.mentions[NO_TASK] = list(lines.mentions.values())
    document.relations = [
        replace(r, head=lines.triggers.get(r.head, r.head), tail=lines.triggers.get(r.tail, r.tail))
        for r in lines.relations
    ]
    return document


def _check_codes(lines: _Lines, noted: Mapping[str, int], path: Path) -> None:
    """Raise ClinnerError, with the line of the note, for a note whose first line is no code but words."""
    for name, number in noted.items():
        if len(lines.mentions[name].note.partition("\n")[0].split()) > 1:
            raise ClinnerError(
                f"{path}, line {number}: the note has white space, so it is no code; put the code into a note "
                "of its own before it, or take the note out."
            )


def _set_codes(lines: _Lines, codes: Codes, report: Report) -> None:
    """Give each mention the code of its first normalization, or the first line of its note, which then goes there."""
    if codes == "notes":
        for name, mention in lines.mentions.items():
            code, _, note = mention.note.partition("\n")
            lines.mentions[name] = replace(mention, code=code.strip(), note=note)
    for target, code in lines.normalizations:
        name = lines.triggers.get(target, target)
        target_mention = lines.mentions.get(name)
        if codes == "normalizations" and target_mention is not None and not target_mention.code:
            lines.mentions[name] = replace(target_mention, code=code)
        else:
            report.not_read["normalizations"] += 1


def _read_line(line: str, text: str, lines: _Lines, report: Report) -> None:
    """Sort one line in; any ValueError or LookupError means it is malformed."""
    name, body, *rest = line.split("\t", 2)
    given = rest[0] if rest else ""
    if name[0] == "T":
        label, _, offsets = body.partition(" ")
        if not label or CONTROL.search(label):
            raise ClinnerError("the label is empty or holds a control character")
        fragments = [_fragment(part, len(text)) for part in offsets.split(";")]
        report.compare(given, " ".join(text[start:end] for start, end in fragments))
        if name in lines.mentions:
            raise ClinnerError("its id is there twice; give each mention an id of its own")
        lines.mentions[name] = Mention(label, tuple(sorted(fragments)), id=name)
    elif name[0] == "#":
        kind, target = body.split(" ")
        if kind == "AnnotatorNotes":
            lines.notes[target].append(given)
            if given:
                lines.first_notes.setdefault(target, lines.number)
        else:
            report.not_read["notes of other kinds"] += 1
    elif name[0] == "R":
        label, head, tail = body.split()
        lines.relations.append(Relation(label, head.split(":")[1], tail.split(":")[1]))
    elif name[0] in "AM" and len(body.split()) == 2 and body.split()[0].lower() in ATTRIBUTES:
        attribute, target = body.split()
        lines.attributes.append((attribute.lower(), target))
    elif name[0] == "N":
        _, target, entry = body.split(" ", 2)
        lines.normalizations.append((target, entry.partition(":")[2].strip() or entry.strip()))
    else:
        report.not_read[KINDS[name[0]]] += 1
        if name[0] == "E":
            lines.triggers[name] = body.split()[0].split(":")[1]


def _fragment(offsets: str, length: int) -> Fragment:
    if not re.fullmatch(r"[0-9]{1,12} [0-9]{1,12}", offsets):
        raise ClinnerError("an offset is not a whole number")
    start, end = map(int, offsets.split(" "))
    if not start < end <= length:
        raise ClinnerError(f"its offsets are empty or lie outside the {length} characters of the text")
    return start, end


def write_brat(folder: Path | str, documents: Iterable[Document]) -> int:
    """Write ``name.txt`` (the very characters) and ``name.ann`` of each document into a new folder; gives their number.

    A mention that crosses a line end becomes discontinuous there, as brat has it; ids are kept where they are brat's
    and unique; a space in a label, where brat's ends, becomes ``_``. The folder appears whole or not at all. Raises
    ClinnerError when it exists and is not empty, cannot be written, two documents have one name, or two labels would.
    """
    count = 0
    meant: dict[str, str] = {}  # brat's spelling -> the label
    with making_folder(folder) as building:
        for document in documents:
            check_labels(_labels_in(document), meant)
            _write(building, document)
            count += 1
    return count


def _write(folder: Path, document: Document) -> None:
    name = PurePosixPath(document.name)
    if not document.name or name.is_absolute() or ".." in name.parts or CONTROL.search(document.name):
        raise ClinnerError(f"A document is named {document.name!r}: that is no name of a file.")
    for suffix, content in ((".txt", document.text), (".ann", _standoff(document))):
        target = folder / f"{name}{suffix}"
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            raise ClinnerError(f"Two documents are named {document.name}: names must differ.")
        with target.open("w", encoding="utf-8", newline="") as handle:
            handle.write(content)


def _standoff(document: Document) -> str:
    mentions = [mention for group in document.mentions.values() for mention in group]
    ids = [mention.id for mention in mentions]
    if len(set(ids)) < len(ids) or not all(re.fullmatch(r"T\d+", id) for id in ids):
        ids = [f"T{n}" for n in range(1, len(mentions) + 1)]
    new_id = {mention.id: id for mention, id in zip(mentions, ids, strict=True)}
    lines = []
    notes = 0
    for mention, id in zip(mentions, ids, strict=True):
        fragments = [piece for fragment in mention.fragments for piece in _pieces(document.text, fragment)]
        offsets = ";".join(f"{start} {end}" for start, end in fragments)
        text = " ".join(document.text[start:end] for start, end in fragments)
        lines.append(f"{id}\t{_label(mention.label)} {offsets}\t{_one_line(text)}")
        for note in filter(None, mention.note.split("\n")):
            notes += 1
            lines.append(f"#{notes}\tAnnotatorNotes {id}\t{_one_line(note)}")
    coded = [(mention.code, id) for mention, id in zip(mentions, ids, strict=True) if mention.code]
    lines += [f"N{number}\tReference {id} code:{_one_line(code)}\t" for number, (code, id) in enumerate(coded, 1)]
    said = [(name, id) for mention, id in zip(mentions, ids, strict=True) for name in sorted(mention.attributes)]
    lines += [f"A{number}\t{name.capitalize()} {id}" for number, (name, id) in enumerate(said, 1)]
    for number, relation in enumerate(document.relations or (), 1):
        head, tail = new_id[relation.head], new_id[relation.tail]
        lines.append(f"R{number}\t{_label(relation.label)} Arg1:{head} Arg2:{tail}\t")
    return "".join(line + "\n" for line in lines)


def _labels_in(document: Document) -> list[str]:
    mentions = [mention.label for group in document.mentions.values() for mention in group]
    return [*mentions, *(relation.label for relation in document.relations or ())]


def check_labels(labels: Iterable[str], meant: dict[str, str]) -> None:
    """Raise ClinnerError for a label that brat cannot hold, or would spell as another before it.

    meant: brat's spelling -> the label, of those before; these are added.
    """
    for label in labels:
        other = meant.setdefault(_label(label), label)
        if other != label:
            raise ClinnerError(f"Labels {other!r} and {label!r} are both {_label(label)} in brat; rename one.")


def _label(label: str) -> str:
    """A label as brat can hold it, without spaces."""
    if not label.strip() or CONTROL.search(label):
        raise ClinnerError(f"A label is empty or holds a control character: {label!r}; rename it.")
    return re.sub(r"\s", "_", label.strip())


def _pieces(text: str, fragment: Fragment) -> list[Fragment]:
    """A fragment cut at line ends, which brat's cannot hold."""
    start, end = fragment
    return [(start + m.start(), start + m.end()) for m in re.finditer(r"[^\r\n]+", text[start:end])] or [fragment]


def _one_line(text: str) -> str:
    return re.sub(r"[\t\r\n]", " ", text)
