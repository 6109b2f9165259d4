"""Texts with their mentions as one HTML page without scripts: legend, index, then note by note."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from clinner_spacy.cli.marked import concept, label_rules, marked_text, said, shown
from clinner_spacy.cli.relations import render_relations
from clinner_spacy.cli.style import FOOT, head, language_tag
from clinner_spacy.files import replacing
from clinner_spacy.tables.found import AnnotatedText, Found

#: How mentions are shown that are not simply there.
ASSERTION_LEGEND = (
    '<li><span class="key hollow"></span><s>negated</s></li>'
    '<li><span class="key hollow"></span>uncertain, of the family, historical or hypothetical</li>'
)

#: Around a table: it scrolls for itself, with keys, too.
WIDE = '<div class="wide" tabindex="0">'


def write_page(
    path: Path, texts: Iterable[AnnotatedText], tasks: Mapping[str, str], lang: str, assertion: bool = False
) -> None:
    """Write one page with all ``texts``; tasks: label -> task, which has the colour; assertion: say in the legend how
    mentions are shown that are not simply there. The page appears whole or not, and memory holds one text at a time.

    What comes first on the page is known last: texts and index wait in nameless files beside it.
    """
    totals: Counter[str] = Counter()
    count = 0
    with replacing(path) as file, _waiting(path) as index, _waiting(path) as body:
        for count, text in enumerate(texts, 1):
            counts = Counter(found.label for found in text.found)
            totals += counts
            index.write(_index_row(count, text.name, counts, tasks))
            body.writelines(render_note(count, text, tasks, lang))
        file.write(head("".join(label_rules(tasks)), _legend(tasks, totals) + (ASSERTION_LEGEND if assertion else "")))
        if count > 1:
            file.write(_index_head(count, tasks))
            _copy(index, file)
            file.write("</tbody></table></div></details>\n")
        _copy(body, file)
        file.write(FOOT)


def render_note(number: int, text: AnnotatedText, tasks: Mapping[str, str], lang: str) -> Iterator[str]:
    """A text with its mentions marked, the mentions as a table, its relations."""
    class_of = {label: n for n, label in enumerate(tasks)}
    prefix = f"n{number}"
    yield f'<article id="{prefix}">\n<h2><span>{shown(text.name)}</span><a href="#top">to the top</a></h2>\n'
    yield f'<div class="text" lang="{language_tag(lang)}" translate="no">'
    yield from marked_text(text.text, text.found, class_of, prefix)
    yield "</div>\n"
    yield from _table(text, prefix) if text.found else ()
    yield from render_relations(text)
    yield "</article>\n"


def _table(text: AnnotatedText, prefix: str) -> Iterator[str]:
    """The mentions, for those who do not see the marks; each leads to its own."""
    asserted = any(found.said for found in text.found)
    linked = any(found.code is not None for found in text.found)
    names = ["Mention", "Label", "Score", *(["Said of it"] if asserted else []), *(["Code"] if linked else [])]
    yield f"<details><summary>{_number(len(text.found), 'mention')}</summary>{WIDE}<table>"
    yield "<thead><tr>" + "".join(f'<th scope="col">{name}</th>' for name in names) + "</tr></thead>\n<tbody>\n"
    for n, found in enumerate(text.found):
        yield f'<tr><td><a href="#{prefix}-{n}">{shown(text.text[found.start : found.end])}</a></td>'
        yield "".join(f"<td>{shown(cell)}</td>" for cell in _cells(found, asserted, linked)) + "</tr>\n"
    yield "</tbody></table></div></details>\n"


def _cells(found: Found, asserted: bool, linked: bool) -> Iterator[str]:
    yield found.label
    yield f"{found.score:.2f}"
    if asserted:
        yield ", ".join(said(found))
    if linked:
        yield concept(found)


def _index_head(count: int, tasks: Mapping[str, str]) -> str:
    labels = "".join(f'<th scope="col" class="number">{shown(label)}</th>' for label in tasks)
    return (
        f'<details id="index" open><summary>{_number(count, "note")}</summary>{WIDE}<table>'
        f'<thead><tr><th scope="col">Note</th>{labels}</tr></thead>\n<tbody>\n'
    )


def _index_row(number: int, name: str, counts: Mapping[str, int], tasks: Mapping[str, str]) -> str:
    cells = "".join(f'<td class="number">{counts.get(label) or ""}</td>' for label in tasks)
    return f'<tr><td><a href="#n{number}">{shown(name)}</a></td>{cells}</tr>\n'


def _legend(tasks: Mapping[str, str], totals: Mapping[str, int]) -> str:
    """An entry a label: its colour, how many there are, and its task where the label does not say it."""
    entries = []
    for n, (label, task) in enumerate(tasks.items()):
        of = "" if label == task.upper() else f" ({shown(task)})"
        count = f'<span class="count">{totals.get(label, 0):,}</span>'
        entries.append(f'<li><span class="key m{n}"></span>{shown(label)}{of} {count}</li>')
    return "".join(entries)


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _waiting(path: Path) -> IO[str]:
    return TemporaryFile("w+", encoding="utf-8", newline="", dir=path.resolve().parent)


def _copy(source: IO[str], target: IO[str]) -> None:
    source.seek(0)
    shutil.copyfileobj(source, target)
