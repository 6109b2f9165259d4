"""The frame of the page that ``multiclin evaluate --html`` writes: head and style sheet, no scripts."""

HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Evaluation</title>
<style>
:root { color-scheme: light dark; --ink: #1d2329; --paper: #fdfdfb; --dim: #59636e; --line: #dcdcd4;
  --right: #b9dfb4; --missed: #f4b3a6; --spurious: #a9cdee; --boundary: #f0d48a; --label: #d5bdec; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e6e8; --paper: #16191c; --dim: #a2abb4; --line: #3a4046;
  --right: #24562a; --missed: #7a2f22; --spurious: #1f4c74; --boundary: #6a5113; --label: #55357a; } }
body { max-width: 80rem; margin: 0 auto; padding: 1rem 1.5rem 5rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Helvetica, Arial, "DejaVu Sans", sans-serif; }
h1 { font-size: 1.4rem; } h2 { margin-top: 2.5rem; font-size: 1.15rem; } h3 { margin: 2rem 0 .5rem; font-size: 1rem; }
h1, h2, h3, dd, li, td.text { overflow-wrap: anywhere; }
a { color: inherit; } small, .dim { color: var(--dim); }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: .9em; }
th, td { padding: .25rem .5rem; border-bottom: 1px solid var(--line); text-align: right; vertical-align: top;
  font-variant-numeric: tabular-nums; }
th:first-child, td:first-child, .text { text-align: left; } td.text { white-space: pre-wrap; }
td small { display: block; white-space: nowrap; } td.text small { display: inline; }
dt { float: left; clear: left; width: 6rem; } dd { margin: 0 0 .4rem 6.5rem; }
mark, dt span { border-radius: 2px; color: inherit; padding: 0 .1em; }
.right { background: var(--right); } .missed { background: var(--missed); outline: 1px solid; }
.spurious { background: var(--spurious); outline: 1px dashed; } .boundary { background: var(--boundary);
  text-decoration: underline; } .label { background: var(--label); text-decoration: underline double; }
mark[data-label]::before { content: attr(data-label) " "; font-size: .65em; letter-spacing: .02em; opacity: .8; }
.sides { display: grid; grid-template-columns: 1fr 1fr; border-top: 1px solid var(--line); }
.sides > * { margin: 0; padding: .1rem .8rem .1rem 0; min-height: .8em; white-space: pre-wrap; overflow-wrap: anywhere;
  unicode-bidi: plaintext; }
.sides > b { font-size: .8rem; color: var(--dim); }
.sides > :nth-child(even) { padding-left: .8rem; border-left: 1px solid var(--line); }
.hidden-character { unicode-bidi: isolate; }
.hidden-character::before { content: attr(data-code); padding: 0 .2em; border: 1px dashed var(--dim); font-size: .6em; }
@media print { mark, dt span { print-color-adjust: exact; } }
</style>
</head>
<body>
"""

FOOT = "</body>\n</html>\n"
