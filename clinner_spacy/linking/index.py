"""A terminology made ready for look-ups: arrays that are mapped from disk as they lie, so that processes share them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clinner_spacy.errors import ClinnerError
from clinner_spacy.linking.grams import Grams, build_grams
from clinner_spacy.linking.normalize import fold, text_hash, word_key
from clinner_spacy.linking.terminology import Term, Terminology

VERSION = 2

Arrays = dict[str, NDArray[Any]]


class Strings(NamedTuple):
    """Texts one after the other: uint8 (n_bytes,), UTF-8, and where each ends, int64 (n,)."""

    data: NDArray[np.uint8]
    ends: NDArray[np.int64]

    def text(self, n: int) -> str:
        begin = int(self.ends[n - 1]) if n else 0
        return self.data[begin : int(self.ends[n])].tobytes().decode("utf-8")

    def texts(self) -> list[str]:
        return [self.text(n) for n in range(len(self.ends))]


class Index(NamedTuple):
    """A terminology's names, what each stands for, and the n-grams that find them.

    A name is a folded term (:func:`~clinner_spacy.linking.normalize.fold`); names are in the order of ``hashes``,
    uint64 (n_names,), ascending. ``keys``, uint64, ascending, and ``key_names``, int32, are the hashes of names'
    word keys and whose they are. Name ``n`` stands for the entries from ``entries[n]`` to ``entries[n + 1]``: int64
    (n_names + 1,). For each entry, (n_entries,): ``code_of`` and ``label_of``, int32, places in ``codes`` and
    ``labels``; ``counts``, int32, how often annotators chose it, 0 for a term of the table; ``preferred``, bool; and
    its ``terms`` as written.
    about: what is known of where it comes from, plain data.
    """

    hashes: NDArray[np.uint64]
    keys: NDArray[np.uint64]
    key_names: NDArray[np.int32]
    entries: NDArray[np.int64]
    code_of: NDArray[np.int32]
    label_of: NDArray[np.int32]
    counts: NDArray[np.int32]
    preferred: NDArray[np.bool_]
    terms: Strings
    codes: Strings
    labels: Strings
    grams: Grams
    about: dict[str, Any]

    @property
    def n_names(self) -> int:
        return len(self.hashes)

    def name_of(self, folded: str) -> int | None:
        """The name that a folded text is, if it is one."""
        wanted = np.uint64(text_hash(folded))
        at = int(np.searchsorted(self.hashes, wanted))
        return at if at < len(self.hashes) and self.hashes[at] == wanted else None

    def names_like(self, folded: str, lang: str) -> NDArray[np.int32]:
        """The names with the stems of a folded text, in any order of words."""
        wanted = np.uint64(text_hash(word_key(folded, lang)))
        begin, end = np.searchsorted(self.keys, wanted, "left"), np.searchsorted(self.keys, wanted, "right")
        return self.key_names[begin:end]


def build_index(terminology: Terminology, *, lang: str, mentions: Sequence[Term] = (), about: Any = None) -> Index:
    """Index a terminology, with annotated mentions (:func:`~clinner_spacy.linking.terminology.count_mentions`) as
    synonyms of its terms.

    lang: the language whose inflection is known for terms that name none. about: more plain data to keep. Raises
    ClinnerError if there is neither a term nor a mention.
    """
    terms = [*terminology.terms, *mentions]
    if not terms:
        raise ClinnerError("There is no term to link to; give a terminology, or mentions with codes.")
    folded = [fold(term.term) for term in terms]
    hashes = np.fromiter(map(text_hash, folded), dtype=np.uint64, count=len(folded))
    names, first, of = np.unique(hashes, return_index=True, return_inverse=True)
    order = np.argsort(of, kind="stable")
    counts = np.bincount(of, minlength=len(names))
    keys, key_names = _keys(terms, folded, of, lang)
    codes, code_of = _distinct(terms[n].code for n in order)
    labels, label_of = _distinct(terms[n].label for n in order)
    known = {
        "version": VERSION,
        "lang": lang,
        "terms": len(terminology.terms),
        "mentions": sum(term.times for term in mentions),
        "codes": len(codes),
        "names": len(names),
        "duplicates": terminology.duplicates,
        "source": terminology.source,
        "fingerprint": terminology.fingerprint,
    }
    return Index(
        names,
        keys,
        key_names,
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        code_of,
        label_of,
        np.fromiter((terms[n].times for n in order), dtype=np.int32, count=len(order)),
        np.fromiter((terms[n].preferred for n in order), dtype=np.bool_, count=len(order)),
        pack_strings(terms[n].term for n in order),
        pack_strings(codes),
        pack_strings(labels),
        build_grams([folded[n] for n in first]),
        known | {"content": _content(names, code_of, codes)} | (about or {}),
    )


def folded_names(index: Index) -> list[str]:
    """The names themselves, of which an index keeps only hashes."""
    return [fold(index.terms.text(int(entry))) for entry in index.entries[:-1]]


def _keys(
    terms: Sequence[Term], folded: Sequence[str], of: NDArray[np.int64], lang: str
) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
    """The hashes of all word keys, ascending, and the name of each; a name has one for each language it stands in."""
    hashed = (text_hash(word_key(text, term.lang or lang)) for text, term in zip(folded, terms, strict=True))
    keys = np.fromiter(hashed, dtype=np.uint64, count=len(terms))
    order = np.lexsort((of, keys))
    keys, names = keys[order], of[order]
    new = np.ones(len(keys), dtype=np.bool_)
    new[1:] = (keys[1:] != keys[:-1]) | (names[1:] != names[:-1])
    return keys[new], names[new].astype(np.int32)


def _distinct(values: Iterable[str]) -> tuple[list[str], NDArray[np.int32]]:
    """The distinct values in order of first sight, and which of them each is."""
    known: dict[str, int] = {}
    of = np.fromiter((known.setdefault(value, len(known)) for value in values), dtype=np.int32)
    return list(known), of


def pack_strings(texts: Iterable[str]) -> Strings:
    """Texts as :class:`Strings`."""
    data, ends = bytearray(), []
    for text in texts:
        data += text.encode("utf-8")
        ends.append(len(data))
    return Strings(np.frombuffer(bytes(data), dtype=np.uint8), np.asarray(ends, dtype=np.int64))


def _content(names: NDArray[np.uint64], code_of: NDArray[np.int32], codes: Sequence[str]) -> str:
    """SHA-256 of names and their codes: what vectors and rankings that belong to an index are checked against."""
    digest = hashlib.sha256(names.tobytes())
    digest.update(code_of.tobytes())
    digest.update("\n".join(codes).encode())
    return digest.hexdigest()
