from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.language import Language
from spacy.tokens import Span, SpanGroup

from clinner_spacy.cli.annotate import annotate_texts
from clinner_spacy.cli.model import build_nlp
from clinner_spacy.corpora.tsv import read_tsv
from clinner_spacy.pipeline.components import labels_of
from clinner_spacy.tables.found import Text
from tests.cli.conftest import TEXT, Run
from tests.pipeline.conftest import gold, tagger, train

FOUND = [("SYMPTOM", 13, 19, "fiebre"), ("DISEASE", 22, 46, "diabetes mellitus tipo 2")]


def write(folder: Path, texts: dict[str, str | bytes]) -> Path:
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def rows(path: Path) -> list[tuple[str, str, int, int, str]]:
    return [row[:5] for row in read_tsv(path)]


def nothing_else(folder: Path, *names: str) -> bool:
    return sorted(path.name for path in folder.iterdir()) == sorted(names)


def test_a_directory_tree(run: Run, tmp_path: Path) -> None:
    write(tmp_path / "in", {"b.txt": TEXT, "deep/er/a.TXT": TEXT, "notes.md": TEXT})
    write(tmp_path / "in", {"empty.txt": "", "blank.txt": " \n"})
    result = run("predict", tmp_path / "in", tmp_path / "out.tsv")
    assert result.exit_code == 0, result.output
    assert result.output == ""  # no bar where there is no terminal
    assert rows(tmp_path / "out.tsv") == [(name, *found) for name in ("b", "deep/er/a") for found in FOUND]


def test_one_file_and_standard_input(run: Run, tmp_path: Path) -> None:
    write(tmp_path, {"note.txt": TEXT})
    assert run("predict", tmp_path / "note.txt", tmp_path / "file.tsv").exit_code == 0
    assert run("predict", "-", tmp_path / "stdin.tsv", input=TEXT.encode()).exit_code == 0
    assert rows(tmp_path / "file.tsv") == [("note", *found) for found in FOUND]
    assert rows(tmp_path / "stdin.tsv") == [("stdin", *found) for found in FOUND]


@pytest.mark.parametrize("before", ["\ufeff", "\r\n\r\n", "\x00 ", "\u200b", "e\u0301 ", "🩺👩🏽‍⚕️ ", "患者。 "])
def test_offsets_count_characters_of_the_decoded_file(run: Run, tmp_path: Path, before: str) -> None:
    text = before + TEXT
    write(tmp_path, {"note.txt": text})
    assert run("predict", tmp_path / "note.txt", tmp_path / "out.tsv").exit_code == 0
    found = rows(tmp_path / "out.tsv")
    assert ("note", "SYMPTOM", 13 + len(before), 19 + len(before), "fiebre") in found
    assert all(text[start:end] == mention for _, _, start, end, mention in found)


def test_brat(run: Run, tmp_path: Path) -> None:
    text = f"\ufeff{TEXT}\r\n"
    write(tmp_path / "in", {"deep/note.txt": text})
    result = run("predict", tmp_path / "in", tmp_path / "out", "--format", "brat", "--task", "symptom")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "out/deep/note.txt").read_bytes() == text.encode()
    assert (tmp_path / "out/deep/note.ann").read_text() == "T1\tSYMPTOM 14 20\tfiebre\n"
    again = run("predict", tmp_path / "in", tmp_path / "out", "--format", "brat")
    assert again.exit_code == 1 and "exists already" in again.output


def test_labels_that_brat_cannot_hold_are_refused_before_reading(run: Run, saved: Path, tmp_path: Path) -> None:
    nlp = spacy.load(saved)
    nlp.get_pipe("multiclin_ner").add_task("place", ["A B", "A_B"])
    nlp.to_disk(tmp_path / "model")
    note = write(tmp_path, {"note.txt": b"\xff"}) / "note.txt"
    result = run("predict", note, tmp_path / "out", "--format", "brat", model=tmp_path / "model")
    assert result.exit_code == 1 and "Labels 'A B' and 'A_B' are both A_B in brat" in result.output
    chosen = run("predict", note, tmp_path / "out", "--format", "brat", "--task", "disease", model=tmp_path / "model")
    assert "note.txt is not UTF-8" in chosen.output


def test_task_and_threshold(run: Run, tmp_path: Path) -> None:
    write(tmp_path, {"note.txt": TEXT})
    run("predict", tmp_path / "note.txt", tmp_path / "out.tsv", "--task", "Disease")
    assert [row[1] for row in rows(tmp_path / "out.tsv")] == ["DISEASE"]
    run("predict", tmp_path / "note.txt", tmp_path / "out.tsv", "--threshold", "1", "--overwrite")
    assert rows(tmp_path / "out.tsv") == []


def test_another_language_keeps_the_weights_and_warns(run: Run, saved: Path, tmp_path: Path) -> None:
    write(tmp_path, {"note.txt": TEXT})
    result = run("predict", tmp_path / "note.txt", tmp_path / "out.tsv", "--lang", "en")
    assert result.exit_code == 0, result.output
    assert rows(tmp_path / "out.tsv") == [("note", *found) for found in FOUND]
    assert result.stderr == f"Warning: {saved} was made for es; nothing is known of how it reads en.\n"


def test_words_at_white_space_give_what_the_publisher_gives(run: Run, golden: Path, tmp_path: Path) -> None:
    checkpoint = golden / "dt4h-multilabel"
    options = ["--base-model", checkpoint / "base_model", "--words", "whitespace", "--task", "symptom"]
    options += ["--precision", "fp32"]
    result = run("predict", checkpoint / "txt", tmp_path / "out.tsv", *options, model=checkpoint / "mtl.pt")
    assert result.exit_code == 0, result.output
    assert sorted(rows(tmp_path / "out.tsv")) == sorted(rows(checkpoint / "expected-symptom.tsv"))


def test_processes_agree(run: Run, tmp_path: Path) -> None:
    write(tmp_path / "in", {f"{n:02}.txt": TEXT for n in range(40)})
    result = run("predict", tmp_path / "in", tmp_path / "out.tsv", "--n-process", "2")
    assert result.exit_code == 0, result.output
    assert rows(tmp_path / "out.tsv") == [(f"{n:02}", *found) for n in range(40) for found in FOUND]


@pytest.mark.parametrize(
    ("texts", "args", "told"),
    [
        ({"a/x.txt": "", "a/x.TXT": ""}, (), ("a/x.txt", "a/x.TXT", "rename one")),
        ({"notes.md": ""}, (), ("holds no .txt file",)),
        ({"b.txt": b"tos \xff"}, (), ("b.txt", "not UTF-8", "position 4")),
        ({"a.txt": b"\xff", "b.txt": b"tos \xff"}, (), ("None of the 2 texts", "b.txt", "not UTF-8")),
        ({"a.txt": TEXT}, ("--device", "cpu"), ("--device cpu", "has none")),
        ({"a.txt": TEXT}, ("--precision", "bf16"), ("--precision bf16", "has none")),
        ({"a.txt": TEXT}, ("--encoding", "klingon"), ("--encoding klingon", "cp1252")),
        ({"a.txt": TEXT}, ("--encoding", "hex"), ("--encoding hex",)),
        ({"a.txt": TEXT}, ("--task", "drug"), ("no task 'drug'", "disease, procedure, symptom")),
        ({"a.txt": TEXT}, ("--lang", "zz"), ("--lang zz is no language",)),
        ({"a.txt": TEXT}, ("--base-model", "x"), ("saved pipeline",)),
    ],
)
def test_refused_in_one_sentence(
    run: Run, tmp_path: Path, texts: dict[str, str | bytes], args: tuple[str, ...], told: tuple[str, ...]
) -> None:
    write(tmp_path / "in", texts)
    result = run("predict", tmp_path / "in", tmp_path / "out.tsv", *args)
    assert result.exit_code == 1
    assert result.output.startswith("Error: ") and result.output.count("\n") == 1
    assert all(part in result.output for part in told), result.output
    assert "fiebre" not in result.output
    assert nothing_else(tmp_path, "in")


def test_standard_input_that_is_not_utf8(run: Run, tmp_path: Path) -> None:
    result = run("predict", "-", tmp_path / "out.tsv", input=b"tos \xff")
    assert result.exit_code == 1 and "Standard input is not UTF-8" in result.output
    assert nothing_else(tmp_path)


def test_a_failure_leaves_the_old_table(run: Run, tmp_path: Path) -> None:
    write(tmp_path, {"out.tsv": "old", "in/a.txt": b"\xff"})
    assert run("predict", tmp_path / "in", tmp_path / "out.tsv", "--overwrite").exit_code == 1
    assert (tmp_path / "out.tsv").read_text() == "old"
    assert nothing_else(tmp_path, "in", "out.tsv")


def test_unwritable_output(run: Run, tmp_path: Path) -> None:
    write(tmp_path, {"a.txt": TEXT})
    for output, told in ((tmp_path / "no" / "out.tsv", "cannot be written"), (tmp_path, "holds other things")):
        result = run("predict", tmp_path / "a.txt", output)
        assert result.exit_code == 1 and f"{output} {told}" in result.output
    assert nothing_else(tmp_path, "a.txt")


def test_models_that_cannot_be_read(run: Run, saved: Path, tmp_path: Path) -> None:
    write(tmp_path, {"a.txt": TEXT})
    spacy.blank("es").to_disk(tmp_path / "empty")
    for name in ("config.cfg", "meta.json", "tokenizer", "vocab/strings.json", "multiclin_ner/cfg"):
        write(tmp_path / "broken", {name: (saved / name).read_bytes()})
    write(tmp_path / "broken", {"multiclin_ner/model.safetensors": b"\x08\x00"})
    for model, told in (("empty", "no 'multiclin_ner'"), ("broken", "model.safetensors"), ("absent", "absent")):
        result = run("predict", tmp_path / "a.txt", tmp_path / "out.tsv", model=tmp_path / model)
        assert result.exit_code == 1 and told in result.output and result.output.count("\n") == 1, result.output
    assert not (tmp_path / "out.tsv").exists()


@pytest.fixture(scope="module")
def by_heart(saved: Path) -> Language:
    return build_nlp(str(saved))


@given(text=st.text(st.sampled_from([*"fiebre tos,.\n\r\t ", "\u200b", "\x00", "á", "\u0301", "😀"]), max_size=80))
@settings(deadline=None, max_examples=50)
def test_every_mention_lies_in_its_text(by_heart: Language, text: str) -> None:
    nlp = by_heart
    (annotated,) = annotate_texts([Text("x", text)], nlp, labels_of(nlp))
    assert annotated.text == text
    for start, end, label, score, *_ in annotated.found:
        mention = text[start:end]
        assert mention and mention == mention.strip() and mention[0] not in ".," and mention[-1] not in ".,"
        assert label in ("DISEASE", "SYMPTOM", "PROCEDURE") and 0 <= score <= 1


def test_words_of_one_text_are_forgotten(by_heart: Language) -> None:
    nlp = by_heart
    list(annotate_texts([Text("x", TEXT)], nlp, labels_of(nlp)))
    before = len(nlp.vocab.strings)
    list(annotate_texts((Text(str(n), f"{TEXT} n{n}") for n in range(500)), nlp, labels_of(nlp)))
    assert len(nlp.vocab.strings) <= before + 100


def test_a_bar_on_a_terminal(saved: Path, tmp_path: Path) -> None:
    write(tmp_path, {"a.txt": TEXT})
    terminal, child = pty.openpty()
    command = [sys.executable, "-m", "spacy", "multiclin", "predict"]
    paths = [str(tmp_path / "a.txt"), str(tmp_path / "out.tsv"), "--model", str(saved)]
    with subprocess.Popen([*command, *paths], stderr=child, stdin=subprocess.DEVNULL) as process:
        os.close(child)
        shown = b""
        while part := _read(terminal):
            shown += part
    os.close(terminal)
    assert process.returncode == 0, shown
    assert b"1/1" in shown and b"words/s" in shown and b"fiebre" not in shown


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # how Linux says that the other end is closed
        return b""


@pytest.fixture(scope="module")
def two_tasks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline whose two tasks share a label."""
    nlp = spacy.blank("es")
    nlp.add_pipe("multiclin_ner", config={"checkpoint": None, "model": tagger()})
    examples = []
    for text, first, second in (("Refiere fiebre y tos.", "fiebre", "tos"), ("Tiene mareo y tos.", "mareo", "tos")):
        example = gold(nlp, text, {"a": [first], "b": [second]})
        for task in "ab":
            start = example.reference.spans[task][0].start
            span = Span(example.reference, start, start + 1, "FINDING")
            example.reference.spans[task] = SpanGroup(example.reference, name=task, spans=[span])
        examples.append(example)
    train(nlp, examples).to_disk(path := tmp_path_factory.mktemp("model") / "two")
    scores = nlp.evaluate(examples)
    assert scores["a_f"] == scores["b_f"] == scores["spans_sc_f"] == 1.0
    return path


@pytest.mark.parametrize(("task", "expected"), [("a", ["fiebre"]), ("b", ["tos"]), (None, ["fiebre", "tos"])])
def test_a_task_of_a_saved_pipeline_whose_label_another_has(two_tasks, run, tmp_path, task, expected):
    (tmp_path / "note.txt").write_text("Refiere fiebre y tos.")
    given = ["--task", task] if task else []
    done = run("predict", tmp_path / "note.txt", tmp_path / "out.tsv", *given, model=two_tasks)
    assert done.exit_code == 0, done.output
    rows = (tmp_path / "out.tsv").read_text().splitlines()[1:]
    assert [row.split("\t")[-1] for row in rows] == expected


def test_spans_that_another_component_puts_into_the_group(saved):
    nlp = build_nlp(str(saved))
    rules = nlp.add_pipe("span_ruler", config={"spans_key": "sc"}, last=True)
    rules.add_patterns([{"label": "SYMPTOM", "pattern": "diabetes"}, {"label": "WORD", "pattern": "Paciente"}])
    (annotated,) = annotate_texts([Text("x", TEXT)], nlp, labels_of(nlp))
    assert {(f.label, TEXT[f.start : f.end]) for f in annotated.found} >= {("SYMPTOM", "diabetes")}
    assert "WORD" not in {f.label for f in annotated.found}
