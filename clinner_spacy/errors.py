"""The one error users meet: a sentence that names the file or setting, what was found and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class ClinnerError(ValueError):
    """Bad input or configuration; its message is one sentence for the user and never holds a patient's text."""


class WordsWarning(UserWarning):
    """Words of texts are about to be written with a pipeline."""


def nearest(name: str, known: Iterable[str]) -> str:
    """For an error about a name that is not there: how many there are, and the one it may be a slip of.

    Names found in data are not listed: where columns are mixed up they are words of a patient's text.
    """
    names = set(known)
    alike = {other.casefold(): other for other in names}
    close = get_close_matches(name.casefold(), alike, n=1)
    return f"there are {len(names)} others" + (f", the nearest is {alike[close[0]]}" if close else "")


#: What taking data apart raises where they are not what they should be.
DAMAGE = (ValueError, LookupError, TypeError, AttributeError)
