"""The frame of the page that ``multiclin render`` writes: head, style sheet, foot."""

from string import Template

#: Height of a row under the text, in pixels: a bar with its label.
ROW = 13

HEAD = Template(
    """<!DOCTYPE html>
<html lang="$lang">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Clinical mentions</title>
<style>
body { max-width: 50rem; margin: 0 auto; padding: 0 1.5rem 5rem; background: #fdfdfb; color: #1d2329;
  font: 17px/1.5 Charter, "Bitstream Charter", Georgia, "DejaVu Serif", serif; }
header, h2, b { font-family: system-ui, -apple-system, "Segoe UI", Helvetica, Arial, "DejaVu Sans", sans-serif; }
header { position: sticky; top: 0; z-index: 1; padding: .9rem 0; background: #fdfdfb; border-bottom: 1px solid #e3e3dd;
  font-size: 14px; }
header i { display: inline-block; width: .8em; height: .8em; margin: 0 .5em 0 1.6em; border-radius: 2px; }
header i:first-child { margin-left: 0; }
h2 { margin: 2.2rem 0 .5rem; font-size: 14px; font-weight: 600; color: #59636e; overflow-wrap: anywhere; }
p { margin: 0; min-height: 1.9em; white-space: pre-wrap; overflow-wrap: anywhere;
  line-height: calc(1.9em + var(--rows) * ROWpx); }
p:empty { min-height: .8em; }
p span { padding-bottom: calc(var(--rows) * ROWpx); -webkit-box-decoration-break: slice; print-color-adjust: exact; }
p span.negated { text-decoration: line-through; }
header i.hollow { background: repeating-linear-gradient(90deg,#59636e 0 3px,transparent 3px 6px); }
p b { position: relative; padding-bottom: calc(var(--rows) * ROWpx); }
p b::before { content: attr(data-label); position: absolute; left: 0; bottom: calc(var(--up) + 1px); padding: 1px 3px;
  border-radius: 2px; background: var(--colour); font-size: 9px; line-height: 9px; letter-spacing: .02em;
  white-space: nowrap; print-color-adjust: exact; }
ul.relations { margin: .8rem 0 0; padding: .5rem 0 0; border-top: 1px solid #e3e3dd; list-style: none;
  font-size: 15px; }
ul.relations q { quotes: none; } ul.relations small, ul.relations em { color: #59636e; }
</style>
</head>
<body>
<header>$legend</header>
""".replace("ROWpx", f"{ROW}px")
)

FOOT = "</body>\n</html>\n"
