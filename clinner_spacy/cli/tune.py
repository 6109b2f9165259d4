"""``multiclin tune``: the thresholds with the best strict F1."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clinner_spacy.cli import options

if TYPE_CHECKING:
    from clinner_spacy.cli.development import Measured
    from clinner_spacy.scoring.thresholds import TunedThreshold


def register(app: typer.Typer) -> None:
    app.command("tune")(tune_command)


def tune_command(
    model: options.Saved,
    dev: options.Dev,
    output: options.Changed = None,
    single: Annotated[bool, typer.Option("--single", help="One threshold for all labels, not one a label.")] = False,
    lang: options.DevLang = None,
    device: options.Device = None,
) -> None:
    """Find the threshold of each label that gives the best strict F1.

    A threshold is kept if it also helps on documents that it was not chosen on: five times it is chosen on four fifths
    of the documents and measured on the others; the 95 % interval of that gain (bootstrap over documents) must be
    above 0. Without --output nothing is written.

    \b
    Examples:
      multiclin tune training/calibrated corpus/dev.spacy
      multiclin tune training/calibrated corpus/dev.spacy --output training/tuned
      multiclin tune training/calibrated es-dev.spacy en-dev.spacy --single
    """
    from clinner_spacy.cli.development import measure, saved_pipeline, write_changed  # spaCy is slow to import
    from clinner_spacy.ner.threshold import checked_threshold

    folder = saved_pipeline(model)
    settings: dict[str, dict[str, Any]] = {}
    for component in measure(folder, dev, lang, device, calibrated=True):
        tuned = {"all labels": _tune_all(component)} if single else _tune_each(component)
        kept = {label: found.threshold if found.holds else 0.0 for label, found in tuned.items()}
        _report(tuned, kept)
        threshold = checked_threshold(kept["all labels"] if single else kept, component.component)
        settings[component.component] = {"threshold": threshold}
    if output is not None:
        # In what the components saved of themselves, too, where one that was set on a component lies.
        write_changed(folder, output, cfg=settings, settings=settings)
        typer.echo(f"{output}: {', '.join(f'{name} {found}' for name, found in settings.items())}")


def _tune_all(component: Measured) -> TunedThreshold:
    from clinner_spacy.scoring.thresholds import tune_threshold

    gold: Counter[Any] = Counter()
    for counts in component.gold.values():
        gold.update(counts)
    return tune_threshold(component.judged, gold)


def _tune_each(component: Measured) -> dict[str, TunedThreshold]:
    from clinner_spacy.scoring.thresholds import tune_threshold

    return {
        label: tune_threshold([span for span in component.judged if span.label == label], gold)
        for label, gold in component.gold.items()
    }


def _report(tuned: dict[str, TunedThreshold], kept: dict[str, float]) -> None:
    width = max(12, *map(len, tuned))
    typer.echo(f"{'label':{width}}  F1 of all   best at      F1   held-out gain [95 %]         kept")
    for label, found in tuned.items():
        gain = f"{found.gain:+.4f} [{found.low:+.4f}, {found.high:+.4f}]"
        cells = f"{found.f1_at_0:>9.4f}{found.threshold:>10.2f}{found.f1:>10.4f}   {gain}{kept[label]:>9.2f}"
        typer.echo(f"{label:{width}}  {cells}")
