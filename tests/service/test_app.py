"""The service on a real loopback port, with the model inside."""

from __future__ import annotations

import json
import logging
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from clinner_spacy.cli.model import build_nlp
from clinner_spacy.service.limits import Limits
from clinner_spacy.service.reader import Reader, Reading
from tests.service.conftest import serving

TEXT = "Niega fiebre. Diagnosticado de diabetes mellitus tipo 2."
SECRET = "Zacarias"


@pytest.fixture(scope="module")
def client(reader: Reader) -> Iterator[httpx.Client]:
    with serving({"es": reader}) as client:
        yield client


def test_annotate(client: httpx.Client) -> None:
    (result,) = client.post("/annotate", json={"texts": [TEXT]}).json()["results"]
    found = {mention["text"]: mention for mention in result["mentions"]}
    assert found["fiebre"]["negated"] and not found["diabetes mellitus tipo 2"]["negated"]
    assert all(TEXT[m["start"] : m["end"]] == m["text"] for m in result["mentions"])


@pytest.mark.parametrize("wrapped", [False, True])
def test_process_bulk(client: httpx.Client, wrapped: bool) -> None:
    notes = [{"text": TEXT, "patient": 7}]
    (answer,) = client.post("/process_bulk", json={"content": notes} if wrapped else notes).json()
    assert answer["nlp_output"]["record_metadata"]["patient"] == 7
    classes = {a["mention_string"]: (a["concept_class"], a["negation"]) for a in answer["nlp_output"]["annotations"]}
    assert classes["fiebre"] == ("symptom", "yes")
    assert answer["nlp_service_info"]["service_language"] == "es"


def test_entities_and_negation_are_chosen(client: httpx.Client) -> None:
    query = {"entities": "disorder/disease", "negation": "false", "language": "es"}
    (answer,) = client.post("/process_bulk", params=query, json=[{"text": TEXT}]).json()
    annotations = answer["nlp_output"]["annotations"]
    assert annotations and {(a["concept_class"], a["negation"]) for a in annotations} == {("disorder/disease", None)}


def test_tasks_are_chosen(client: httpx.Client) -> None:
    asked = {"texts": [TEXT + " Toma metformina."]}
    for tasks in (["disease"], ["disease", "drug"]):
        (result,) = client.post("/annotate", params={"task": tasks}, json=asked).json()["results"]
        assert {mention["task"] for mention in result["mentions"]} == set(tasks)
    answer = client.post("/annotate", params={"task": "dragons"}, json=asked)
    assert answer.status_code == 422 and "disease" in answer.json()["detail"]


def test_relations_stay_where_both_ends_do() -> None:
    places = [("DRUG", 0, 3, "drug"), ("DOSE", 4, 6, "dose"), ("DRUG", 7, 9, "")]
    mentions = [{"label": label, "start": s, "end": e, "task": task} for label, s, e, task in places]

    def relation(head: int, tail: int) -> dict[str, Any]:
        ends = {"head": mentions[head], "tail": mentions[tail]}
        return {f"{side}_{key}": of[key] for side, of in ends.items() for key in ("label", "start", "end")}

    chosen = Reading(mentions, [relation(0, 1), relation(0, 2)]).of_tasks(["drug"])
    assert chosen.mentions == [mentions[0], mentions[2]], "what another component found is of any task"
    assert chosen.relations == [relation(0, 2)]


@pytest.mark.parametrize("query", [{"language": "xx"}, {"entities": "dragons"}, {"negation": "perhaps"}])
def test_wrong_parameters(client: httpx.Client, query: dict[str, str]) -> None:
    answer = client.post("/process_bulk", params=query, json=[{"text": SECRET}])
    assert answer.status_code == 422 and next(iter(query)) in answer.json()["detail"]
    assert SECRET not in answer.text


@pytest.mark.parametrize("body", [f'{{"texts": "{SECRET}"}}', f'{{"{SECRET}"', f'["{SECRET}"]'])
def test_a_wrong_body_is_not_repeated(client: httpx.Client, body: str) -> None:
    answer = client.post("/annotate", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422 and "texts" in answer.json()["detail"] and SECRET not in answer.text


def test_a_bad_text_fails_alone(client: httpx.Client) -> None:
    body = json.dumps([{"text": None}, {"text": 3}, {"text": "a\ud800"}, {"text": ""}, {"text": TEXT}])
    answers = client.post("/process_bulk", content=body, headers={"Content-Type": "application/json"}).json()
    assert [a["nlp_output"]["processing_success"] for a in answers] == [False, False, False, True, True]
    assert answers[4]["nlp_output"]["annotations"]


def test_a_text_that_breaks_the_pipeline_fails_alone(reader: Reader, caplog: pytest.LogCaptureFixture) -> None:
    nlp = build_nlp(lang="es")
    nlp.max_length = 60  # the tokenizer's own refusal
    with caplog.at_level(logging.INFO):
        long, short = Reader(nlp, "embedded").read([SECRET * 10, TEXT])
    assert long is None and short is not None and short.mentions
    assert caplog.records and SECRET not in caplog.text


def test_limits(reader: Reader) -> None:
    with serving({"es": reader}, Limits(body=2000, text=100, queue=3)) as client:
        assert client.post("/annotate", json={"texts": ["a" * 3000]}).status_code == 413
        assert client.post("/annotate", json={"texts": ["a" * 101]}).status_code == 413
        assert client.post("/annotate", json={"texts": ["a"] * 4}).status_code == 413
        assert client.post("/annotate", json={"texts": ["a"] * 3}).status_code == 200


def test_characters_of_a_request(reader: Reader) -> None:
    with serving({"es": reader}, Limits(characters=100)) as client:
        assert client.post("/annotate", json={"texts": ["a" * 60, "a" * 41]}).status_code == 413
        assert client.post("/annotate", json={"texts": ["a" * 60, "a" * 40]}).status_code == 200


def test_a_body_that_stops_coming(reader: Reader) -> None:
    head = b"POST /annotate HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n"
    with (
        serving({"es": reader}, Limits(timeout=0.3)) as client,
        socket.create_connection((client.base_url.host, client.base_url.port), timeout=30) as slow,
    ):
        slow.sendall(head + b"{")
        assert b" 408 " in slow.recv(1000).splitlines()[0]


def test_numbers_that_json_has_not(client: httpx.Client) -> None:
    body = f'[{{"text": "{TEXT}", "age": NaN, "more": [1e999, 2.5]}}]'
    (answer,) = client.post("/process_bulk", content=body, headers={"Content-Type": "application/json"}).json()
    metadata = answer["nlp_output"]["record_metadata"]
    assert (metadata["age"], metadata["more"]) == (None, [None, 2.5])


@pytest.mark.parametrize("path", ["/process_bulk", "/annotate"])
def test_parameters_that_there_are_not(client: httpx.Client, path: str) -> None:
    answer = client.post(path, params={"entites": "symptom"}, json=[])
    assert answer.status_code == 422 and "no parameter entites" in answer.json()["detail"]


def test_a_full_queue_says_when_to_try_again(reader: Reader) -> None:
    with serving({"es": reader}, Limits(queue=2, wait=1.0)) as client, ThreadPoolExecutor(2) as threads:
        first = threads.submit(client.post, "/annotate", json={"texts": [TEXT, TEXT]})
        time.sleep(0.3)
        second = client.post("/annotate", json={"texts": [TEXT]})
        assert (second.status_code, second.headers["Retry-After"]) == (503, "1")
        assert first.result().status_code == 200


def test_a_late_answer_is_given_up(reader: Reader) -> None:
    with serving({"es": reader}, Limits(timeout=0.05, wait=0.5)) as client:
        assert client.post("/annotate", json={"texts": [TEXT]}).status_code == 504


def test_several_languages(reader: Reader) -> None:
    with serving({"es": reader, "it": Reader(build_nlp(lang="it"), "embedded")}) as client:
        assert set(client.get("/info").json()["languages"]) == {"es", "it"}
        assert client.post("/annotate", json={"texts": [TEXT]}).status_code == 422
        query = {"language": "it", "negation": "true"}
        assert client.post("/process_bulk", params=query, json=[]).status_code == 422


def test_health_and_docs_fetch_nothing(client: httpx.Client) -> None:
    assert client.get("/health").json() == {"status": "ok"}
    page = client.get("/docs")
    assert "/process_bulk" in page.text and "//" not in page.text and "default-src 'none'" in str(page.headers)
    assert "/annotate" in client.get("/openapi.json").json()["paths"]


def test_shutdown_answers_what_was_taken(reader: Reader) -> None:
    with ThreadPoolExecutor(1) as threads:
        with serving({"es": reader}, Limits(wait=0.5)) as client:
            answer = threads.submit(httpx.post, f"{client.base_url}/annotate", json={"texts": [TEXT]}, timeout=30)
            time.sleep(0.2)
        assert answer.result().json()["results"][0]["mentions"]
