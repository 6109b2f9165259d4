"""Print a table of mentions by note and label: ``python assets/table.py demo.tsv``."""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from clinner_spacy.corpora.tsv import read_tsv

#: Mentions of one kind shown for a note.
SHOWN = 5


def main(path: str) -> None:
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for row in read_tsv(Path(path)):
        found[row.document][row.label].append(row.text)
    labels = sorted({label for by_label in found.values() for label in by_label})
    table = Table("note", *labels, title="Mentions found by the embedded model", show_lines=True)
    for note, by_label in found.items():
        table.add_row(note, *(_cell(by_label[label]) for label in labels))
    console = Console()
    console.width = max(console.width, 100)
    console.print(table)


def _cell(mentions: list[str]) -> str:
    distinct = list(dict.fromkeys(mentions))
    more = f", and {len(distinct) - SHOWN} more" if len(distinct) > SHOWN else ""
    return ", ".join(distinct[:SHOWN]).replace("[", r"\[") + more


if __name__ == "__main__":
    main(sys.argv[1])
