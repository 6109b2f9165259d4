"""The frame of the page that ``multiclin render`` writes; how texts look is the service's page's style, too."""

from functools import cache
from html import escape

from clinner_spacy.files import PAGE

FRAME = """
body { max-width: 52rem; }
header { position: sticky; top: 0; z-index: 1; padding: .8rem 0; background: var(--paper);
  border-bottom: 1px solid var(--line); }
h1 { position: absolute; left: -100rem; }
h2 { display: flex; gap: 1rem; justify-content: space-between; margin: 2.4rem 0 .4rem; font-size: 14px;
  color: var(--faint); overflow-wrap: anywhere; }
h2 a { font-weight: 400; }
details { margin: .8rem 0; }
summary { color: var(--faint); font-size: 14px; cursor: pointer; }
#index { scroll-margin: 4rem; }
@media (max-width: 40rem) { header { position: static; } }
@media print { header { position: static; } h2 a { display: none; } article { break-inside: avoid-page; } }
"""

HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<meta name="referrer" content="no-referrer">
<title>Clinical mentions</title>
<style>
{style}</style>
</head>
<body>
<header><h1>Clinical mentions</h1><ul class="legend">{legend}</ul></header>
<main>
"""

FOOT = "</main>\n</body>\n</html>\n"


def head(rules: str, legend: str) -> str:
    """The page up to its first text. rules: of the labels; legend: entries of a list."""
    return HEAD.format(style=_style_of_texts() + FRAME + rules, legend=legend)


def language_tag(lang: str) -> str:
    """HTML's name of spaCy's language of any text, and of the others."""
    return "und" if lang == "xx" else escape(lang)


@cache
def _style_of_texts() -> str:
    return (PAGE / "mentions.css").read_text(encoding="utf-8")
