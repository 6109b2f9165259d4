from __future__ import annotations

from pathlib import Path

import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import Doc, DocBin

from clinner_spacy.corpora.docbin import save_docs
from clinner_spacy.corpora.document import NAME_KEY, Document, Mention, Relation, Report, from_doc, to_doc
from clinner_spacy.errors import ClinnerError

NLP = spacy.blank("es")


def mention(label: str, *fragments: tuple[int, int], **more: str) -> Mention:
    return Mention(label, fragments, **more)


def convert(text: str, **mentions: list[Mention]) -> tuple[Doc, Report]:
    report = Report()
    return to_doc(Document("d", text, dict(mentions)), NLP, report=report), report


def texts(doc: Doc, task: str) -> list[str]:
    return [span.text for span in doc.spans[task]]


def test_tasks_labels_order_and_name() -> None:
    doc, report = convert("dolor y fiebre", symptom=[mention("S", (8, 14)), mention("S", (0, 5))], disease=[])
    assert texts(doc, "symptom") == ["fiebre", "dolor"]
    assert list(doc.spans) == ["symptom", "disease"] and len(doc.spans["disease"]) == 0
    assert doc.user_data[NAME_KEY] == "d" and doc.text == "dolor y fiebre"
    assert str(report) == "2 mentions in 1 documents; all kept as they stand."


def test_misaligned_mentions_are_moved_to_the_words_they_touch() -> None:
    doc, report = convert("fiebre\n alta  ya", s=[mention("S", (2, 9)), mention("T", (5, 8)), mention("U", (12, 15))])
    assert texts(doc, "s") == ["fiebre\n alta", "fiebre", "ya"]
    assert report.misaligned == 3 and "3 moved to whole words" in str(report)


def test_a_mention_without_a_word_is_counted() -> None:
    doc, report = convert("a \n b", s=[mention("S", (1, 4))])
    assert texts(doc, "s") == [] and (report.mentions, report.without_words) == (1, 1)


def test_overlapping_discontinuous_and_repeated_mentions_are_kept_and_counted() -> None:
    given_ = [mention("S", (0, 5), (16, 20)), mention("S", (6, 15)), mention("S", (6, 15)), mention("T", (6, 15))]
    doc, report = convert("dolor abdominal leve", s=given_)
    assert texts(doc, "s") == ["dolor abdominal leve", "abdominal", "abdominal"]
    assert (report.discontinuous, report.overlapping, report.duplicates) == (1, 2, 1)


def test_notes_and_relations_survive_a_docbin(tmp_path: Path) -> None:
    document = Document(
        "d", "aspirina para fiebre",
        {"drug": [mention("DRUG", (0, 8), id="T1", note="C0004057")], "symptom": [mention("S", (14, 20), id="T7")]},
        [Relation("Used_for", "T1", "T7")],
    )  # fmt: skip
    doc = to_doc(document, NLP)
    save_docs(tmp_path / "d.spacy", [doc])
    (loaded,) = DocBin().from_disk(tmp_path / "d.spacy").get_docs(NLP.vocab)
    assert list(loaded._.relations) == [{"head": 0, "tail": 1, "label": "Used_for"}]
    assert [span.label_ for span in loaded.spans["sc"]] == ["DRUG", "S"]
    assert loaded.spans["drug"].attrs["notes"] == ["C0004057"]
    assert from_doc(loaded).relations == [Relation("Used_for", "T0", "T1")]
    assert from_doc(loaded, ["drug", "symptom", "other"]).mentions == {
        "drug": [mention("DRUG", (0, 8), note="C0004057")], "symptom": [mention("S", (14, 20))]
    }  # fmt: skip


def test_a_relation_to_no_mention_is_counted() -> None:
    report = Report()
    document = Document("d", "a b", {"x": [mention("X", (0, 1), id="T1")]}, [Relation("R", "T1", "T9")])
    assert to_doc(document, NLP, report=report)._.relations == []
    assert (report.relations, report.relations_lost) == (1, 1)


@pytest.mark.parametrize("fragment", [(0, 9), (3, 3), (-1, 2)])
def test_an_offset_outside_the_text_is_refused_without_quoting_it(fragment: tuple[int, int]) -> None:
    with pytest.raises(ClinnerError, match=r"d: a S from -?\d to \d lies outside the text of 4 characters"):
        convert("abcd", s=[mention("S", fragment)])


@given(st.text(st.sampled_from("ab. ,\t\r\n\x00\u200b\u0301é😀-"), max_size=30), st.data())
def test_every_mention_lies_in_its_span(text: str, data: st.DataObject) -> None:
    places = st.tuples(st.integers(0, len(text)), st.integers(0, len(text))).filter(lambda p: p[0] < p[1])
    given_ = [mention("S", place) for place in data.draw(st.lists(places, max_size=5)) if text] if text else []
    doc, report = convert(text, s=given_)
    assert doc.text == text
    assert len(doc.spans["s"]) + report.duplicates + report.without_words == len(given_)
    for span in doc.spans["s"]:
        assert not span[0].is_space and not span[-1].is_space
        assert any(span.start_char < m.end and m.start < span.end_char for m in given_)
    for m in given_:
        inside = [word for word in doc if word.idx < m.end and m.start < word.idx + len(word) and not word.is_space]
        assert not inside or (inside[0].i, inside[-1].i + 1) in {(span.start, span.end) for span in doc.spans["s"]}


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for target in (tmp_path / "none" / "a.spacy", tmp_path / "folder"):
        with pytest.raises(ClinnerError, match="cannot be written"):
            save_docs(target, [NLP("a")])
    assert [path.name for path in tmp_path.rglob("*")] == ["folder"]
