"""What components that read texts owe to who saves them: a warning that spaCy's vocabulary keeps the words."""

from __future__ import annotations

import warnings
from collections.abc import Iterable

from spacy.tokens import Doc
from spacy.vocab import Vocab

from clinner_spacy.errors import WordsWarning


class KeepsWords:
    """A component that knows whether texts were read whose words are now in its vocabulary."""

    vocab: Vocab
    keeps_words = False

    def _remember(self, docs: Iterable[Doc]) -> None:
        """Outside a memory zone, the vocabulary keeps the words of what is read."""
        if not self.keeps_words and not self.vocab.in_memory_zone:  # type: ignore[attr-defined]  # not in its stub
            self.keeps_words = any(map(len, docs))

    def _warn_of_words(self) -> None:
        if self.keeps_words:
            warnings.warn(
                "This pipeline has read texts, and spaCy saves every word that it read with the vocabulary, names of "
                "patients too; run `multiclin forget` on what is saved, or read in a memory zone (docs/privacy.md).",
                WordsWarning,
                stacklevel=3,
            )
