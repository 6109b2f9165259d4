"""The factory "concept_linker": which concept of the user's terminology a mention is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Self

import srsly
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from clinner_spacy.errors import DAMAGE, ClinnerError
from clinner_spacy.files import replacing
from clinner_spacy.first_use import first_use
from clinner_spacy.linking.evidence import STAGES
from clinner_spacy.linking.linker import Candidate, Linker, Mention
from clinner_spacy.linking.settings import abbreviations_in, settings_of
from clinner_spacy.linking.source import Source, read_source
from clinner_spacy.linking.store import (
    arrays_in,
    arrays_to_bytes,
    index_arrays,
    index_of,
    open_source,
    save_source,
    source_from_bytes,
    source_to_bytes,
)
from clinner_spacy.linking.terminology import read_abbreviations
from clinner_spacy.linking.write import mentions_in, write_codes, write_entity_codes
from clinner_spacy.ner.threshold import checked_number
from clinner_spacy.pipeline.stream import SpanPipe
from clinner_spacy.scoring.linking import RANKED, SCORE_WEIGHTS

#: Distinct mentions whose candidates are kept in memory; beyond, they are forgotten and collected anew.
CACHED = 100_000
SETTINGS = "settings.json"


@Language.factory(
    "concept_linker",
    assigns=["doc.spans", "token.ent_kb_id"],
    default_config={
        "terms": None,
        "index": None,
        "abbreviations": None,
        "labels": {},
        "stages": None,
        "k": 5,
        "threshold": None,
        "spans_key": "sc",
        "scorer": {"@scorers": "clinner.linker_scorer.v1"},
    },
    default_score_weights=SCORE_WEIGHTS,
)
def make_concept_linker(
    nlp: Language,
    name: str,
    *,
    terms: str | Path | None,
    index: str | Path | None,
    abbreviations: str | Path | None,
    labels: dict[str, list[str]],
    stages: list[str] | None,
    k: int,
    threshold: float | None,
    spans_key: str,
    scorer: Callable | None,
) -> ConceptLinker:
    """Create the component; see :class:`ConceptLinker`. Raises ClinnerError for a setting that cannot be."""
    files = {"terms": terms, "index": index, "abbreviations": abbreviations}
    return ConceptLinker(
        nlp, name, files, labels=labels, stages=stages, k=k, threshold=threshold, spans_key=spans_key, scorer=scorer
    )


class Remembered(dict[Mention, list[Candidate]]):
    """The candidates of mentions met before: words of patients' texts, so copies and pickles of it are empty."""

    def __reduce__(self) -> tuple[type[Remembered], tuple[()]]:
        return Remembered, ()


class Linked(NamedTuple):
    """What :meth:`ConceptLinker.predict` gives for a document: candidates, best first, of the spans of the group and of
    the entities, in their order."""

    group: list[list[Candidate]]
    ents: list[list[Candidate]]


class ConceptLinker(SpanPipe):
    """Give each span of ``doc.spans[spans_key]`` and each entity the code of the concept it is.

    Written are ``span.kb_id_``, the best code, or "" where no score reaches the threshold; and in the group's ``attrs``
    lists parallel to its spans: "codes", the same, and "candidates", up to ``k`` dicts each with "code", "term" and
    "score", best first. A code of the terminology that an entity had and that no longer reaches the threshold is taken
    away; any other stays. Spans with the same bounds and different labels may have different codes.

    files: paths of "terms", a table (:func:`~clinner_spacy.linking.terminology.read_terminology`) that is indexed in
    memory, or "index", a folder that ``multiclin link build`` made, or both: then the index must be of this table; and
    of "abbreviations", a table. They are read at first use, never here, so that a pipeline loaded from disk reads its
    own.
    labels: label of a span -> labels of terms that it may be. stages: see :mod:`clinner_spacy.linking.evidence`; None:
    all. threshold: the least score of a code, from 0 to 1; None: that of the linker, 0.5 with a ranking, else 0.85.
    """

    def __init__(
        self,
        nlp: Language,
        name: str,
        files: Mapping[str, str | Path | None],
        *,
        labels: Mapping[str, Collection[str]] | None = None,
        stages: Sequence[str] | None = None,
        k: int = 5,
        threshold: float | None = None,
        spans_key: str = "sc",
        scorer: Callable | None = None,
    ) -> None:
        self.vocab = nlp.vocab
        self.lang = str(nlp.lang)
        self.name = name
        self.files = dict(files)
        self.label_names = {label: list(names) for label, names in (labels or {}).items()}
        self.stages = STAGES if stages is None else tuple(stages)
        self.stages_asked = stages is not None
        self.k = k
        self.threshold = None if threshold is None else checked_number(threshold, "threshold", name)
        self.spans_key = spans_key
        self.scorer = scorer
        self.source: Source | None = None
        self.abbreviations: dict[str, str] = {}
        self.linker: Linker | None = None
        self._cache, self._cached_k = Remembered(), k
        self._check_settings()

    def _check_settings(self) -> None:
        unknown = [stage for stage in self.stages if stage not in STAGES]
        if unknown or not self.stages:
            raise ClinnerError(f"stages={list(self.stages)} of component {self.name!r} must be of {', '.join(STAGES)}.")
        if self.k < 1:
            raise ClinnerError(f"k={self.k} of component {self.name!r} is below 1; raise it.")

    def load(self) -> None:
        """Read the terminology and the abbreviations, if they are not here yet; of several threads one reads them.

        Raises ClinnerError if neither terms nor an index are named, and for files that cannot be read or do not belong
        together.
        """
        if self.linker is not None:
            return
        with first_use():
            if self.linker is not None:
                return
            abbreviations = self.files["abbreviations"]
            known = read_abbreviations(abbreviations) if abbreviations is not None else {}
            self._set(read_source(self.files["terms"], self.files["index"], self.lang, self.name), known)

    def _set(self, source: Source, abbreviations: dict[str, str]) -> None:
        self.source, self.abbreviations = source, abbreviations
        self._cache = Remembered()
        self._check_labels(source)
        if self.stages_asked and "encoder" in self.stages and source.meanings is None:
            raise ClinnerError(
                f'stages of component {self.name!r} names "encoder", and the index has no vectors; build it with '
                "--encoder, or leave it out."
            )
        self.linker = Linker(
            source.index,
            lang=self.lang if self.lang != "xx" else "",
            labels=self.label_names,
            abbreviations=abbreviations,
            ranker=source.ranker,
            stages=self.stages,
            meanings=source.meanings,
        )

    def _check_labels(self, source: Source) -> None:
        """Raise ClinnerError for labels that no term has: nothing would ever be linked to them."""
        known = set(source.index.labels.texts()) if self.label_names else set()
        unknown = [name for names in self.label_names.values() for name in names if name not in known]
        if unknown:
            there = ", ".join(sorted(filter(None, known))[:10]) or "no labels"
            raise ClinnerError(
                f"labels of component {self.name!r} names {unknown[0]!r}, which no term has; the terms have {there}."
            )

    def predict(self, docs: Iterable[Doc]) -> list[Linked]:
        """Candidates of the spans of each document, without touching it."""
        docs = list(docs)
        self._remember(docs)
        mentions = [
            (mentions_in(doc.spans.get(self.spans_key, ())), [Mention(ent.text, ent.label_) for ent in doc.ents])
            for doc in docs
        ]
        found = self.candidates({mention for sides in mentions for side in sides for mention in side})
        return [Linked(*([found[mention] for mention in side] for side in sides)) for sides in mentions]

    def candidates(self, mentions: Collection[Mention], least: int = 1) -> dict[Mention, list[Candidate]]:
        """The candidates of distinct mentions, ``k`` or ``least`` of each, whichever is more; those met before are
        remembered, in memory only, unless other numbers of them were asked for."""
        self.load()
        assert self.linker is not None
        k = max(self.k, least)
        if self._cached_k != k:
            self._cache, self._cached_k = Remembered(), k
        known = self._cache
        found = {mention: known[mention] for mention in mentions if mention in known}
        new = sorted(mention for mention in mentions if mention not in found)
        found |= zip(new, self.linker(new, k), strict=True)
        if len(known) + len(new) > CACHED:
            known = self._cache = Remembered()
        known.update((mention, found[mention]) for mention in new[:CACHED])
        return found

    def set_annotations(self, docs: Iterable[Doc], scores: Sequence[Linked]) -> None:
        """Write codes and candidates to the documents."""
        self.load()
        assert self.source is not None and self.linker is not None
        threshold = self.linker.threshold if self.threshold is None else self.threshold
        for doc, linked in zip(docs, scores, strict=True):
            if self.spans_key in doc.spans:
                write_codes(doc, self.spans_key, linked.group, threshold)
            write_entity_codes(doc, linked.ents, threshold, self.source)

    def score(self, examples: Iterable[Example], **kwargs: Any) -> dict[str, Any]:
        """Accuracy over gold spans and F1 end to end; see :func:`clinner_spacy.scoring.linking.score_links`."""
        if self.scorer is None:
            return {}
        candidates = partial(self.candidates, least=RANKED)
        return self.scorer(list(examples), spans_key=self.spans_key, candidates=candidates)

    # Saving and loading

    def to_disk(self, path: str | Path, *, exclude: Sequence[str] = ()) -> None:
        """Write the index, its ranking, its vectors and the abbreviations into ``path``; nothing of the mentions that
        were read. Warns if texts were read outside a memory zone: then spaCy writes their words beside."""
        self._warn_of_words()
        self.load()
        assert self.source is not None
        path = Path(path)
        path.mkdir(parents=True, exist_ok=True)
        save_source(self.source, path)
        with replacing(path / SETTINGS) as file:
            file.write(srsly.json_dumps(settings_of(self.abbreviations, self.files), indent=1))

    def from_disk(self, path: str | Path, *, exclude: Sequence[str] = ()) -> Self:
        """Map what :meth:`to_disk` wrote. Raises ClinnerError naming the file that is missing or damaged,
        and if the config names other files than when it was written."""
        path = Path(path)
        try:
            abbreviations = abbreviations_in(srsly.read_json(path / SETTINGS), self.files, self.name)
        except ClinnerError:
            raise
        except (OSError, *DAMAGE) as error:
            raise ClinnerError(f"{path / SETTINGS} is missing or damaged; save the pipeline again.") from error
        self._set(open_source(path), abbreviations)
        return self

    def to_bytes(self, *, exclude: Sequence[str] = ()) -> bytes:
        """What :meth:`to_disk` writes, as one message. Warns as it does."""
        self._warn_of_words()
        self.load()
        assert self.source is not None
        index = self.source.index
        state = {"about": index.about, "index": arrays_to_bytes(index_arrays(index))}
        state |= source_to_bytes(self.source) | {"settings": settings_of(self.abbreviations, self.files)}
        return srsly.msgpack_dumps(state)

    def from_bytes(self, bytes_data: bytes, *, exclude: Sequence[str] = ()) -> Self:
        """Read what :meth:`to_bytes` gave. Raises ClinnerError if it is damaged or the config names other files."""
        source = f"The state of component {self.name!r}"
        try:
            state = srsly.msgpack_loads(bytes_data)
            abbreviations = abbreviations_in(state["settings"], self.files, self.name)
            index = index_of(arrays_in(memoryview(state["index"])), state["about"], source)
            known = source_from_bytes(index, state, source)
        except ClinnerError:
            raise
        except DAMAGE as error:
            raise ClinnerError(f"{source} is damaged ({type(error).__name__}); serialize it again.") from error
        self._set(known, abbreviations)
        return self
