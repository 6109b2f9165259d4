"""Taking the words that a pipeline has read out of its files: patients' names must not leave with it."""

from __future__ import annotations

from pathlib import Path

import spacy
import srsly
from spacy.strings import StringStore
from spacy.vocab import Vocab

from clinner_spacy.errors import ClinnerError
from clinner_spacy.files import replacing


def forget_words(folder: Path) -> int:
    """Leave in ``vocab/strings.json`` of the pipeline saved at ``folder`` only what it holds by itself: strings of its
    language, labels and settings, and words that have a vector; gives the number of strings taken out.

    spaCy keeps there every word that was read outside ``nlp.memory_zone()``, in training as in use. What a pipeline
    holds by itself is seen by loading it without its vocabulary. Raises ClinnerError if there is none.
    """
    path = folder / "vocab" / "strings.json"
    if not path.is_file():
        raise ClinnerError(f"{folder} is no saved pipeline with a vocabulary; name the directory of one.")
    try:
        strings = srsly.read_json(path)
        own = spacy.load(folder, exclude=["vocab"]).vocab.strings
        vectors = Vocab().from_disk(folder / "vocab", exclude=["strings"]).vectors
    except ClinnerError:
        raise
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise ClinnerError(f"{folder} is no pipeline that can be loaded ({type(error).__name__}).") from error
    hash_of = StringStore().add
    kept = [string for string in strings if string in own or hash_of(string) in vectors]
    with replacing(path) as file:
        file.write(srsly.json_dumps(kept))
    return len(strings) - len(kept)
