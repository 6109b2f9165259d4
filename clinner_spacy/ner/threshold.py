"""The least score a mention must have: one for all labels, or one a label."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clinner_spacy.errors import ClinnerError

#: A number from 0 to 1, or such a number for some labels; the others have 0.
Threshold = float | Mapping[str, float]

#: Names that a config cannot hold as the name of a setting.
NO_SETTING = re.compile(r"[:=\n]|^[#;@\[\s]|\s$|^$")


def checked_threshold(value: Any, component: str) -> Threshold:
    """``value`` as a threshold.

    Raises ClinnerError if it is no number from 0 to 1 and no dict of such numbers, or if a label would not come back
    out of a saved config.
    """
    if isinstance(value, Mapping):
        for label in filter(NO_SETTING.search, map(str, value)):
            raise ClinnerError(f"threshold of component {component!r} cannot name {label!r}; give one for all labels.")
        return {str(key): checked_number(number, f"threshold[{key!r}]", component) for key, number in value.items()}
    return checked_number(value, "threshold", component)


def check_labels(threshold: Threshold, labels: Sequence[str], component: str) -> None:
    """Raise ClinnerError if ``threshold`` names a label that is not in ``labels``; without any, they are not known."""
    for label in threshold if isinstance(threshold, Mapping) and labels else ():
        if label not in labels:
            raise ClinnerError(
                f"threshold of component {component!r} names the label {label!r}; it has {', '.join(labels)}."
            )


def least_scores(threshold: Threshold, labels: Sequence[str]) -> NDArray[np.float32]:
    """float32 (n_labels,), as scores are: the threshold of each label."""
    if isinstance(threshold, Mapping):
        return np.asarray([threshold.get(label, 0.0) for label in labels], dtype=np.float32)
    return np.full(len(labels), threshold, dtype=np.float32)


def checked_number(value: Any, setting: str, component: str) -> float:
    """``value`` as a float. Raises ClinnerError, naming the setting, if it is no number from 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= float(value) <= 1:
        raise ClinnerError(f"{setting} of component {component!r} is {value!r}; give a number from 0 to 1.")
    return float(value)
