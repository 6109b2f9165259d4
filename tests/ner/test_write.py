"""Groups that other components and people write to, too."""

from __future__ import annotations

import numpy as np
import spacy
from spacy.tokens import Doc, DocBin, Span, SpanGroup

from clinner_spacy.ner.decode import Prediction
from clinner_spacy.ner.write import annotate_spans, span_scores, span_tasks

NLP = spacy.blank("es")


def doc() -> Doc:
    return NLP.make_doc("Fiebre alta y tos seca.")


def state(doc: Doc) -> list[tuple[str, str, float, str]]:
    group = doc.spans["sc"]
    rows = zip(group, span_scores(group).tolist(), span_tasks(group), strict=True)
    return [(span.text, span.label_, round(score, 2), task) for span, score, task in rows]


def test_one_span_of_two_tasks_stands_there_for_each() -> None:
    made = doc()
    annotate_spans(made, [Prediction(0, 2, "X", 0.5, "a"), Prediction(0, 2, "X", 0.25, "b")], "sc")
    annotate_spans(made, [Prediction(0, 2, "X", 0.75, "b"), Prediction(3, 4, "X", 0.75, "b")], "sc")
    assert state(made) == [("Fiebre alta", "X", 0.5, "a"), ("Fiebre alta", "X", 0.25, "b"), ("tos", "X", 0.75, "b")]
    back = Doc(NLP.vocab).from_bytes(made.to_bytes())
    (binned,) = DocBin(docs=[made]).get_docs(NLP.vocab)
    assert state(back) == state(binned) == state(made)


def test_what_was_there_without_a_task_is_not_added_again() -> None:
    made = doc()
    made.spans["sc"] = [Span(made, 0, 2, "X")]
    annotate_spans(made, [Prediction(0, 2, "X", 0.5, "a"), Prediction(3, 4, "Y", 0.5, "a")], "sc")
    assert state(made) == [("Fiebre alta", "X", 1.0, ""), ("tos", "Y", 0.5, "a")]


def test_spans_that_others_add_and_take_out() -> None:
    made = doc()
    annotate_spans(made, [Prediction(0, 2, "X", 0.5, "a"), Prediction(3, 4, "Y", 0.5, "a")], "sc")
    made.spans["sc"].append(Span(made, 4, 5, "Z"))
    assert state(made)[1:] == [("tos", "Y", 0.5, "a"), ("seca", "Z", 1.0, "")]
    annotate_spans(made, [Prediction(2, 3, "X", 0.25, "a")], "sc")
    assert state(made)[2:] == [("seca", "Z", 1.0, ""), ("y", "X", 0.25, "a")]
    group = made.spans["sc"]
    made.spans["sc"] = SpanGroup(made, spans=list(group)[1:], attrs=group.attrs)
    assert {row[2:] for row in state(made)} == {(1.0, "")}  # no telling which is whose


def test_a_group_of_another_component() -> None:
    made = doc()
    made.spans["sc"] = SpanGroup(made, spans=[Span(made, 0, 2, "X")], attrs={"source": "rules"})
    assert state(made) == [("Fiebre alta", "X", 1.0, "")]
    annotate_spans(made, [], "sc")
    assert made.spans["sc"].attrs["source"] == "rules"
    assert span_scores(()).dtype == np.float32 and span_tasks(()) == []
