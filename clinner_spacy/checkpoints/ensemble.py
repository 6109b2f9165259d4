"""Several checkpoints of the same tasks as one model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from spacy.util import registry
from thinc.api import Model

from clinner_spacy.checkpoints.loaded import Loaded
from clinner_spacy.errors import ClinnerError
from clinner_spacy.ner.tagset import TagSet


def join(members: Sequence[Loaded], names: Sequence[str]) -> Loaded:
    """The mean of several checkpoints. Raises ClinnerError if they differ in their tasks or in what they tag."""
    first = members[0]
    for member, name in zip(members, names, strict=True):
        if list(member.tasks.items()) != list(first.tasks.items()):
            raise ClinnerError(
                f"{name} has the tasks {member.tasks}, {names[0]} has {first.tasks}; name the same in `task`."
            )
        if tagged(member.model) != tagged(first.model):
            raise ClinnerError(
                f"{name} tags other units of a text than {names[0]}, so that they have no mean; leave it out."
            )
    architecture = {
        "@architectures": "clinner.Ensemble.v1",
        "*": {str(n): member.architecture for n, member in enumerate(members)},
    }
    model = registry.get("architectures", "clinner.Ensemble.v1")(*(member.model for member in members))
    model.attrs["widths"] = [part.stop - part.start for part in TagSet(first.tasks).columns.values()]
    alike = {key: value for key, value in first.info.items() if all(m.info.get(key) == value for m in members)}
    info = alike | {"format": f"ensemble of {len(members)}", "name": ", ".join(str(m.info["name"]) for m in members)}
    licences = sorted({str(m.info["license"]) for m in members if "license" in m.info})
    return Loaded(model, first.tasks, architecture, info | ({"license": ", ".join(licences)} if licences else {}))


def tagged(model: Model) -> Any:
    """What decides which units a tagger sees: how they are cut, and the tokenizer if that cuts them."""
    from clinner_spacy.encoders.shim import shim_of

    for node in model.walk():
        words = node.attrs.get("words", "doc")
        if words in ("alphanumeric", "pieces"):
            return words, shim_of(node).encoder_called(node.attrs["name"]).pieces.published.to_str()
        if words != "doc":
            return words, None
    return "doc", None
