"""Tag schemes as files and label lists write them: ``B-DRUG``, ``I_DRUG`` or ``DRUG`` a word -> spans of words."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

from clinner_spacy.errors import ClinnerError

#: The letters a scheme puts before a label; in IO a bare label is as good as ``I-``.
PREFIXES = {"BIO": "BI", "IO": "I", "BILOU": "BILU", "BIOES": "BIES"}


def scheme_of(tags: Collection[str]) -> str:
    """The scheme a set of distinct tags belongs to: ``"BIO"``, ``"IO"``, ``"BILOU"`` or ``"BIOES"``.

    ``BIO`` stands for IOB2 and IOB1: :func:`spans_of` reads both. Prefix and label are joined by ``-`` or ``_``; tags
    in square or angle brackets (``[PAD]``) count as ``O``. Raises ClinnerError when the tags fit no scheme; it does
    not show them, since they may be words of a text whose columns are mixed up.
    """
    bare = bare_tags(tags)
    prefixes = {_split(tag)[0] for tag in tags if not _is_outside(tag)} - {""}
    if bare:
        if (
            prefixes
            or "O" not in tags
            or any(re.search(r"^[BILUES][-_]$|[-_][BILUES]$|^LABEL_\d+$", tag) for tag in bare)
        ):
            raise ClinnerError(
                f"{len(bare)} of {len(tags)} distinct tags are none of the schemes {', '.join(PREFIXES)}; is another "
                "column the tags?"
            )
        return "IO"
    if prefixes == {"I"}:
        return "IO"
    for scheme, allowed in PREFIXES.items():
        if scheme != "IO" and prefixes <= set(allowed):
            return scheme
    mixed = "".join(sorted(prefixes))
    raise ClinnerError(f"The tags mix the prefixes {mixed} of several schemes ({', '.join(PREFIXES)}); use one.")


def bare_tags(tags: Collection[str]) -> list[str]:
    """The tags that are labels without a prefix."""
    return sorted(tag for tag in tags if not _is_outside(tag) and not _split(tag)[0])


def spans_of(tags: Sequence[str], scheme: str) -> list[tuple[int, int, str]]:
    """The spans (first word, word behind the last, label) of one tag a word, in text order.

    A tag that continues nothing (``I-X`` after ``O`` or after ``Y``) begins a span, as IOB1 has it and as taggers err.
    Raises ClinnerError for a tag the scheme does not have.
    """
    spans: list[tuple[int, int, str]] = []
    open_label = ""
    for word, (prefix, label) in enumerate(parse_tags(tags, scheme)):
        if prefix in ("I", "L", "E") and label == open_label:
            start, _, _ = spans.pop()
        else:
            start = word
        if prefix:
            spans.append((start, word + 1, label))
        open_label = "" if prefix in ("L", "E", "U", "S") else label
    return spans


def parse_tags(tags: Sequence[str], scheme: str) -> Iterator[tuple[str, str]]:
    """Prefix and label of each tag, both empty for ``O``."""
    for tag in tags:
        prefix, label = ("", "") if _is_outside(tag) else _split(tag)
        if scheme == "IO" and label and not prefix:
            prefix = "I"
        if label and prefix not in set(PREFIXES[scheme]):
            raise ClinnerError(f"A tag is none of the {scheme} scheme; use its prefixes.")
        yield prefix, label


def _split(tag: str) -> tuple[str, str]:
    match = re.fullmatch(r"([BILUES])[-_](.+)", tag)
    return (match[1], match[2]) if match else ("", tag)


def _is_outside(tag: str) -> bool:
    return tag == "O" or bool(re.fullmatch(r"\[.*\]|<.*>", tag))
