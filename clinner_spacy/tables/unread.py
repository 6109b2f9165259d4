"""Texts that could not be read: passed over, counted, and told of at the end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

#: Reasons that are kept; there may be millions.
TOLD = 1000


class Unread:
    """How many they are, and a sentence for each of the first, which names file and row but not what stands there."""

    def __init__(self, count: int = 0, reasons: Iterable[str] = ()) -> None:
        self.count, self.reasons = count, list(reasons)

    def add(self, reason: str) -> None:
        self.count += 1
        if len(self.reasons) < TOLD:
            self.reasons.append(reason)

    def first(self, count: int) -> Unread:
        """The first so many of them."""
        return Unread(count, self.reasons[:count])

    def lines(self) -> Iterator[str]:
        """What to tell of them, a line each."""
        yield from self.reasons
        if self.count > len(self.reasons):
            yield f"and {self.count - len(self.reasons)} more."
