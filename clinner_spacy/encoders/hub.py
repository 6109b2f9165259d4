"""Files of the Hugging Face hub: only those that are needed, and one sentence when one cannot be had.

``HF_ENDPOINT``, ``HF_HUB_OFFLINE``, ``HF_HOME`` and the token of ``hf auth login`` work as everywhere; large files
show a progress bar.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import srsly
from huggingface_hub import HfApi, constants, hf_hub_download, scan_cache_dir, try_to_load_from_cache
from huggingface_hub.errors import (
    CacheNotFound,
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import validate_repo_id

from clinner_spacy.errors import DAMAGE, ClinnerError

WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")

#: What a tokenizer is read from, the complete form first, and what else the others need.
VOCABULARIES = ("tokenizer.json", "vocab.txt", "sentencepiece.bpe.model", "spm.model", "vocab.json")
VOCABULARY_PARTS = ("merges.txt", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")

#: What names a file here, not a repository.
FILES = (".pt", ".pth", ".bin", ".safetensors", ".json", ".cfg", ".zip")

#: Why a file cannot be kept, whatever the hub says.
DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.ENAMETOOLONG)

#: What versions of huggingface_hub connect with, each raising errors of its own.
HTTP_CLIENTS = ("requests", "urllib3", "httpx", "httpx2")


class Repository(NamedTuple):
    """A model repository of the hub at a revision (a branch, tag or commit; None is its main branch)."""

    name: str
    revision: str | None = None
    local_files_only: bool = False

    def fetch(self, *files: str) -> Path:
        """The first of ``files`` that the repository has, in the cache. Raises ClinnerError if it has none."""
        unknown: ClinnerError | None = None
        for file in files:
            try:
                return self._download(file)
            except _Absent:
                continue
            except _Unknown as error:
                unknown = unknown or ClinnerError(str(error))
        raise unknown or ClinnerError(f"The repository {self} has no {' or '.join(files)}; name another checkpoint.")

    def fetch_if_there(self, *files: str) -> None:
        """Bring those of ``files`` that the repository has, as far as that can be told."""
        for file in files:
            with contextlib.suppress(_Absent, _Unknown):
                self._download(file)

    def files(self) -> list[str]:
        """The names of its files; of those in the cache where the hub may not or cannot be asked, if there are any."""
        reason: Exception | None = None
        if not self.offline:
            try:
                with _one_sentence(self):
                    return HfApi().list_repo_files(self.name, revision=self.revision)
            except _Absent:
                return []  # a mirror that sends files but no lists
            except _Unknown as error:
                reason = error
        cached = self._cached_files()
        if not cached:
            raise ClinnerError(str(reason or _not_here(f"The repository {self}", "offline or local_files_only")))
        return cached

    @property
    def offline(self) -> bool:
        return self.local_files_only or bool(constants.HF_HUB_OFFLINE)

    def _download(self, file: str) -> Path:
        if self.offline:  # hf_hub_download asks the hub who its users are even then
            return self._cached(file)
        with _one_sentence(self, file):
            return Path(hf_hub_download(self.name, file, revision=self.revision))

    def _cached(self, file: str) -> Path:
        cached = try_to_load_from_cache(self.name, file, revision=self.revision)
        if isinstance(cached, str):
            return Path(cached)
        if cached is None:
            raise _Unknown(_not_here(f"{file} of {self}", "offline or local_files_only"))
        raise _Absent

    def _cached_files(self) -> list[str]:
        try:
            cached = scan_cache_dir(constants.HF_HUB_CACHE).repos
        except CacheNotFound:
            return []
        return sorted(
            file.file_path.relative_to(revision.snapshot_path).as_posix()
            for repo in cached
            if repo.repo_id == self.name
            for revision in repo.revisions
            if (self.revision or "main") in {revision.commit_hash, *revision.refs}
            for file in revision.files
        )

    def __str__(self) -> str:
        return f"{self.name!r}" + (f" (revision {self.revision!r})" if self.revision else "")


def fetch_encoder(name: str, revision: str | None = None, local_files_only: bool = False, weights: bool = True) -> Path:
    """A directory with an encoder's config, tokenizer and, if asked for, weights: ``name`` itself or its copy.

    Raises ClinnerError if it is neither, or a file of it is missing or cannot be reached.
    """
    if Path(name).is_dir():
        return Path(name)
    repository = Repository(repository_id(name), revision, local_files_only)
    folder = repository.fetch("config.json").parent
    vocabulary = repository.fetch(*VOCABULARIES)
    if vocabulary.name != "tokenizer.json":
        repository.fetch_if_there(*VOCABULARY_PARTS)
    if weights:
        index = repository.fetch(*WEIGHTS)
        if index.suffix == ".json":
            for shard in shards_of(index):
                repository.fetch(shard)
    return folder


def repository_id(name: str) -> str:
    """``name``, if it may be a repository. Raises ClinnerError, without asking the hub, for a mistyped path."""
    folder, _, rest = name.partition("/")
    if name.endswith(FILES) or (rest and Path(folder).is_dir()):
        raise ClinnerError(f"There is no file or directory {name} here; check its name.")
    try:
        validate_repo_id(name)
    except HFValidationError as error:
        raise ClinnerError(
            f"{name!r} is no file or directory here and no repository's name (owner/name); check it."
        ) from error
    return name


def shards_of(index: Path) -> list[str]:
    """The files of weights that an index names. Raises ClinnerError if it is damaged or names files elsewhere."""
    try:
        shards = sorted(set(srsly.read_json(index)["weight_map"].values()))
        if not shards or any(Path(shard).name != shard for shard in shards):
            raise ValueError("names of files are needed")
    except (OSError, *DAMAGE) as error:
        raise ClinnerError(f"{index} is no index of weights or is damaged; fetch it again.") from error
    return shards


def _not_here(what: str, why: str) -> str:
    return f"{what} is not in the cache and the hub is out of reach ({why}); connect once, or name a local directory."


class _Absent(Exception):
    """The repository has no such file."""


class _Unknown(Exception):
    """The hub was not asked or did not answer, and the cache has no such file."""


@contextlib.contextmanager
def _one_sentence(repository: Repository, file: str | None = None) -> Iterator[None]:
    """Turn what huggingface_hub raises into :class:`_Absent`, :class:`_Unknown` or a ClinnerError."""
    what = f"{file} of {repository}" if file else f"The repository {repository}"
    try:
        yield
    except (LocalEntryNotFoundError, OfflineModeIsEnabled) as error:
        raise _Unknown(_not_here(what, "offline or no connection")) from error
    except GatedRepoError as error:
        raise ClinnerError(
            f"The repository {repository} is gated; accept its terms on its page, then log in with `hf auth login`."
        ) from error
    except RepositoryNotFoundError as error:
        raise ClinnerError(
            f"The hub has no repository {repository} (or it is private), and there is no such directory here; "
            "check the name."
        ) from error
    except RevisionNotFoundError as error:
        raise ClinnerError(f"The repository {repository} has no such revision; check `revision`.") from error
    except EntryNotFoundError as error:
        raise _Absent from error
    except HfHubHTTPError as error:
        status = getattr(error.response, "status_code", "no answer")
        if status == 404:
            raise _Absent from error
        raise ClinnerError(f"{what} could not be fetched: the hub answered {status}; try again later.") from error
    except Exception as error:
        if isinstance(error, OSError) and error.errno in DISK:
            raise ClinnerError(
                f"{what} cannot be kept in the cache {constants.HF_HUB_CACHE} ({error.strerror}); make room there, or "
                "set HF_HOME to another place."
            ) from error
        if type(error).__module__.split(".")[0] not in HTTP_CLIENTS and not isinstance(error, OSError):
            raise
        raise _Unknown(_not_here(what, type(error).__name__)) from error


def known_about(folder: Path, names: Sequence[str] = ("license", "language")) -> dict[str, object]:
    """What the model card beside a checkpoint says of its licence and languages."""
    card = folder / "README.md"
    if not card.is_file():
        return {}
    text = card.read_text(encoding="utf8", errors="replace")
    if not text.startswith("---\n") or "\n---" not in text[4:]:
        return {}
    try:
        fields = srsly.yaml_loads(text[4 : text.index("\n---", 4)])
    except Exception:  # a damaged card takes nothing from the weights
        return {}
    return {name: fields[name] for name in names if isinstance(fields, dict) and name in fields}
