"""Score against precision, drawn: a dot for the mentions of each tenth of scores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from clinner_spacy.scoring.calibration import Bin

#: Sides of the square that is drawn into, the margin around it, and the radius of the largest dot.
SIDE, MARGIN, RADIUS = 280, 40, 14


def draw_chart(bins: Sequence[Bin]) -> Iterator[str]:
    """An SVG, and the same as a table."""
    size = SIDE + 2 * MARGIN
    yield f'<svg role="img" width="{size}" height="{size}" viewBox="0 0 {size} {size}" fill="none">\n'
    yield "<title>Precision of mentions by their score</title>\n"
    yield f'<rect x="{MARGIN}" y="{MARGIN}" width="{SIDE}" height="{SIDE}" stroke="currentColor" opacity=".4"/>\n'
    (x0, y0), (x1, y1) = _at(0, 0), _at(1, 1)
    yield f'<path d="M{x0} {y0} L{x1} {y1}" stroke="currentColor" stroke-dasharray="4" opacity=".4"/>\n'
    for tick in (0.0, 0.5, 1.0):
        yield _text(*_at(tick, 0), f"{tick:g}", "middle", 18)
        yield _text(_at(0, tick)[0] - 8, _at(0, tick)[1], f"{tick:g}", "end", 5)
    yield _text(_at(0.5, 0)[0], size - 6, "score", "middle", 0)
    yield _text(_at(0, 1)[0], MARGIN - 12, "precision", "middle", 0)
    largest = max(b.size for b in bins)
    for b in bins:
        x, y = _at(b.score, b.right)
        radius = max(2.0, RADIUS * (b.size / largest) ** 0.5)
        yield f'<circle cx="{x}" cy="{y}" r="{radius:.1f}" fill="currentColor" opacity=".7">'
        yield f"<title>{b.size} mentions, score {b.score:.2f}, precision {b.right:.2f}</title></circle>\n"
    yield "</svg>\n<table><tr><th>score</th><th>mentions</th><th>mean score</th><th>precision</th></tr>\n"
    for b in bins:
        yield f"<tr><td>{b.low:.1f}–{b.high:.1f}</td><td>{b.size:,}</td>"
        yield f"<td>{b.score:.2f}</td><td>{b.right:.2f}</td></tr>\n"
    yield "</table>\n"


def _at(score: float, precision: float) -> tuple[float, float]:
    return round(MARGIN + SIDE * score, 1), round(MARGIN + SIDE * (1 - precision), 1)


def _text(x: float, y: float, words: str, anchor: str, below: int) -> str:
    return f'<text x="{x}" y="{y + below}" text-anchor="{anchor}" font-size="12" fill="currentColor">{words}</text>\n'
