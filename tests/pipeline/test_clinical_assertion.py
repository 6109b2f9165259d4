"""The component: what it writes, that it survives, where its scopes come from, and bad input."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span
from spacy.util import load_model_from_config

from clinner_spacy.errors import ClinnerError, WordsWarning
from tests.pipeline.conftest import gold, tagger, train

TEXT = "Madre con asma. Niega fiebre, tos o disnea. Posible neumonía. Tiene dolor."
MENTIONS = ["asma", "fiebre", "tos", "disnea", "neumonía", "dolor"]
SAID = [["family"], ["negated"], ["negated"], ["negated"], ["uncertain"], []]
ATTRIBUTES = ["negated", "uncertain", "family", "historical", "hypothetical"]

#: What a tagger of scopes learns by heart.
SCOPES = [
    ("Niega fiebre .", {"negation": {"NEG": ["Niega"], "NSCO": ["fiebre"]}, "uncertainty": {}}),
    ("Probable gripe .", {"negation": {}, "uncertainty": {"UNC": ["Probable"], "USCO": ["gripe"]}}),
    ("Tiene dolor .", {"negation": {}, "uncertainty": {}}),
    ("Madre con asma .", {"negation": {}, "uncertainty": {}}),
]


def with_spans(nlp: Language, text: str, mentions: list[str]) -> Doc:
    doc = nlp.make_doc(text)
    starts = [text.index(mention) for mention in mentions]
    doc.spans["sc"] = [doc.char_span(s, s + len(m), "SYMPTOM") for s, m in zip(starts, mentions, strict=True)]
    return doc


def said(doc: Doc) -> list[list[str]]:
    return [[name for name in ATTRIBUTES if span._.get(f"is_{name}")] for span in doc.spans["sc"]]


@pytest.fixture(scope="module")
def rules() -> Language:
    nlp = spacy.blank("es")
    nlp.add_pipe("clinical_assertion", config={"checkpoint": None})
    return nlp


@pytest.fixture(scope="module")
def scope_tagger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved pipeline whose "multiclin_ner" has learned the scopes of three sentences."""
    nlp = spacy.blank("es")
    nlp.add_pipe("multiclin_ner", config={"checkpoint": None, "model": tagger(), "spans_key": "assertion"})
    examples = []
    for text, tasks in SCOPES:
        example = gold(nlp, text, {task: [] for task in tasks})
        for task, labels in tasks.items():
            doc = example.reference
            doc.spans[task] = [
                doc.char_span(text.index(found), text.index(found) + len(found), label)
                for label, mentions in labels.items()
                for found in mentions
            ]
        examples.append(example)
    path = tmp_path_factory.mktemp("tagger")
    train(nlp, examples).to_disk(path)
    return path


def test_what_is_written(rules: Language) -> None:
    doc = with_spans(rules, TEXT, MENTIONS)
    doc.set_ents([doc.spans["sc"][1], Span(doc, 14, 15, "X")])  # "fiebre", and one that stands in no group
    doc = rules(doc)
    assert said(doc) == SAID
    assert [ent._.is_negated for ent in doc.ents] == [True, False]
    attrs = doc.spans["sc"].attrs
    assert attrs["negated"] == [0.0, 1.0, 1.0, 1.0, 0.0, 0.0]
    assert attrs["negated_cue"] == [None, [16, 21], [16, 21], [16, 21], None, None]
    assert [TEXT[slice(*place)] for place in attrs["negated_scope"][1:2]] == ["fiebre, tos o disnea"]
    assert all(len(attrs[name]) == len(MENTIONS) for name in attrs)
    assert [(span.text, span.label_) for span in doc.spans["assertion"]] == [
        ("Madre", "FAMILY"),
        ("con asma", "FAMILY_SCOPE"),
        ("Niega", "NEG"),
        ("fiebre, tos o disnea", "NSCO"),
        ("Posible", "UNC"),
        ("neumonía", "USCO"),
    ]


def test_a_second_run_changes_nothing(rules: Language) -> None:
    once = rules(with_spans(rules, TEXT, MENTIONS))
    attrs = dict(once.spans["sc"].attrs)
    twice = rules(once)
    assert dict(twice.spans["sc"].attrs) == attrs and said(twice) == SAID


def test_a_document_with_nothing(rules: Language) -> None:
    assert list(rules("").spans["assertion"]) == []
    assert "sc" not in rules("Sin fiebre.").spans


def test_survives_bytes_and_docbin(rules: Language) -> None:
    doc = rules(with_spans(rules, TEXT, MENTIONS))
    again = Doc(rules.vocab).from_bytes(doc.to_bytes())
    box = DocBin(store_user_data=True, docs=[doc])
    boxed = next(DocBin(store_user_data=True).from_bytes(box.to_bytes()).get_docs(rules.vocab))
    for back in (again, boxed):
        assert dict(back.spans["sc"].attrs) == dict(doc.spans["sc"].attrs)
        assert said(back) == SAID
        assert [s.label_ for s in back.spans["assertion"]] == [s.label_ for s in doc.spans["assertion"]]


@pytest.mark.parametrize("checkpoint", [None, "scopes"])
def test_several_processes(checkpoint: str | None, scope_tagger: Path) -> None:
    nlp = spacy.blank("es")
    nlp.add_pipe("clinical_assertion", config={"checkpoint": checkpoint and str(scope_tagger)})
    text = "Niega fiebre . Madre con asma"
    one, two = ([said(d) for d in nlp.pipe(_docs(nlp, text), n_process=n, batch_size=2)] for n in (1, 2))
    assert one == two == [[["negated"], ["family"]]] * 5


def _docs(nlp: Language, text: str) -> list[Doc]:
    return [with_spans(nlp, text, ["fiebre", "asma"]) for _ in range(5)]


def by_disk(nlp: Language, tmp_path: Path) -> Language:
    nlp.to_disk(tmp_path / "saved")
    return spacy.load(tmp_path / "saved")


def by_bytes(nlp: Language, tmp_path: Path) -> Language:
    return load_model_from_config(nlp.config).from_bytes(nlp.to_bytes())


@pytest.mark.parametrize("way", [by_disk, by_bytes])
@pytest.mark.parametrize("checkpoint", [None, "scopes"])
def test_saved_and_loaded(
    way: Callable[[Language, Path], Language], checkpoint: str | None, scope_tagger: Path, tmp_path: Path
) -> None:
    own = tmp_path / "own.json"
    own.write_text('{"context_rules": [{"literal": "prima", "category": "FAMILY", "direction": "FORWARD"}]}')
    nlp = spacy.blank("es")
    nlp.add_pipe("clinical_assertion", config={"checkpoint": checkpoint and str(scope_tagger), "rules": str(own)})
    text = "Niega fiebre . Prima con asma"
    expected = said(nlp(with_spans(nlp, text, ["fiebre", "asma"])))
    own.unlink()  # a saved pipeline has its own copy
    assert expected == [["negated"] if checkpoint else [], ["family"]]
    back = way(nlp, tmp_path)
    assert said(back(with_spans(back, text, ["fiebre", "asma"]))) == expected


def test_a_tagger_tells_negation_and_rules_the_rest(scope_tagger: Path) -> None:
    nlp = spacy.blank("es")
    nlp.add_pipe("clinical_assertion", config={"checkpoint": str(scope_tagger)})
    doc = nlp(with_spans(nlp, "Niega fiebre . Madre con asma . Sin tos", ["fiebre", "asma", "tos"]))
    assert said(doc)[:2] == [["negated"], ["family"]]
    attrs = doc.spans["sc"].attrs
    assert 0.5 < attrs["negated"][0] < 1.0 and attrs["negated_cue"][0] == [0, 5]


def test_a_checkpoint_that_tags_no_scope() -> None:
    nlp = spacy.blank("es")
    nlp.add_pipe("clinical_assertion", config={"checkpoint": str(Path(spacy.__file__).parent / "none")})
    with pytest.raises(ClinnerError, match="none"):
        nlp("Sin fiebre.")
    from clinner_spacy.files import EMBEDDED

    nlp = spacy.blank("es")
    nlp.add_pipe("clinical_assertion", config={"checkpoint": str(EMBEDDED)})
    with pytest.raises(ClinnerError, match=r"tags DISEASE.* and no scope \(NSCO or USCO\)"):
        nlp("Sin fiebre.")


def test_extensions_come_with_the_component_not_with_the_import() -> None:
    import subprocess
    import sys

    code = (
        "import spacy, clinner_spacy.pipeline.clinical_assertion\n"
        "from spacy.tokens import Span\n"
        "assert not Span.has_extension('is_negated')\n"
        "spacy.blank('nl').add_pipe('clinical_assertion')\n"
        "assert Span.has_extension('is_negated')\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("lang", "config", "message"),
    [
        ("xx", {}, r"no rules for the language 'xx', only for cs, en, es, it, nl, ro, sv; .* rules"),
        ("fr", {"checkpoint": "somewhere"}, "no rules for the language 'fr'"),
        ("en", {"checkpoint": None, "window": 128}, "has no use for window"),
        ("en", {"checkpoint": None, "device": "cpu"}, "has no use for device"),
        ("cs", {"checkpoint": "embedded"}, "No embedded tagger of negation knows the language 'cs'"),
    ],
)
def test_refused(lang: str, config: dict, message: str) -> None:
    with pytest.raises(ClinnerError, match=message):
        spacy.blank(lang).add_pipe("clinical_assertion", config=config)


def test_a_file_of_rules_that_is_not_there() -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe("clinical_assertion", config={"rules": "nowhere.json"})
    with pytest.raises(ClinnerError, match=r"rules=nowhere\.json cannot be read"):
        nlp("No fever.")


def test_own_rules_serve_any_language(tmp_path: Path) -> None:
    path = tmp_path / "fr.json"
    rule = {"literal": "pas de", "category": "NEGATED_EXISTENCE", "direction": "FORWARD"}
    path.write_text(json.dumps({"context_rules": [rule]}))
    nlp = spacy.blank("fr")
    nlp.add_pipe("clinical_assertion", config={"rules": str(path)})
    assert said(nlp(with_spans(nlp, "pas de toux", ["toux"]))) == [["negated"]]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 22), st.integers(0, 22)).map(sorted), max_size=6))
def test_any_spans(rules: Language, places: list[list[int]]) -> None:
    """Overlapping, repeated, without words, over sentence ends, of the whole document."""
    doc = rules.make_doc(TEXT + " Sin edema ni ictericia")
    n = len(doc)
    doc.spans["sc"] = [Span(doc, min(start, n), min(end, n), "X") for start, end in places]
    doc = rules(doc)
    attrs = doc.spans["sc"].attrs
    for index, span in enumerate(doc.spans["sc"]):
        for name in ATTRIBUTES:
            cue, scope = attrs[f"{name}_cue"][index], attrs[f"{name}_scope"][index]
            assert span._.get(f"is_{name}") == (attrs[name][index] > 0) == (scope is not None) == (cue is not None)
            assert scope is None or 0 <= scope[0] < scope[1] <= len(doc.text)
    assert all(len(span) for span in doc.spans["assertion"])


def seconds_of(nlp: Language, doc: Doc) -> float:
    begin = time.process_time()
    nlp.get_pipe("clinical_assertion")(doc)
    return time.process_time() - begin


@pytest.mark.slow
def test_a_long_document_takes_linear_time(rules: Language) -> None:
    """200,000 words; the second without a single sentence end."""
    for unit in (TEXT + "\n", "sin fiebre , tos y madre con asma , "):
        seconds = []
        for n_words in (50_000, 200_000):
            words = rules.make_doc(unit).text.split() * n_words
            doc = Doc(rules.vocab, words=words[:n_words])
            doc.spans["sc"] = [doc[i : i + 1] for i in range(0, n_words, 10)]
            seconds.append(min(seconds_of(rules, doc) for _ in range(2)))  # a busy machine may slow one of them
        assert seconds[1] < 8 * seconds[0]


@pytest.mark.parametrize("lang", ["es", "it"])  # with a tagger, which warns itself, and by rules alone
def test_what_is_saved_after_reading_warns_of_words_once(lang, tmp_path):
    nlp = spacy.blank(lang)
    nlp.add_pipe("clinical_assertion")
    with warnings.catch_warnings():
        warnings.simplefilter("error", WordsWarning)
        with nlp.memory_zone():
            nlp("Niega fiebre.")
        nlp.to_bytes()
    nlp("Niega fiebre.")
    with pytest.warns(WordsWarning) as told:
        nlp.to_disk(tmp_path / "saved")
    assert len([warning for warning in told if warning.category is WordsWarning]) == 1
