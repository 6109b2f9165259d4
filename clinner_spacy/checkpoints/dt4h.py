"""The multi-task files of DataTools4Heart: one state_dict, an XLM-R encoder and a head a task, or a task and language.

Keys are ``encoder.*`` and ``classifiers.<task>.{weight,bias}`` or ``<task>_<lang>_classifier.{weight,bias}``, all of
them maybe under ``model.``. A head has three rows: ``B-X``, ``I-X``, ``O``, with X the task in capitals.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from clinner_spacy.checkpoints.loaded import Loaded
from clinner_spacy.checkpoints.published import about_units, assemble, named
from clinner_spacy.checkpoints.request import Request
from clinner_spacy.encoders.hub import fetch_encoder, known_about
from clinner_spacy.encoders.torch_files import check_finite, read_state
from clinner_spacy.errors import ClinnerError
from clinner_spacy.ner.tagset import spelled

#: What the published files were trained from.
BASE_MODEL = "FacebookAI/xlm-roberta-base"

#: Rows of a published head in our order: O, B, I.
ROWS = [2, 0, 1]

HEAD = re.compile(
    r"(?:classifiers\.(?P<plain>\w+)|(?P<task>\w+?)_(?P<lang>[a-z]{2,3})_classifier)\.(?P<part>weight|bias)"
)


class Head(NamedTuple):
    """A head of the file: its task, and the language it is for, or None where it serves all."""

    task: str
    lang: str | None
    weight: Any
    bias: Any

    @property
    def name(self) -> str:
        return f"{self.task}_{self.lang}_ner" if self.lang else self.task


def load_dt4h(path: Path, request: Request) -> Loaded:
    """Read a ``.pt`` file; its encoder's config and tokenizer, never weights, come from ``request.base_model``.

    Of heads for one language those of ``request.lang`` are taken, or all if it is None; any is had by its own name as
    ``request.task``, such as ``disease_it_ner``. Raises ClinnerError for a pickled module, missing or
    misshapen heads, a task or language that isn't there and a base model that the weights do not fit.
    """
    from clinner_spacy.encoders.encoder import Encoder, build_module, check_tokenizer, read_config, read_pieces

    request.refuse("labels", because="knows its labels")
    weights, heads = split_state(read_state(path), path)
    chosen = choose_heads(heads, request.task, request.lang, path)
    beside = all((path.parent / name).is_file() for name in ("config.json", "tokenizer.json"))
    base = request.base_model or (str(path.parent) if beside else BASE_MODEL)
    # The revision is of the checkpoint's repository, not of its base.
    folder = fetch_encoder(base, local_files_only=request.settings.local_files_only, weights=False)
    config = read_config(folder)
    encoder = Encoder(build_module(config, False, weights, str(path)), config, read_pieces(folder))
    check_tokenizer(encoder.pieces, config, config.vocab_size, base)
    tasks = {name: [head.task.upper()] for name, head in chosen.items()}
    rows = [(head.weight[ROWS].float().numpy(), head.bias[ROWS].float().numpy()) for head in chosen.values()]
    model, architecture = assemble(base, encoder, rows, tasks, request.settings, reading={"words": request.words})
    info = {
        "format": "DT4H multi-task file",
        "name": path.name,
        "encoder": named(base),
        "heads": [head.name for head in heads],
        "languages": sorted({head.lang for head in heads if head.lang}),
        **about_units(model),
        **known_about(path.parent),
    }
    return Loaded(model, tasks, architecture, info)


def split_state(state: Mapping[str, Any], path: Path) -> tuple[dict[str, Any], list[Head]]:
    """The encoder's tensors, without their prefix, and the heads. Raises ClinnerError naming keys that don't fit."""
    parts: dict[tuple[str, str | None], dict[str, Any]] = {}
    encoder: dict[str, Any] = {}
    unknown: list[str] = []
    for key, value in state.items():
        match = HEAD.fullmatch(key)
        if match:
            parts.setdefault((match["plain"] or match["task"], match["lang"]), {})[match["part"]] = value
        elif key.startswith("encoder."):
            encoder[key.removeprefix("encoder.")] = value
        else:
            unknown.append(key)
    if not parts or not encoder or unknown:
        what = "heads" if not parts else "encoder" if not encoder else "place for all of its keys"
        raise ClinnerError(
            f"{path} has no {what}: `encoder.*` and `classifiers.<task>.*` or `<task>_<lang>_classifier.*` are read, "
            f"and it has {_some(unknown or list(state))}."
        )
    embeddings = encoder.get("embeddings.word_embeddings.weight")
    width = embeddings.shape[-1] if embeddings is not None and embeddings.ndim else None
    for (task, lang), part in parts.items():
        shapes = {name: tuple(value.shape) for name, value in part.items()}
        floats = all(value.is_floating_point() for value in part.values())
        if not floats or shapes != {"weight": (3, width), "bias": (3,)}:
            raise ClinnerError(
                f"The head of {task!r}{f' for {lang!r}' if lang else ''} in {path} has {shapes} "
                f"where weight (3, {width}) and bias (3,) are read, in floating point; name another file."
            )
        check_finite(part, f"The head of {task!r} in {path}")
    return encoder, [Head(task, lang, part["weight"], part["bias"]) for (task, lang), part in parts.items()]


def choose_heads(
    heads: Sequence[Head], task: str | Sequence[str] | None, lang: str | None, path: Path
) -> dict[str, Head]:
    """The heads to use by the name of their task, or by their own name where that was asked for."""
    wanted = [task] if isinstance(task, str) else task
    by_name = {name: head for head in heads for name in (head.name, head.name.removesuffix("_ner"))}
    usable = {(head.task if lang else head.name): head for head in heads if lang is None or head.lang in (None, lang)}
    wanted = wanted and [spelled(name, [*usable, *by_name]) for name in wanted]
    there = ", ".join(head.name for head in heads)
    if wanted is None:
        if not usable:
            raise ClinnerError(
                f"{path} has no head for the language {lang!r} but {there}; "
                "use a pipeline of one of these languages or set `task`."
            )
        return usable
    chosen = {name: usable.get(name) or by_name.get(name) for name in wanted}
    missing = [name for name, head in chosen.items() if head is None]
    if missing:
        of_lang = f" for the language {lang!r}" if any(head.lang for head in heads) else ""
        raise ClinnerError(f"{path} has no head {missing[0]!r}{of_lang} but {there}; set `task` to one of these.")
    return {name: head for name, head in chosen.items() if head is not None}


def _some(keys: Sequence[str]) -> str:
    return ", ".join(map(repr, keys[:4])) + (f" and {len(keys) - 4} more" if len(keys) > 4 else "")
