"""An index <-> a folder of safetensors and JSON, mapped into memory and not read: open in milliseconds, and processes
on one machine share it. No pickle."""

from __future__ import annotations

import hashlib
import json
import mmap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import srsly
from numpy.typing import NDArray
from safetensors.numpy import save

from clinner_spacy.checkpoints.pipeline_dir import read_bytes
from clinner_spacy.errors import DAMAGE, ClinnerError
from clinner_spacy.files import replacing
from clinner_spacy.linking.features import FEATURES
from clinner_spacy.linking.grams import Grams
from clinner_spacy.linking.index import VERSION, Arrays, Index, Strings
from clinner_spacy.linking.ranker import PAIRS, Ranker
from clinner_spacy.linking.source import Source
from clinner_spacy.linking.terminology import fingerprint_of

ARRAYS, ABOUT = "index.safetensors", "index.json"
RANKING, VECTORS, ENCODER = "ranking.safetensors", "vectors.safetensors", "encoder.msgpack"

#: The files beside those of the index, and what :func:`source_to_bytes` calls them.
PARTS_OF_SOURCE = {RANKING: "ranking", VECTORS: "vectors", ENCODER: "encoder"}

CHECKSUMS = "checksums"

#: Bytes of an index that are read in a moment.
SMALL = 100_000_000

#: numpy's names of the types that are stored.
TYPES = {
    **{"U8": np.uint8, "U64": np.uint64, "I32": np.int32, "I64": np.int64},
    **{"F16": np.float16, "F32": np.float32, "BOOL": np.bool_},
}
PARTS: dict[str, Any] = {"terms": Strings, "codes": Strings, "labels": Strings, "grams": Grams}


def index_arrays(index: Index) -> Arrays:
    """The arrays of an index by name, as ``grams.starts``."""
    arrays: Arrays = {}
    for name, value in index._asdict().items():
        if name in PARTS:
            arrays |= {f"{name}.{part}": array for part, array in value._asdict().items()}
        elif name != "about":
            arrays[name] = value
    return {name: np.ascontiguousarray(array) for name, array in arrays.items()}


def index_of(arrays: Mapping[str, NDArray[Any]], about: dict[str, Any], source: str) -> Index:
    """The inverse of :func:`index_arrays`. Raises ClinnerError if arrays are missing, or sizes do not fit."""
    try:
        parts = {name: kind(*(arrays[f"{name}.{part}"] for part in kind._fields)) for name, kind in PARTS.items()}
        rest: dict[str, Any] = {name: arrays[name] for name in Index._fields if name not in (*PARTS, "about")}
        index = Index(**rest, **parts, about=about)
        _check(index)
    except DAMAGE as error:
        raise ClinnerError(f"{source} is no index or is damaged ({type(error).__name__}); build it again.") from error
    if about.get("version") != VERSION:
        raise ClinnerError(f"{source} has version {about.get('version')}, this package reads {VERSION}; build it anew.")
    for name in ("lang", "content"):
        if not isinstance(about.get(name), str):
            raise ClinnerError(f"{source} is damaged: what is known of it lacks {name!r}; build the index again.")
    return index


def _check(index: Index) -> None:
    """Raise ValueError for arrays whose sizes do not fit together; what they hold is not looked at, to open at once."""
    n, entries = index.n_names, len(index.code_of)
    sizes = [
        (len(index.entries), n + 1),
        (int(index.entries[-1]), entries),
        (len(index.terms.ends), entries),
        *((len(of), entries) for of in (index.label_of, index.counts, index.preferred)),
        (len(index.keys), len(index.key_names)),
        (len(index.grams.norms), n),
        (len(index.grams.begins), n + 1),
        (len(index.grams.forward), len(index.grams.postings)),
        (len(index.grams.starts), len(index.grams.vocabulary) + 1),
        (len(index.grams.weights), len(index.grams.vocabulary)),
        (int(index.grams.starts[-1]), len(index.grams.postings)),
        *((int(s.ends[-1]), len(s.data)) for s in (index.terms, index.codes, index.labels)),
    ]
    if any(found != expected for found, expected in sizes):
        raise ValueError("sizes differ")


def save_index(index: Index, folder: Path, parts: Mapping[str, bytes] | None = None) -> None:
    """Write ``index.safetensors``, the ``parts`` (name of a file -> what it holds) and ``index.json``, which has the
    checksums of all, into ``folder``; others of :data:`PARTS_OF_SOURCE`, saved there before, are removed."""
    files = {ARRAYS: arrays_to_bytes(index_arrays(index))} | dict(parts or {})
    for name, data in files.items():
        with replacing(folder / name, "wb") as file:
            file.write(data)
    about = index.about | {CHECKSUMS: {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}}
    with replacing(folder / ABOUT) as file:
        file.write(json.dumps(about, indent=1, ensure_ascii=False))
    for name in PARTS_OF_SOURCE:
        if name not in files:
            (folder / name).unlink(missing_ok=True)


def save_source(source: Source, folder: Path) -> None:
    """Write an index with its ranking, its vectors and their encoder, as far as it has them, into ``folder``."""
    state = source_to_bytes(source)
    save_index(source.index, folder, {name: state[key] for name, key in PARTS_OF_SOURCE.items() if key in state})


def open_source(folder: Path, *, check: bool = False) -> Source:
    """The inverse of :func:`save_source`: arrays are mapped, an encoder is read. Raises ClinnerError naming the file
    that is missing, damaged or of something else. check: as in :func:`open_index`."""
    index, ranker, meanings = open_index(folder, check=check), None, None
    if (folder / RANKING).exists():
        ranker = ranking_of(map_arrays(folder / RANKING), index, str(folder / RANKING))
    if (folder / VECTORS).exists():
        from clinner_spacy.linking.meanings import meanings_of  # transformers is slow to import

        arrays, encoder = map_arrays(folder / VECTORS), read_bytes(folder / ENCODER)
        meanings = meanings_of(arrays, encoder, index, str(folder / VECTORS))
    return Source(index, ranker, meanings)


def source_to_bytes(source: Source) -> dict[str, Any]:
    """The parts of a source beside its index, as bytes: "ranking", "vectors" and "encoder"."""
    state: dict[str, Any] = {}
    if source.ranker is not None:
        state["ranking"] = arrays_to_bytes(ranking_arrays(source.ranker, source.index))
    if source.meanings is not None:
        from clinner_spacy.linking.meanings import meanings_to_bytes

        state["vectors"], state["encoder"] = meanings_to_bytes(source.meanings, source.index)
    return state


def source_from_bytes(index: Index, state: Mapping[str, Any], name: str) -> Source:
    """An index with what :func:`source_to_bytes` gave. Raises ClinnerError if that is damaged or of another index."""
    ranker, meanings = None, None
    if "ranking" in state:
        ranker = ranking_of(arrays_in(memoryview(state["ranking"])), index, name)
    if "vectors" in state:
        from clinner_spacy.linking.meanings import meanings_of

        meanings = meanings_of(arrays_in(memoryview(state["vectors"])), bytes(state["encoder"]), index, name)
    return Source(index, ranker, meanings)


def open_index(folder: str | Path, *, check: bool = False) -> Index:
    """Map the index in a folder. check: compare all checksums however large the files are; that reads all of them,
    which is what mapping spares, so otherwise only files of up to :data:`SMALL` bytes are compared.

    Raises ClinnerError naming the file that is missing, damaged, not of this index or of another version.
    """
    folder = Path(folder)
    about = read_about(folder / ABOUT)
    checksums = about.pop(CHECKSUMS, None)
    if not isinstance(checksums, dict) or ARRAYS not in checksums:
        raise ClinnerError(f"{folder / ABOUT} has no {CHECKSUMS} of the index's files; build the index again.")
    arrays = map_arrays(folder / ARRAYS)
    for name in (ARRAYS, *PARTS_OF_SOURCE):
        _check_file(folder / name, checksums.get(name), check)
    return index_of(arrays, about, str(folder / ARRAYS))


def _check_file(path: Path, checksum: str | None, check: bool) -> None:
    """Raise ClinnerError if a file of an index is missing, too many or another than the one that was written."""
    if checksum is None:
        if path.exists():
            raise ClinnerError(f"{path} is not of this index: {ABOUT} does not name it; build the index again.")
    elif not path.exists():
        raise ClinnerError(f"{path} is missing, which {ABOUT} names; copy the whole folder, or build the index again.")
    elif (check or path.stat().st_size <= SMALL) and fingerprint_of(path) != checksum:
        raise ClinnerError(f"{path} is damaged: its checksum is not the one in {ABOUT}; build the index again.")


def ranking_arrays(ranker: Ranker, index: Index) -> Arrays:
    """A ranking with the fingerprint of the index it was learned for."""
    content = np.frombuffer(bytes.fromhex(index.about["content"]), dtype=np.uint8)
    return ranker._asdict() | {"content": content}


def ranking_of(arrays: Mapping[str, NDArray[Any]], index: Index, source: str) -> Ranker:
    """The inverse of :func:`ranking_arrays`. Raises ClinnerError if it is damaged or was learned for another index."""
    try:
        check_content(arrays, index, source)
        ranker = Ranker(np.asarray(arrays["features"]), np.asarray(arrays["pairs"]))
        if [part.shape for part in ranker] != [(len(FEATURES),), (PAIRS,)]:
            raise ValueError("sizes differ")
    except ClinnerError:
        raise
    except DAMAGE as error:
        raise ClinnerError(f"{source} is no ranking or is damaged ({type(error).__name__}); build it again.") from error
    return ranker


def check_content(arrays: Mapping[str, NDArray[Any]], index: Index, source: str) -> None:
    """Raise ClinnerError, with both fingerprints, if arrays were made for another index."""
    content = bytes(arrays["content"]).hex()
    if content != index.about["content"]:
        raise ClinnerError(
            f"{source} is of another index: it was made for terms of fingerprint {content[:16]}, those here have "
            f"{index.about['content'][:16]}; build both together."
        )


def read_about(path: Path) -> dict[str, Any]:
    """A JSON file that holds an object. Raises ClinnerError if it is none."""
    try:
        about = srsly.read_json(path)
    except (OSError, ValueError) as error:
        raise ClinnerError(f"{path} cannot be read; name a folder that multiclin link build made.") from error
    if not isinstance(about, dict):
        raise ClinnerError(f"{path} is damaged; build the index again.")
    return about


def map_arrays(path: Path) -> Arrays:
    """The arrays of a safetensors file, read-only, mapped and not read. Raises ClinnerError if it is no such file.

    https://huggingface.co/docs/safetensors: eight bytes with the length of a JSON header, the header, the numbers.
    """
    try:
        with path.open("rb") as file:
            data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        return arrays_in(data)
    except OSError as error:
        raise ClinnerError(f"{path} cannot be read: {error.strerror}; build the index again.") from error
    except DAMAGE as error:
        raise ClinnerError(f"{path} is damaged ({type(error).__name__}); build the index again.") from error


def arrays_in(data: Any) -> Arrays:
    """The arrays in the bytes of a safetensors file, without a copy. Raises one of ``DAMAGE`` if they are none."""
    size = int.from_bytes(data[:8], "little")
    header = srsly.json_loads(bytes(data[8 : 8 + size]))
    arrays: Arrays = {}
    for name, field in header.items():
        if name != "__metadata__":
            begin, end = (8 + size + offset for offset in field["data_offsets"])
            arrays[name] = np.frombuffer(data[begin:end], dtype=TYPES[field["dtype"]]).reshape(field["shape"])
    return arrays


def arrays_to_bytes(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Arrays as a safetensors file in memory."""
    return save(dict(arrays))
