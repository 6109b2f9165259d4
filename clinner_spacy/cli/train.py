"""``multiclin train``: ``spacy train`` with steps, evaluations and learning rate that agree with the corpus."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import srsly
import typer

from clinner_spacy.errors import ClinnerError, WordsWarning

if TYPE_CHECKING:
    from thinc.api import Config

#: Steps in which a network of the size that ships learns to find anything; a small corpus is read the more often.
MIN_STEPS = 1000

#: Steps between two evaluations at least: a tiny corpus has an epoch in less.
MIN_BETWEEN = 20


def register(app: typer.Typer) -> None:
    app.command("train")(train_command)


def train_command(
    config: Annotated[Path, typer.Argument(help="A training config, such as configs/embedded.cfg.")],
    output: Annotated[Path, typer.Argument(help="The folder for config.cfg, model-best and model-last.")],
    settings: Annotated[
        list[str] | None, typer.Argument(metavar="[SETTING=VALUE]...", help="Settings of the config to change.")
    ] = None,
    epochs: Annotated[
        int, typer.Option(min=0, help="Passes over the corpus; 0: the config's, or what makes 1,000 steps if more.")
    ] = 0,
    gpu_id: Annotated[int, typer.Option(help="Which GPU; -1 for the processor.")] = -1,
) -> None:
    """Train a pipeline on a corpus of any size.

    Evaluates after each epoch and at the end, lets the learning rate end with the training, and takes the words of the
    corpus out of what it saves (see docs/privacy.md). Fails where the best model finds nothing. The config that was
    trained with is kept as OUTPUT/config.cfg.

    \b
    Examples:
      multiclin train configs/embedded.cfg training nlp.lang=es
      multiclin train configs/relations.cfg training paths.train=brat/train paths.dev=brat/dev --epochs 4
    """
    from spacy.cli.train import train

    from clinner_spacy.pipeline.forget import forget_words

    if config.resolve() == (output / "config.cfg").resolve():
        raise ClinnerError(f"{config} would be overwritten by the config that is trained with; name another output.")
    planned = plan(config, parse_settings(settings or []), epochs)
    output.mkdir(parents=True, exist_ok=True)
    planned.to_disk(output / "config.cfg")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", WordsWarning)  # they are taken out below
        train(output / "config.cfg", output, use_gpu=gpu_id)
    for name in ("model-best", "model-last"):
        forget_words(output / name)
    check_score(output / "model-best")


def plan(path: Path, settings: dict[str, Any], epochs: int) -> Config:
    """The config at ``path``, changed to train on its corpus for so many epochs.

    Raises ClinnerError for a setting that it lacks or that is decided here, and a config or corpus that cannot be read.
    """
    from catalogue import RegistryError
    from confection import ConfigValidationError
    from spacy.schemas import ConfigSchemaTraining
    from spacy.util import load_config, load_model_from_config, registry, resolve_dot_names

    decided = ("training.max_steps", "training.max_epochs", "training.eval_frequency")
    for name in (name for name in decided if name in settings):
        raise ClinnerError(f"{name} follows from the corpus and --epochs; leave it out, or use spacy train.")
    try:
        config = load_config(path, overrides=settings)
        nlp = load_model_from_config(config, auto_fill=True)
        filled = nlp.config.interpolate()
        training = registry.resolve(filled["training"], schema=ConfigSchemaTraining)
        (corpus,) = resolve_dot_names(filled, [training["train_corpus"]])
        per_epoch = sum(1 for _ in training["batcher"](corpus(nlp)))
    except ClinnerError:
        raise
    except (OSError, ImportError, ConfigValidationError, RegistryError) as error:
        raise ClinnerError(f"{path} cannot be trained with: {' '.join(str(error).split())[:300]}") from error
    except (ValueError, KeyError) as error:  # its words may be those of a text
        raise ClinnerError(f"{path} or its corpus cannot be read ({type(error).__name__}); check both.") from error
    if not per_epoch:
        raise ClinnerError(f"The training corpus of {path} holds no document; check its paths.")
    between = per_epoch * -(-MIN_BETWEEN // per_epoch)
    wanted = per_epoch * epochs if epochs else max(per_epoch * training["max_epochs"], MIN_STEPS)
    steps = between * -(-wanted // between)
    config["training"] |= {"max_steps": steps, "max_epochs": 0, "eval_frequency": between}
    schedule = config["training"]["optimizer"].get("learn_rate")
    if isinstance(schedule, dict) and "total_steps" in schedule:
        schedule |= {"total_steps": steps, "warmup_steps": min(schedule["warmup_steps"], steps // 10)}
    return config


def parse_settings(given: list[str]) -> dict[str, Any]:
    """``SETTING=VALUE`` -> the setting's value, which is JSON or else a string."""
    settings: dict[str, Any] = {}
    for part in given:
        name, equals, value = part.removeprefix("--").partition("=")
        if not equals or "." not in name:
            raise ClinnerError(f"{part} is not of the form SETTING=VALUE, as training.dropout=0.3.")
        try:
            settings[name] = srsly.json_loads(value)
        except ValueError:
            settings[name] = value
    return settings


def check_score(model: Path) -> None:
    """Raise ClinnerError if the best model's score on the dev corpus is nothing."""
    from spacy.util import load_config

    weights = load_config(model / "config.cfg")["training"]["score_weights"]
    scores = srsly.read_json(model / "meta.json")["performance"]
    if not any(scores.get(name) for name, weight in weights.items() if weight):
        raise ClinnerError(
            f"{model} finds nothing right in the dev corpus (F 0.00): train for more --epochs, and check that the dev "
            "corpus has the labels of the training corpus."
        )
