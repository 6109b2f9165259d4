"""The service's page in a real Chromium, asking a real server on loopback."""

from __future__ import annotations

import html
import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

import httpx
import pytest

from clinner_spacy.cli.marked import label_rules, marked_text
from clinner_spacy.service.reader import Reader, Reading
from clinner_spacy.tables.found import Found
from clinner_spacy.tables.records import mention_record
from tests.browser import chromium, until
from tests.service.conftest import serving

NOTE = "Niega fiebre. Refiere tos. Diagnosticado de diabetes mellitus tipo 2."
HOSTILE = 'Fiebre <img src=x onerror="document.title=1">\u202etos\u202c 😀 tos'

DROP = """
const [name, bytes, where] = arguments, transfer = new DataTransfer();
transfer.items.add(new File([new Uint8Array(bytes)], name));
const dropped = new DragEvent("drop", {dataTransfer: transfer, cancelable: true, bubbles: true});
document.getElementById(where || "note").dispatchEvent(dropped);
return dropped.defaultPrevented;
"""
SHOWN = "return [...document.querySelectorAll('#mentions a')].map((a) => a.textContent)"


class Related(Reader):
    """Reads every text as one with crossing mentions that have a relation and codes, as a whole pipeline would."""

    def read(self, texts: Sequence[str]) -> list[Reading | None]:
        return [Reading(self._mentions(text), self._relations()) for text in texts]

    def _mentions(self, text: str) -> list[dict[str, Any]]:
        places = [(0, 9, "DISEASE", "disease", 0.9), (4, 15, "SYMPTOM", "symptom", 0.4)]
        code = {"code": "22298006", "term": "Myocardial infarction", "code_score": 0.8}
        return [
            {"start": s, "end": e, "text": text[s:e], "label": label, "task": task, "score": score, **code}
            for s, e, label, task, score in places
        ]

    def _relations(self) -> list[dict[str, Any]]:
        ends = {"head_label": "DISEASE", "head_start": 0, "head_end": 9, "head_text": "abcdefghi"}
        ends |= {"tail_label": "SYMPTOM", "tail_start": 4, "tail_end": 15, "tail_text": "efghijklmno"}
        return [{"relation": "causes", **ends, "score": 0.75}]


@pytest.fixture(scope="module")
def client(reader: Reader) -> Iterator[httpx.Client]:
    with serving({"es": reader, "en": Related(reader.nlp, "related")}) as client:
        yield client


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="module")
def opened(folder: Path) -> Iterator[Any]:
    with chromium(folder) as driver:
        yield driver


@pytest.fixture
def page(opened: Any, client: httpx.Client) -> Any:
    opened.get_log("performance")  # what other tests asked for
    opened.get(str(client.base_url))
    until(lambda: opened.find_elements("css selector", "#tasks input"))
    return opened


def test_the_page_may_run_its_own_files_and_ask_its_own_service_only(client: httpx.Client) -> None:
    for path in ("/", "/page/page.js", "/page/mentions.css", "/docs", "/page/none.js"):
        answer = client.get(path)
        assert answer.status_code == (404 if "none" in path else 200)
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy and "unsafe" not in policy
        assert "http" not in answer.text.replace("http://www.w3.org/2000/svg", "")
    assert client.get("/page/..%2fapp.py").status_code == 404
    scripts = client.get("/page/page.js").text + client.get("/page/mentions.js").text
    assert not any(unsafe in scripts for unsafe in ("innerHTML", "outerHTML", "insertAdjacentHTML", "eval("))


@pytest.mark.slow
def test_typed_with_the_keyboard_alone(page: Any) -> None:
    keys = pytest.importorskip("selenium.webdriver").Keys
    page.switch_to.active_element.send_keys(keys.TAB, keys.ENTER)  # the link to the note
    page.find_element("id", "note").send_keys(NOTE, keys.CONTROL + keys.ENTER)
    until(lambda: page.execute_script(SHOWN))
    assert {"fiebre", "tos", "diabetes mellitus tipo 2"} <= set(page.execute_script(SHOWN))
    status = page.find_element("id", "status")
    assert "shown" in status.text and status.get_attribute("aria-live") == "polite"
    assert page.execute_script("return document.getElementById('text').textContent") == NOTE
    fever = page.find_element("css selector", "mark.negated")
    assert fever.text == "fiebre" and fever.get_attribute("title").startswith("SYMPTOM ")
    assert "line-through" in fever.value_of_css_property("text-decoration")
    (link, *_) = page.find_elements("css selector", "#mentions a")
    link.send_keys(keys.ENTER)
    assert page.execute_script("return document.querySelector('mark:target').textContent") == link.text
    assert_only_asked(page)


def assert_only_asked(page: Any) -> None:
    """Nothing was fetched from elsewhere, nothing refused by the policy, no note in an address."""
    messages = [json.loads(entry["message"])["message"] for entry in page.get_log("performance")]
    sent = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    own = page.execute_script("return location.origin")
    assert any("/annotate" in url for url in sent)
    assert all(url.startswith((own, "data:", "blob:")) and "fiebre" not in url.lower() for url in sent)
    assert page.get_log("browser") == []


def ask(page: Any, text: str, language: str = "es") -> None:
    page.execute_script("document.getElementById('note').value = arguments[0]", text)
    page.find_element("css selector", f"#language option[value={language}]").click()
    page.find_element("id", "find").click()
    until(lambda: page.find_element("id", "status").text.endswith("shown."))


@pytest.mark.slow
def test_a_hostile_note_is_text(page: Any) -> None:
    ask(page, HOSTILE)
    assert page.execute_script("return document.getElementById('text').textContent") == HOSTILE
    assert page.find_elements("css selector", "#text img, #mentions img") == [] and page.title != "1"
    hidden = page.find_elements("class name", "hidden-character")
    assert [one.get_attribute("data-code") for one in hidden] == ["U+202E", "U+202C"]
    assert hidden[0].value_of_css_property("unicode-bidi") == "isolate"
    assert page.find_elements("css selector", "#text mark")[-1].text == "tos"  # behind one of two UTF-16 units


@pytest.mark.slow
def test_tasks_labels_and_scores_are_chosen(page: Any) -> None:
    page.find_element("css selector", "#language option[value=es]").click()
    page.find_element("css selector", "#tasks input[value=drug]").click()
    page.find_element("css selector", "#tasks input[value=procedure]").click()
    page.execute_script("document.getElementById('note').value = arguments[0]", NOTE + " Toma metformina.")
    page.find_element("id", "find").click()
    until(lambda: page.execute_script(SHOWN))
    assert "metformina" not in page.execute_script(SHOWN)
    page.find_element("css selector", "#labels input[value=SYMPTOM]").click()
    assert page.execute_script(SHOWN) == ["diabetes mellitus tipo 2"]
    keys = pytest.importorskip("selenium.webdriver").Keys
    page.find_element("id", "score").send_keys(keys.END)
    assert page.execute_script(SHOWN) == [] and page.find_element("id", "score-shown").text == "1.00"
    assert page.find_element("id", "status").text.startswith("0 of ")


@pytest.mark.slow
def test_crossing_mentions_relations_and_codes(page: Any) -> None:
    ask(page, "abcdefghijklmnopqr", language="en")
    marks = page.find_elements("css selector", "#text mark")
    assert [mark.text for mark in marks] == ["abcdefghi", "efghi", "jklmno"]
    assert "again" in marks[2].get_attribute("class")
    assert "22298006 Myocardial infarction" in marks[0].get_attribute("title")
    assert "22298006" in page.find_element("id", "mentions").text
    assert "causes" in page.find_element("id", "relations").text
    page.find_element("css selector", "#labels input[value=SYMPTOM]").click()
    assert not page.find_element("id", "relations").is_displayed()


@pytest.mark.slow
def test_a_dropped_file_keeps_its_line_ends(page: Any, folder: Path) -> None:
    text = "Niega fiebre.\r\nRefiere tos.\r\n"
    page.execute_script(DROP, "nota 1.txt", list(text.encode()))
    until(lambda: "is open" in page.find_element("id", "status").text)
    page.find_element("id", "find").click()
    until(lambda: page.execute_script(SHOWN))
    for kind in ("json", "tsv"):
        page.find_element("id", kind).click()
        until((folder / f"nota 1.{kind}").exists)
    saved = json.loads((folder / "nota 1.json").read_text(encoding="utf-8"))
    assert saved["mentions"] and all(text[m["start"] : m["end"]] == m["text"] for m in saved["mentions"])
    header, *rows = (folder / "nota 1.tsv").read_text(encoding="utf-8").splitlines()
    assert header.split("\t")[:6] == ["note_id", "start", "end", "text", "label", "task"]
    assert [row.split("\t")[:4] for row in rows] == [
        ["nota 1", str(m["start"]), str(m["end"]), m["text"]] for m in saved["mentions"]
    ]
    assert_only_asked(page)


@pytest.mark.slow
def test_what_is_wrong_is_said(page: Any) -> None:
    status = page.find_element("id", "status")
    page.execute_script("document.getElementById('note').value = ''")
    page.find_element("id", "find").click()
    assert "no note" in status.text and "error" in status.get_attribute("class")
    assert page.execute_script(DROP, "alt.txt", list("Übelkeit".encode("latin-1")), "status"), "the page stays"
    until(lambda: "not UTF-8" in status.text)
    page.execute_script("document.getElementById('note').value = 'a'.repeat(1000001)")
    page.find_element("id", "find").click()
    until(lambda: "1000001 characters" in status.text)


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True])
def test_on_a_phone(client: httpx.Client, folder: Path, dark: bool) -> None:
    with chromium(folder, width=360, height=740, dark=dark) as page:
        page.get(str(client.base_url))
        until(lambda: page.find_elements("css selector", "#tasks input"))
        ask(page, NOTE)
        assert page.execute_script("return document.documentElement.scrollWidth <= innerWidth")
        paper = page.execute_script("return getComputedStyle(document.body).backgroundColor")
        assert (max(map(int, paper[4:-1].split(","))) < 60) == dark
        for button in page.find_elements("tag name", "button"):
            assert button.rect["height"] >= 40, "a thumb hits it"
            assert button.accessible_name


MARKED = """
const [cases, done] = arguments;
import("/page/mentions.js").then(({markedText, labelRules}) => {
  const classOf = new Map([["A", 0], ["B<'>", 1]]);
  const told = (mark) => [mark.className, mark.id, mark.title.replaceAll("\\n", " "),
    mark.style.getPropertyValue("--n"), mark.textContent];
  const marks = cases.map(([text, mentions]) => [...markedText(text, mentions, classOf).querySelectorAll("mark")]);
  done([marks.map((of) => of.map(told)), labelRules([...classOf].map(([label, colour]) => ({label, colour})))]);
});
"""


LABELS = {"A": 0, "B<'>": 1}


@pytest.mark.slow
def test_what_render_writes_is_the_same(page: Any) -> None:
    chance = random.Random(0)
    cases = []
    for _ in range(200):
        text = "".join(chance.choices("ab <&\n\u202e😀", k=20))
        starts = sorted(chance.choices(range(15), k=chance.randrange(7)))
        found = [Found(s, s + chance.randint(1, 5), chance.choice([*LABELS]), n / 10) for n, s in enumerate(starts)]
        cases.append((text, found))
    as_json = [(text, [mention_record(one, text) for one in found]) for text, found in cases]
    marks, rules = page.execute_async_script(MARKED, as_json)
    for (text, found), here in zip(cases, marks, strict=True):
        tree = ElementTree.fromstring(f"<p>{''.join(marked_text(text, found, LABELS))}</p>")
        assert here == [told(mark) for mark in tree.iter("mark")]
    written = [html.unescape(unquote(rule)).strip() for rule in label_rules({"A": "a", "B<'>": "b"})]
    assert [html.unescape(unquote(rule)) for rule in rules] == written


def told(mark: ElementTree.Element) -> list[str]:
    row = mark.attrib["style"].removeprefix("--n:")
    return [mark.attrib["class"], mark.get("id", ""), mark.attrib["title"], row, "".join(mark.itertext())]


@pytest.mark.slow
def test_every_control_has_a_name_and_a_role(page: Any) -> None:
    ask(page, NOTE)
    controls = page.find_elements("css selector", "input, select, textarea, button, a, [role=region]")
    seen = [control for control in controls if control.is_displayed()]
    assert len(seen) > 15 and all(control.accessible_name for control in seen)
