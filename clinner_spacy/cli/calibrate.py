"""``multiclin calibrate``: do a pipeline's scores mean what they say, and make them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from clinner_spacy.cli import options

if TYPE_CHECKING:
    from clinner_spacy.scoring.calibration import JudgedSpan

#: A task with fewer mentions found, or in fewer documents, is left as it is.
LEAST_MENTIONS, LEAST_DOCUMENTS = 50, 5

#: Widths of the tables' columns: the first, the others.
FIRST, CELL = 32, 12


def register(app: typer.Typer) -> None:
    app.command("calibrate")(calibrate_command)


def calibrate_command(
    model: options.Saved,
    dev: options.Dev,
    output: options.Changed = None,
    lang: options.DevLang = None,
    device: options.Device = None,
) -> None:
    """Fit a map a task from scores to the probability that a mention is right, and show how far both are off.

    A mention is right if the gold has the same characters and label. The tables compare the scores as the weights give
    them with calibrated ones of documents that their map was not fitted to (cross-validation). Without --output
    nothing is written. The mentions found stay the same, unless there are thresholds: tune these again.

    \b
    Examples:
      multiclin calibrate training/model-best corpus/dev.spacy
      multiclin calibrate training/model-best corpus/dev.spacy --output training/calibrated
      multiclin calibrate training/model-best es-dev.spacy en-dev.spacy --output training/model-best
    """
    from clinner_spacy.cli.development import measure, saved_pipeline, write_changed  # spaCy is slow to import
    from clinner_spacy.errors import ClinnerError
    from clinner_spacy.ner.calibration import fit_beta_map
    from clinner_spacy.scoring.calibration import as_arrays

    folder = saved_pipeline(model)
    changes: dict[str, dict[str, Any]] = {}
    for component in measure(folder, dev, lang, device, calibrated=False):
        spans_of = {task: [span for span in component.judged if span.task == task] for task in component.tasks}
        enough = {task: spans for task, spans in spans_of.items() if _enough(task, spans)}
        if enough:
            maps = {task: fit_beta_map(*as_arrays(spans)) for task, spans in enough.items()}
            changes[component.component] = {"calibration": component.calibration | maps}
            _report(enough)
            for task, (a, b, c) in maps.items():
                typer.echo(f"{task}: 1 / (1 + exp(-({a:.3f} ln s - {b:.3f} ln(1 - s) {c:+.3f})))")
    if output is not None:
        if not changes:
            raise ClinnerError(f"Nothing could be calibrated on {', '.join(map(str, dev))}; give more documents.")
        write_changed(folder, output, cfg=changes)
        typer.echo(f"{output}: calibrated {', '.join(task for c in changes.values() for task in c['calibration'])}")


def _enough(task: str, spans: Sequence[JudgedSpan]) -> bool:
    if len(spans) >= LEAST_MENTIONS and len({span.document for span in spans}) >= LEAST_DOCUMENTS:
        return True
    typer.echo(
        f"{task} is left as it is: {len(spans)} mentions found in documents annotated for it, where "
        f"{LEAST_MENTIONS} in {LEAST_DOCUMENTS} documents are the least."
    )
    return False


def _report(spans_of: dict[str, list[JudgedSpan]]) -> None:
    """The expected calibration error of sources and their tasks, then a reliability table, before and held out."""
    from clinner_spacy.scoring.calibration import as_arrays, calibration_error, cross_calibrated, reliability

    sides = {
        "before": [span for spans in spans_of.values() for span in spans],
        "held out": [span for spans in spans_of.values() for span in cross_calibrated(spans)],
    }
    _line("expected calibration error", "mentions", *sides)
    sources = list(dict.fromkeys(span.document[0] for span in sides["before"]))
    for source in ["", *sources] if len(sources) > 1 else [""]:
        for task in ["", *spans_of]:
            chosen = [
                [s for s in spans if source in ("", s.document[0]) and task in ("", s.task)] for spans in sides.values()
            ]
            if chosen[0]:
                errors = (calibration_error(*as_arrays(spans)) for spans in chosen)
                name = f"  {task}" if task else Path(source).name or "all"
                _line(name, str(len(chosen[0])), *(f"{error:.3f}" for error in errors))
    for name, spans in sides.items():
        _line(f"\nscore {name}", "mentions", "mean score", "right")
        for b in reliability(*as_arrays(spans)):
            _line(f"{b.low:.1f} - {b.high:.1f}", str(b.size), f"{b.score:.3f}", f"{b.right:.3f}")
    typer.echo()


def _line(first: str, *cells: str) -> None:
    typer.echo(f"{first:{FIRST}}" + "".join(f"{cell:>{CELL}}" for cell in cells))
