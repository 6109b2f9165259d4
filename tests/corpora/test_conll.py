from __future__ import annotations

from pathlib import Path

import pytest

from clinner_spacy.corpora.conll import read_conll
from clinner_spacy.corpora.document import Document
from clinner_spacy.errors import ClinnerError


def read(folder: Path, content: str, name: str = "d.conll") -> list[Document]:
    (folder / name).write_bytes(content.encode())
    return list(read_conll(folder / name))


def found(document: Document) -> dict[str, list[str]]:
    return {task: [document.text[m.start : m.end] for m in group] for task, group in document.mentions.items()}


def test_columns_sentences_and_documents(tmp_path: Path) -> None:
    first = "-DOCSTART- -X- O O\n\nlung NN B-DISEASE\ncancer NN I-DISEASE\n\nmild NN B-SYMPTOM\n"
    content = first + "-DOCSTART- -X- O O\nfine NN O\n"
    a, b = read(tmp_path, content)
    assert (a.name, a.text, found(a)) == ("d-1", "lung cancer\nmild", {"disease": ["lung cancer"], "symptom": ["mild"]})
    assert (b.name, found(b)) == ("d-2", {"disease": [], "symptom": []})


def test_offsets_hold_in_the_text(tmp_path: Path) -> None:
    content = "# id = 1\nlung\tU-X\t3\t7\r\n/\tO\t7\t8\n\ncolon\tB-X\t10\t15\ncancer\tL-X\t17\t23\n"
    (document,) = read(tmp_path, content)
    assert document.text == "   lung/\n colon  cancer"
    assert found(document) == {"x": ["lung", "colon  cancer"]}


def test_a_mention_does_not_cross_a_sentence(tmp_path: Path) -> None:
    (document,) = read(tmp_path, "a I-X\n\nb I-X\n")
    assert found(document) == {"x": ["a", "b"]}


def test_csv_with_header(tmp_path: Path) -> None:
    (document,) = read(tmp_path, 'id,token,ner,start,end\n1,"a,b",B_X,0,3\n1,c,I_X,4,5\n1,"""",O,5,6\n', "d.csv")
    assert (document.text, found(document)) == ('a,b c"', {"x": ["a,b c"]})
    (document,) = read(tmp_path, "token,ner\na,DRUG\nb,O\n", "d.csv")
    assert (document.text, found(document)) == ("a b", {"drug": ["a"]})


def test_a_folder_labels_and_task(tmp_path: Path) -> None:
    (tmp_path / "a.iob").write_text("a B-X\n")
    (tmp_path / "b.bio").write_text("b B-Y\n")
    a, b = read_conll(tmp_path, labels={"X": "DRUG"}, task="all")
    assert [m.label for m in a.mentions["all"] + b.mentions["all"]] == ["DRUG", "Y"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a B-X\nb\n", "line 2: a token without a tag"),
        ("a\tB-X\t0\t1\nb\tO\t0\t1\n", "line 2: the token starts before the one before it ends"),
        ("a\tB-X\t0\t2\n", "line 1: from start to end is not the length of the token, 1"),
        ("a\tB-X\t9999999999\t10000000000\n", "line 1: the token starts too far"),
        ("a B-X\nb E-X\nc L-X\n", "tags mix the prefixes"),
        ("Ana O\nfiebre 998877\ntos B-X\n", "1 of 3 distinct tags are none of the schemes"),
        ("a\tB-X\t0\t1\nb\tO\t2\n", "line 2: no start and end, which other lines have"),
        ("a\tB-X\t0\t" + "9" * 5000, "holds|schemes"),
        ("a\t\n", "line 1: the tag is empty"),
        ("", "holds no tokens"),
        ("\n\n", "holds no tokens"),
    ],
)
def test_bad_rows_are_refused(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(ClinnerError, match=f"d.conll.* {message}"):
        read(tmp_path, content)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b\n", "needs a first line"),
        ("token,ner\na\n", "line 2: 1 cells under 2 columns"),
        ("token,ner,start,end\na,O,x,1\n", "line 2: an offset is not a whole number"),
        ("token,ner,start\na,O,1\n", "one of the columns start,end"),
        ('"a,token,ner,b"\n1,a,O,2\n', "needs a first line"),
        ('token,ner\n",O\na,B-X\n', "line 2: a quotation mark is opened and not closed"),
        ('token,ner\n",O\na",B-X\n', "line 2: a quotation mark is opened and not closed"),
    ],
)
def test_bad_csv_is_refused(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(ClinnerError, match=f"d.csv.* {message}"):
        read(tmp_path, content, "d.csv")


def test_a_folder_without_such_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ClinnerError, match="holds no file that ends in"):
        list(read_conll(tmp_path))


@pytest.mark.parametrize(
    "note", ["Paciente con fiebre alta\nGrupo sanguíneo O\nRh negativo\n", "Grupo O\nNiega alergias\nTos seca leve\n"]
)
def test_a_note_is_not_taken_for_bare_labels(tmp_path: Path, note: str) -> None:
    (tmp_path / "note.txt").write_text(note)
    with pytest.raises(ClinnerError, match="is this no text") as error:
        list(read_conll(tmp_path / "note.txt"))
    assert not any(word in str(error.value) for word in ("alta", "leve", "negativo"))


def test_bare_labels_in_rows_of_one_length_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.conll").write_text("Toma NN O\naspirina NN DRUG\nhoy RB O\n")
    (document,) = read_conll(tmp_path / "a.conll")
    assert [(m.label, m.fragments) for m in document.mentions["drug"]] == [("DRUG", ((5, 13),))]
