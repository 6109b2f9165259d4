"""The factory "clinical_assertion": is a mention there, denied, doubted, someone else's, long past or only feared?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

import srsly
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from clinner_spacy.assertion.categories import CATEGORIES, TAGGED
from clinner_spacy.assertion.cues import CueFinder
from clinner_spacy.assertion.lexicon import SHIPPED, Lexicon, languages, lexicon_data, parse_lexicon, read_lexicon
from clinner_spacy.assertion.mentions import Assertion, assert_spans
from clinner_spacy.assertion.scopes import Scope, find_scopes
from clinner_spacy.assertion.segments import line_ends
from clinner_spacy.assertion.tagged import join, pair_cues
from clinner_spacy.assertion.write import group_attributes, register_extensions, write_assertions, write_scopes
from clinner_spacy.checkpoints.published import refuse_unused
from clinner_spacy.encoders.settings import EncoderSettings, Precision
from clinner_spacy.errors import DAMAGE, ClinnerError
from clinner_spacy.files import EMBEDDED, replacing
from clinner_spacy.pipeline.marks import read_marks_alike
from clinner_spacy.pipeline.stream import SpanPipe
from clinner_spacy.pipeline.tagger import MultiClinNER

#: Where cues and scopes are written.
SCOPES_KEY = "assertion"

TAGGER = "tagger"


@Language.factory(
    "clinical_assertion",
    assigns=[f"span._.is_{name}" for name in ("negated", "uncertain", "family", "historical", "hypothetical")],
    default_config={
        "checkpoint": "auto",
        "rules": None,
        "base_model": None,
        "revision": None,
        "window": None,
        "overlap": None,
        "precision": "auto",
        "device": None,
        "batch_tokens": None,
        "local_files_only": False,
        "spans_key": "sc",
        "scorer": {"@scorers": "clinner.assertion_scorer.v1"},
    },
    default_score_weights={"negated_f": 0.0, "uncertain_f": 0.0},
)
def make_clinical_assertion(
    nlp: Language,
    name: str,
    *,
    checkpoint: str | None,
    rules: str | Path | None,
    base_model: str | None,
    revision: str | None,
    window: int | Literal["sentence"] | None,
    overlap: int | None,
    precision: Precision,
    device: str | None,
    batch_tokens: int | None,
    local_files_only: bool,
    spans_key: str,
    scorer: Callable | None,
) -> ClinicalAssertion:
    """Create the component; see :class:`ClinicalAssertion`, and :func:`clinner_spacy.checkpoints.load_checkpoint` for
    the settings from ``base_model`` to ``local_files_only``, which are for published checkpoints.

    Raises ClinnerError if there are no rules for the pipeline's language.
    """
    read_marks_alike(nlp)
    settings = EncoderSettings(
        revision=revision,
        local_files_only=local_files_only,
        window=window,
        overlap=overlap,
        precision=precision,
        batch_tokens=batch_tokens,
        device=device,
    )
    lang, tagger = str(nlp.lang), None
    chosen = embedded_tagger(lang) if checkpoint in ("auto", "embedded") else checkpoint
    if checkpoint == "embedded" and chosen is None:
        raise ClinnerError(
            f"No embedded tagger of negation knows the language {lang!r}, only {', '.join(tagger_languages())}; "
            "set checkpoint to null to go by rules alone."
        )
    given = {"base_model": base_model} | settings.changed()
    if chosen is None:
        refuse_unused(given, f"Component {name!r}, which goes by rules alone,")
    elif checkpoint in ("auto", "embedded"):
        refuse_unused(given, f"The embedded tagger of component {name!r}")
    if chosen is not None:
        from_checkpoint = {"base_model": base_model, "lang": lang, "settings": settings}
        tagger = MultiClinNER(nlp.vocab, None, name, checkpoint=chosen, checkpoint_settings=from_checkpoint)
    return ClinicalAssertion(nlp, name, tagger, rules_for(lang, rules), spans_key=spans_key, scorer=scorer)


def embedded_tagger(lang: str) -> str | None:
    """Where the tagger of a language lies that ships inside, or None."""
    path = EMBEDDED / f"assertion_{lang}"
    return str(path) if path.is_dir() else None


def tagger_languages() -> list[str]:
    """The languages that a tagger ships for."""
    return sorted(path.name.removeprefix("assertion_") for path in EMBEDDED.glob("assertion_*"))


def rules_for(lang: str, rules: str | Path | None) -> Path:
    """The file of rules that was asked for, or that ships for a language. Raises ClinnerError if there is none."""
    if rules is None and lang not in languages():
        raise ClinnerError(
            f"clinical_assertion has no rules for the language {lang!r}, only for {', '.join(languages())}; "
            "use a pipeline of one of these, or name a file of your own in rules."
        )
    return SHIPPED / f"{lang}.json" if rules is None else Path(rules)


class Said(NamedTuple):
    """What :meth:`ClinicalAssertion.predict` gives for a document: its scopes, and what they say of the spans of the
    group and of the entities, in their order."""

    scopes: list[Scope]
    group: list[Assertion]
    ents: list[Assertion]


class ClinicalAssertion(SpanPipe):
    """Say of each span of ``doc.spans[spans_key]`` and of each entity whether it is negated, uncertain, of the family,
    historical or hypothetical.

    It is so where a scope of that category is over the span's head (:mod:`clinner_spacy.assertion.mentions`). Scopes of
    negation and uncertainty come from a tagger if there is one, with what rules know better
    (:func:`~clinner_spacy.assertion.tagged.join`), the others from rules (ConText). Written are
    ``span._.is_negated`` and its like, which are kept by the bounds of a span; in the group's ``attrs`` lists parallel
    to its spans (:func:`~clinner_spacy.assertion.write.group_attributes`); and all cues and scopes in
    ``doc.spans["assertion"]``.

    tagger: finds spans with the labels NEG, NSCO, UNC and USCO, or None for rules alone. rules: a file of rules. Both
    are read at first use, never here, so that a pipeline loaded from disk reads its own.
    """

    def __init__(
        self,
        nlp: Language,
        name: str,
        tagger: MultiClinNER | None,
        rules: Path,
        *,
        spans_key: str = "sc",
        scorer: Callable | None = None,
    ) -> None:
        register_extensions()
        self.vocab = nlp.vocab
        self.tokenizer = nlp.tokenizer
        self.name = name
        self.tagger = tagger
        self.spans_key = spans_key
        self.scorer = scorer
        self.rules = rules
        self.lexicon: Lexicon | None = None
        self.finder: CueFinder | None = None

    def _set_lexicon(self, lexicon: Lexicon) -> None:
        self.lexicon = lexicon
        self.finder = CueFinder(lexicon, self.vocab, self.tokenizer)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of cues and scopes."""
        return tuple(label for category in CATEGORIES.values() for label in (category.cue, category.scope))

    def load(self) -> None:
        """Read the rules and the tagger's weights if they are not here yet. Raises ClinnerError for rules that cannot
        be read, and for a tagger of something else."""
        if self.lexicon is None:
            self._set_lexicon(read_lexicon(self.rules))
        if self.tagger is None or self.tagger.model is not None:
            return
        self.tagger.load()
        self._check_tagger(str(self.tagger.checkpoint))

    def _check_tagger(self, source: str) -> None:
        assert self.tagger is not None
        scopes = [CATEGORIES[name].scope for name in TAGGED]
        if not set(scopes) & set(self.tagger.labels):
            raise ClinnerError(
                f"{source} tags {', '.join(self.tagger.labels)} and no scope ({' or '.join(scopes)}); "
                "name a tagger of negation, or set checkpoint to null to go by rules."
            )

    def predict(self, docs: Iterable[Doc]) -> list[Said]:
        """What is said of the spans of each document, without touching it."""
        docs = list(docs)
        self._remember(docs)
        self.load()
        assert self.finder is not None
        tagged = None if self.tagger is None else [pair_cues(spans) for spans in self.tagger.predict(docs)]
        found = []
        for number, doc in enumerate(docs):
            cues = self.finder.cues(doc)
            scopes = find_scopes(doc, cues, self.finder.section_names(doc))
            if tagged is not None:
                scopes = join(tagged[number], scopes, cues, line_ends(doc))
            group = list(doc.spans.get(self.spans_key, ()))
            said = assert_spans(doc, [*group, *doc.ents], scopes)
            found.append(Said(scopes, said[: len(group)], said[len(group) :]))
        return found

    def set_annotations(self, docs: Iterable[Doc], scores: Sequence[Said]) -> None:
        """Write scopes and what they say to the documents."""
        for doc, found in zip(docs, scores, strict=True):
            write_scopes(doc, found.scopes, SCOPES_KEY)
            write_assertions(doc, doc.ents, found.ents)
            group = doc.spans.get(self.spans_key)
            if group is not None:
                write_assertions(doc, list(group), found.group)
                group.attrs.update(group_attributes(doc, found.group))

    def score(self, examples: Iterable[Example], **kwargs: Any) -> dict[str, Any]:
        """Precision, recall and F1 of each attribute; see :mod:`clinner_spacy.scoring.assertion`."""
        return {} if self.scorer is None else self.scorer(list(examples), spans_key=self.spans_key)

    # Saving and loading

    def to_disk(self, path: str | Path, *, exclude: Sequence[str] = ()) -> None:
        """Write ``rules.json``, which also says whether there is a tagger, and the tagger's folder into ``path``."""
        path = Path(path)
        path.mkdir(parents=True, exist_ok=True)
        rules = self._rules_data() | {TAGGER: self.tagger is not None}
        with replacing(path / "rules.json") as file:
            file.write(srsly.json_dumps(rules, indent=1))
        if self.tagger is not None:
            self.tagger.to_disk(path / TAGGER)

    def from_disk(self, path: str | Path, *, exclude: Sequence[str] = ()) -> Self:
        """Read what :meth:`to_disk` wrote. Raises ClinnerError naming the file that is missing or damaged."""
        path = Path(path)
        self._set_lexicon(read_lexicon(path / "rules.json"))
        self._expect_tagger(srsly.read_json(path / "rules.json").get(TAGGER), str(path))
        if self.tagger is not None:
            self.tagger.from_disk(path / TAGGER)
            self._check_tagger(str(path / TAGGER))
        return self

    def _rules_data(self) -> dict[str, Any]:
        if self.tagger is None:  # which would warn itself
            self._warn_of_words()
        self.load()
        assert self.lexicon is not None
        return lexicon_data(self.lexicon)

    def to_bytes(self, *, exclude: Sequence[str] = ()) -> bytes:
        """What :meth:`to_disk` writes, as one message."""
        rules = self._rules_data()
        tagger = self.tagger.to_bytes() if self.tagger is not None else None
        return srsly.msgpack_dumps({"rules": rules, TAGGER: tagger})

    def from_bytes(self, bytes_data: bytes, *, exclude: Sequence[str] = ()) -> Self:
        """Read what :meth:`to_bytes` gave. Raises ClinnerError if it is damaged."""
        source = f"The state of component {self.name!r}"
        try:
            state = srsly.msgpack_loads(bytes_data)
            rules, tagger = state["rules"], state[TAGGER]
        except DAMAGE as error:
            raise ClinnerError(f"{source} is damaged ({type(error).__name__}); serialize it again.") from error
        self._set_lexicon(parse_lexicon(rules, source))
        self._expect_tagger(tagger is not None, source)
        if self.tagger is not None:
            self.tagger.from_bytes(tagger)
            self._check_tagger(source)
        return self

    def _expect_tagger(self, saved: Any, source: str) -> None:
        """Let there be a tagger just where one was saved, whichever ship with this version for the language."""
        if not saved:
            self.tagger = None
        elif self.tagger is None:
            raise ClinnerError(f"{source} was saved with a tagger, and its config asks for none; set checkpoint in it.")

