from __future__ import annotations

from pathlib import Path

import pytest
import spacy

from clinner_spacy.corpora.brat import read_brat, write_brat
from clinner_spacy.corpora.document import Document, Mention, Relation, Report, from_doc, to_doc
from clinner_spacy.errors import ClinnerError

TEXT = "dolor abdominal\r\ny de espalda, con aspirina"
ANN = """T1\tSymptom 0 5;21 28\tdolor espalda
T2\tSymptom 0 15\tdolor abdominal
#1\tAnnotatorNotes T2\tC0000737
#2\tAnnotatorNotes E1\tsecond note
T3\tDrug 34 42\taspirin
E1\tSymptom:T2 Theme:T3
R1\tUsed_for Arg1:T3 Arg2:E1
A1\tNegated T1
A2\tUncertain E1
A3\tStatus T1 Past
A4\tFamily R1
N1\tReference T3 ATC:N02BA01\taspirin
*\tAlias T1 T2
#3\tAnnotatorNotes R1\tsure
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "in" / "sub"
    place.mkdir(parents=True)
    (place / "a.txt").write_bytes(TEXT.encode())
    (place / "a.ann").write_bytes(ANN.encode())
    (place.parent / "b.txt").write_text("nada")
    (place.parent / "b.ann").write_text("")
    return place.parent


def test_mentions_notes_relations_and_what_is_not_read(folder: Path) -> None:
    report = Report()
    b, a = read_brat(folder, report=report)
    assert (a.name, a.text) == ("sub/a", TEXT)
    assert a.mentions["symptom"] == [
        Mention("Symptom", ((0, 5), (21, 28)), "T1", attributes=frozenset({"negated"})),
        Mention("Symptom", ((0, 15),), "T2", "C0000737\nsecond note", frozenset({"uncertain"})),
    ]
    assert a.attributes == b.attributes == ("negated", "uncertain")
    assert a.relations == [Relation("Used_for", "T3", "T2")]
    assert (b.name, b.mentions) == ("b", {"drug": [], "symptom": []})
    assert report.text_differs == 1
    assert report.not_read == {
        "events": 1, "attributes": 2, "normalizations": 1, "equivalences": 1, "notes on other than mentions": 1
    }  # fmt: skip


def test_labels_renamed_chosen_and_put_into_one_task(folder: Path) -> None:
    report = Report()
    _, a = read_brat(folder, labels={"Symptom": "SYMPTOM"}, only=["SYMPTOM"], report=report)
    assert list(a.mentions) == ["symptom"] and a.mentions["symptom"][0].label == "SYMPTOM"
    assert (report.left_out, report.relations_lost, a.relations) == ({"Drug": 1}, 1, [])
    _, a = read_brat(folder, task="all")
    assert [mention.id for mention in a.mentions["all"]] == ["T1", "T2", "T3"]
    with pytest.raises(ClinnerError, match="labelled Sympton: there are 2 others, the nearest is Symptom"):
        list(read_brat(folder, labels={"Sympton": "SYMPTOM"}))


def test_a_text_without_ann_has_no_tasks(folder: Path) -> None:
    (folder / "b.ann").unlink()
    report = Report()
    b, _ = read_brat(folder, report=report)
    assert b.mentions == {} and report.not_read["texts without .ann"] == 1


def test_written_folders_read_back(folder: Path, tmp_path: Path) -> None:
    documents = list(read_brat(folder))
    assert write_brat(tmp_path / "out", documents) == 2
    assert list(read_brat(tmp_path / "out")) == documents
    assert (tmp_path / "out" / "sub" / "a.txt").read_bytes() == TEXT.encode()


def test_writing_cuts_at_line_ends_and_numbers_mentions_without_ids(tmp_path: Path) -> None:
    document = Document("d", "a b\r\n\r\nc d", {"x": [Mention("X", ((2, 8),)), Mention("Y", ((0, 1),), note="n\tm")]})
    write_brat(tmp_path / "out", [document])
    assert (tmp_path / "out" / "d.ann").read_text() == (
        "T1\tX 2 3;7 8\tb c\nT2\tY 0 1\ta\n#1\tAnnotatorNotes T2\tn m\n"
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("T1\tX 0 99\ta", "offsets are empty or lie outside the 4 characters"),
        ("T1\tX 2 2\ta", "offsets are empty or lie outside"),
        ("T1\tX zero 2\ta", "an offset is not a whole number"),
        ("T1\tX 0_1 2\ta", "an offset is not a whole number"),
        ("T1\t 0 2\ta", "the label is empty"),
        ("T1", "not a line of brat standoff"),
        ("Patient text", "not a line of brat standoff"),
        ("R1\tX Arg1:T1", "not a line of brat standoff"),
    ],
)
def test_bad_lines_are_refused_with_file_and_line(folder: Path, line: str, message: str) -> None:
    (folder / "b.ann").write_text(f"T9\tX 0 1\tn\n{line}\n")
    with pytest.raises(ClinnerError, match=f"b.ann, line 2: .*{message}") as error:
        list(read_brat(folder))
    assert "Patient" not in str(error.value)


def test_bad_folders_are_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ClinnerError, match=r"empty holds no \.txt"):
        list(read_brat(tmp_path / "empty"))
    (folder / "c.ann").write_text("")
    with pytest.raises(ClinnerError, match=r"c\.ann has no c\.txt"):
        list(read_brat(folder))


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "out"
    for documents, message in (
        ([Document("d", "a"), Document("d", "b")], "Two documents are named d"),
        ([Document("../d", "a")], "no name of a file"),
    ):
        with pytest.raises(ClinnerError, match=message):
            write_brat(target, documents)
        assert list(tmp_path.iterdir()) == []
    write_brat(target, [Document("d", "a")])
    with pytest.raises(ClinnerError, match="exists already"):
        write_brat(target, [Document("e", "a")])
    with pytest.raises(ClinnerError, match="cannot be written"):
        write_brat(tmp_path / "none" / "out", [])


@pytest.mark.corpus
@pytest.mark.parametrize("name", ["Cantemist-es/dev-set1", "CT-EBM-SP/dev", "MACCROBAT-en/train"])
def test_real_corpora_round_trip(corpora: Path, tmp_path: Path, name: str) -> None:
    report = Report()
    documents = list(read_brat(corpora / name, report=report))
    write_brat(tmp_path / "out", documents)
    assert list(read_brat(tmp_path / "out")) == documents
    assert (report.text_differs, report.relations_lost) == (0, 0)


@pytest.mark.parametrize(("line", "why"), [("Q1\tfoo", "standoff"), ("T1\tD 0 3\tuno", "there twice")])
def test_lines_that_brat_does_not_write(tmp_path, line, why):
    (tmp_path / "a.txt").write_text("uno dos")
    (tmp_path / "a.ann").write_text(f"T1\tD 0 3\tuno\n{line}\n")
    with pytest.raises(ClinnerError, match=rf"a\.ann, line 2: .*{why}"):
        list(read_brat(tmp_path))


def test_line_ends_and_a_mark_in_the_annotation(folder: Path) -> None:
    (wanted,) = [d for d in read_brat(folder) if d.name == "sub/a"]
    for end in ("\r\n", "\r"):
        (folder / "sub" / "a.ann").write_bytes(("\ufeff" + ANN.replace("\n", end)).encode())
        (found,) = [d for d in read_brat(folder) if d.name == "sub/a"]
        assert (found.mentions, found.relations) == (wanted.mentions, wanted.relations)


def test_labels_that_brat_cannot_hold(tmp_path: Path) -> None:
    spaced = Document("d", "uno dos", {"x": [Mention("My Label", ((0, 3),), "T1"), Mention("Y", ((4, 7),), "T2")]})
    spaced.relations = [Relation("part of", "T1", "T2")]
    write_brat(tmp_path / "out", [spaced])
    (document,) = read_brat(tmp_path / "out", task="x")
    assert [m.label for m in document.mentions["x"]] == ["My_Label", "Y"]
    assert document.relations == [Relation("part_of", "T1", "T2")]
    for name, label in (("d", "a\tb"), ("d", "a\nb"), ("d", ""), ("a\tb", "X"), ("a\x00b", "X")):
        with pytest.raises(ClinnerError, match=r"name|label"):
            write_brat(tmp_path / "bad", [Document(name, "uno", {"x": [Mention(label, ((0, 3),))]})])
    assert not (tmp_path / "bad").exists()


def test_a_label_named_as_the_group_of_all_spans(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("uno")
    (tmp_path / "a.ann").write_text("T1\tSC 0 3\tuno\n")
    with pytest.raises(ClinnerError, match="--labels SC=OTHER"):
        [to_doc(document, spacy.blank("es")) for document in read_brat(tmp_path)]
    (document,) = read_brat(tmp_path, labels={"SC": "SCALE"})
    assert list(document.mentions) == ["scale"]


def test_links_are_followed_and_dead_ones_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "sub").symlink_to(folder / "sub")
    assert [d.name for d in read_brat(tmp_path / "linked")] == ["sub/a"]
    (tmp_path / "linked" / "x.ann").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ClinnerError, match=r"x\.ann cannot be read"):
        list(read_brat(tmp_path / "linked"))


def test_attributes_come_back_through_a_doc_and_a_file(folder: Path, tmp_path: Path) -> None:
    import spacy
    from spacy.tokens import DocBin

    from clinner_spacy.corpora.document import from_doc, to_doc

    nlp = spacy.blank("es")
    docs = [to_doc(document, nlp) for document in read_brat(folder)]
    assert docs[1].spans["symptom"].attrs["negated"] == [1.0, 0.0]
    assert docs[0].spans["symptom"].attrs["negated"] == []  # annotated, and nothing there
    box = DocBin(store_user_data=True, docs=docs).to_bytes()
    again = DocBin(store_user_data=True).from_bytes(box).get_docs(nlp.vocab)
    write_brat(tmp_path / "out", [from_doc(doc, ["symptom", "drug"]) for doc in again])
    b, a = read_brat(tmp_path / "out")
    assert [mention.attributes for mention in a.mentions["symptom"]] == [{"negated"}, {"uncertain"}]
    assert a.attributes == b.attributes == ("negated", "uncertain")
    lines = (tmp_path / "out/sub/a.ann").read_text().splitlines()
    assert {line.split(" ")[0] for line in lines if line[0] == "A"} == {"A1\tNegated", "A2\tUncertain"}


def test_codes_of_normalizations(folder: Path) -> None:
    report = Report()
    b, a = read_brat(folder, codes="normalizations", report=report)
    assert [mention.code for mention in a.mentions["drug"]] == ["N02BA01"]
    assert a.mentions["symptom"][1].code == "" and a.mentions["symptom"][1].note == "C0000737\nsecond note"
    assert a.coded and b.coded and report.not_read["normalizations"] == 0
    (folder / "sub" / "a.ann").write_text(ANN + "N2\tReference E1 UMLS:C01\t\nN3\tReference T3 ATC:X\t\n")
    _, a = read_brat(folder, codes="normalizations", report=report)
    assert [mention.code for mention in a.mentions["symptom"]] == ["", "C01"]
    assert a.mentions["drug"][0].code == "N02BA01" and report.not_read["normalizations"] == 1


def test_a_note_that_is_no_code_is_refused(folder: Path) -> None:
    (folder / "sub" / "a.ann").write_text(ANN.replace("C0000737", "revisar con Dra. García"), encoding="utf-8")
    number = ANN[: ANN.index("C0000737")].count("\n") + 1
    with pytest.raises(ClinnerError, match=rf"a\.ann, line {number}: the note has white space") as error:
        list(read_brat(folder, codes="notes"))
    assert "revisar" not in str(error.value)
    list(read_brat(folder, codes="normalizations"))


def test_codes_of_notes_through_a_doc_and_a_file(folder: Path, tmp_path: Path) -> None:
    nlp = spacy.blank("es")
    report = Report()
    documents = list(read_brat(folder, codes="notes", report=report))
    assert report.not_read["normalizations"] == 1
    assert documents[1].mentions["symptom"][1].note == "second note"
    b, a = (to_doc(document, nlp) for document in documents)
    assert a.spans["symptom"].attrs["codes"] == ["", "C0000737"] == [s.kb_id_ for s in a.spans["symptom"]]
    assert b.spans["symptom"].attrs["codes"] == []
    write_brat(tmp_path / "out", [from_doc(a, ["symptom", "drug"]), from_doc(b, ["symptom", "drug"])])
    _, again = sorted(read_brat(tmp_path / "out", codes="normalizations"), key=lambda document: document.name)
    assert [mention.code for mention in again.mentions["symptom"]] == ["", "C0000737"]
    with pytest.raises(ClinnerError, match="codes='note' is unknown"):
        list(read_brat(folder, codes="note"))


def test_labels_that_brat_would_spell_alike_are_refused(tmp_path: Path) -> None:
    labels = {"a": "A B", "b": "A_B"}
    documents = [Document(name, "uno", {"x": [Mention(label, ((0, 3),))]}) for name, label in labels.items()]
    with pytest.raises(ClinnerError, match="Labels 'A B' and 'A_B' are both A_B in brat"):
        write_brat(tmp_path / "out", documents)
    assert not (tmp_path / "out").exists()
    write_brat(tmp_path / "out", documents[:1])
