"""Damaged corpora: each is read as it stands or refused in one sentence, never half read, never a traceback.

What a reader should find is counted here by rules of their own, simpler than the readers'.
"""

from __future__ import annotations

import csv
import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from clinner_spacy.cli.model import blank
from clinner_spacy.corpora.brat import read_brat
from clinner_spacy.corpora.conll import read_conll
from clinner_spacy.corpora.document import Document, Report, to_doc
from clinner_spacy.corpora.multiclin import read_multiclin
from clinner_spacy.errors import ClinnerError
from clinner_spacy.scoring.tsv import evaluate, read_spans

NLP = blank("es")

#: Mutations of each kind of file.
TRIES = 600

#: Words that no error may show.
SECRETS = ("Zacarías", "Quintanilla", "998877", "fiebre", "bronquitis")

NOTE = "Zacarías Quintanilla, NHC 998877, refiere fiebre\ny bronquitis aguda."

BRAT = (
    "T1\tSYMPTOM 42 48\tfiebre\n"
    "T2\tDISEASE 51 67\tbronquitis aguda\n"
    "R1\tHas Arg1:T1 Arg2:T2\n"
    "#1\tAnnotatorNotes T1\tx\n"
)
TABLE = (
    "filename\tlabel\tstart_span\tend_span\ttext\n"
    "a\tSYMPTOM\t42\t48\tfiebre\n"
    "a\tDISEASE\t51\t67\tbronquitis aguda\n"
)
COLUMNS = (
    "Zacarías\tO\t0\t8\n"
    "Quintanilla\tO\t9\t20\n"
    "fiebre\tB-SYMPTOM\t42\t48\n"
    "\n"
    "bronquitis\tB-DISEASE\t51\t61\n"
    "aguda\tI-DISEASE\t62\t67\n"
)
PLAIN = "Zacarías O\n998877 O\n\nfiebre B-SYMPTOM\ny O\nbronquitis B-DISEASE\naguda I-DISEASE\n"
COMMAS = 'id,token,ner\n1,Zacarías,O\n1,fiebre,B-SYMPTOM\n1,",",O\n1,bronquitis,B-DISEASE\n'

PIECES = [b"\t", b" ", b"\n", b"\r", b"\r\n", b'"', b",", b";", b":", b"-", b"\xef\xbb\xbf", b"\x00", b"\xff", b"\x1c5"]
PIECES += [b"\xe2\x80\xa8", b"\x85", b"9" * 40, b"-1", b"0", b"T1", b"#", b"*", b"O", b"B-", b"998877", b"Quintanilla"]


def mutate(content: str, dice: random.Random) -> bytes:
    """One to three changes of bytes, cells or lines."""
    data = content.encode()
    for _ in range(dice.randint(1, 3)):
        at, to = sorted((dice.randrange(len(data) + 1), dice.randrange(len(data) + 1)))
        lines = data.split(b"\n")
        one, two = dice.randrange(len(lines)), dice.randrange(len(lines))
        kind = dice.randrange(8)
        if kind == 0:
            data = data[:at] + dice.choice(PIECES) + data[at:]
        elif kind == 1:
            data = data[:at] + data[min(to, at + 8) :]
        elif kind == 2:
            data = data[:at]
        elif kind == 3:
            lines[one], lines[two] = lines[two], lines[one]
            data = b"\n".join(lines)
        elif kind == 4:
            data = b"\n".join([*lines[:one], lines[two], *lines[one:]])
        elif kind == 5:
            cells = re.split(rb"([\t ,])", lines[one])
            a, b = dice.randrange(len(cells)), dice.randrange(len(cells))
            cells[a], cells[b] = cells[b], cells[a]
            data = b"\n".join([*lines[:one], b"".join(cells), *lines[one + 1 :]])
        elif kind == 6:
            data = re.sub(rb"(?m)^([^\t\n]*)\t([^\t\n]*)", rb"\2\t\1", data)
        else:
            data = data.replace(b"\n", dice.choice((b"\r\n", b"\r")))
    return data


def lines_of(data: bytes) -> list[str]:
    return re.split(r"\r\n|\n|\r", data.decode().removeprefix("\ufeff"))


def brat(folder: Path, data: bytes) -> None:
    (folder / "a.txt").write_text(NOTE)
    (folder / "a.ann").write_bytes(data)
    report = Report()
    (document,) = read_brat(folder, report=report)
    marked = sum(line.startswith("T") for line in lines_of(data))
    assert sum(map(len, document.mentions.values())) == marked
    related = sum(line.startswith("R") for line in lines_of(data))
    assert len(document.relations or ()) + report.relations_lost == related
    as_docs([document], marked)


def table(folder: Path, data: bytes) -> None:
    task = folder / "c" / "c-x"
    for kind in ("txt", "tsv"):
        (task / kind).mkdir(parents=True, exist_ok=True)
    (task / "txt" / "a.txt").write_text(NOTE)
    (task / "tsv" / "a.tsv").write_bytes(data)
    documents = list(read_multiclin(folder / "c"))
    if b'"' not in data:  # a quoted text may run over lines, as in the official evaluation
        as_docs(documents, sum(bool(line.strip()) for line in lines_of(data)) - 1)


def measured(folder: Path, data: bytes) -> None:
    (folder / "t.tsv").write_bytes(data)
    spans = read_spans(folder / "t.tsv")
    evaluate(spans, spans, entity="SYMPTOM", per_document=True)
    if b'"' not in data:
        assert len(spans) == sum(bool(line.strip()) for line in lines_of(data)) - 1


def columns(folder: Path, data: bytes) -> None:
    (folder / "a.conll").write_bytes(data)
    documents = list(read_conll(folder / "a.conll", task="all"))
    lines = lines_of(data)
    if b"\t" in data:  # a line without a tab that begins so is a comment
        words = [line.split("\t")[0] for line in lines if "\t" in line or not line.startswith("#")]
    else:
        words = [line.split()[0] for line in lines if line.strip()]
    if b"DOCSTART" not in data:
        assert squeezed("".join(d.text for d in documents)) == squeezed("".join(words))
    as_docs(documents)


def commas(folder: Path, data: bytes) -> None:
    (folder / "a.csv").write_bytes(data)
    documents = list(read_conll(folder / "a.csv", task="all"))
    rows = [row for row in csv.reader(lines_of(data)) if any(row)]
    at = rows[0].index("token")
    assert squeezed("".join(d.text for d in documents)) == squeezed("".join(row[at] for row in rows[1:]))
    as_docs(documents)


def as_docs(documents: list[Document], mentions: int | None = None) -> None:
    """All mentions become spans, but for those that are counted."""
    report = Report()
    docs = [to_doc(document, NLP, report=report) for document in documents]
    spans = sum(len(group) for doc in docs for key, group in doc.spans.items() if key != "sc")
    assert spans + report.duplicates + report.without_words == report.mentions
    assert mentions in (None, report.mentions)


def squeezed(text: str) -> str:
    return "".join(text.split())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("read", "content"),
    [(brat, BRAT), (table, TABLE), (measured, TABLE), (columns, COLUMNS), (columns, PLAIN), (commas, COMMAS)],
)
def test_mutations(read: Callable[[Path, bytes], None], content: str, tmp_path: Path) -> None:
    dice = random.Random(f"{read.__name__} {len(content)}")
    read(tmp_path, content.encode())
    refused = 0
    for number in range(TRIES):
        data = mutate(content, dice)
        try:
            read(tmp_path, data)
        except ClinnerError as error:
            refused += 1
            message = str(error)
            assert "\n" not in message and not any(secret in message for secret in SECRETS), (number, data)
        except BaseException as error:
            raise AssertionError(f"{number}: {data!r}") from error
    print(f"{read.__name__}: {TRIES} mutations, {refused} refused, the others read whole")
    assert TRIES * 0.2 < refused < TRIES * 0.98
