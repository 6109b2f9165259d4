"""The service as a FastAPI app: DT4H's requests and plain ones, read in batches; errors and logs hold no text."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Query
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from starlette.requests import Request

from clinner_spacy import __version__
from clinner_spacy.service.batching import Batcher, QueueFull
from clinner_spacy.service.limits import BodyLimit, Limits
from clinner_spacy.service.pages import page_router
from clinner_spacy.service.reader import Reader, Reading
from clinner_spacy.tables.dt4h import CONCEPT_CLASSES, Service, failed_response, nlp_response


class AsciiJSON(JSONResponse):
    """JSON in ASCII, which can hold what no UTF-8 can: half a surrogate pair in a text that is given back."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content, allow_nan=False).encode("ascii")


class Texts(BaseModel):
    """Texts to read."""

    texts: list[Any]


class Note(BaseModel):
    """A text and its metadata, which pass through."""

    model_config = ConfigDict(extra="allow")
    text: Any = None


class Notes(BaseModel):
    """Notes under ``content``, as CogStack sends them."""

    content: list[Note]


class Readers:
    """Pipelines by the language that a request names, each with its queue."""

    def __init__(self, readers: Mapping[str, Reader], limits: Limits) -> None:
        self.readers = dict(readers)
        self.limits = limits
        self.batchers: dict[str, Batcher[Reading | None]] = {}

    @asynccontextmanager
    async def running(self, app: FastAPI) -> AsyncIterator[None]:
        limits = self.limits
        for name, reader in self.readers.items():
            self.batchers[name] = Batcher(
                reader.read,
                batch_size=limits.batch_size,
                wait=limits.wait,
                queue=limits.queue,
                characters=limits.characters,
            )
            self.batchers[name].start()
        yield
        for batcher in self.batchers.values():
            await batcher.close()

    def chosen(self, language: str | None) -> str:
        if language is None and len(self.readers) == 1:
            return next(iter(self.readers))
        if language in self.readers:
            return str(language)
        raise HTTPException(422, f"language must be one of {', '.join(self.readers)}; see /info.")

    async def read(self, language: str, texts: Sequence[Any]) -> list[Reading | None]:
        """A Reading a text; None for what is no text or cannot be read."""
        if len(texts) > self.limits.queue:
            raise HTTPException(413, f"The request has {len(texts)} texts; {self.limits.queue} may be sent at a time.")
        good = [n for n, text in enumerate(texts) if is_text(text)]
        for n in good:
            if len(texts[n]) > self.limits.text:
                raise HTTPException(413, f"Text {n} has {len(texts[n])} characters; {self.limits.text} are allowed.")
        size, most = sum(len(texts[n]) for n in good), self.limits.characters
        if size > most:
            raise HTTPException(413, f"The request has {size} characters; {most} may be sent at a time.")
        readings: list[Reading | None] = [None] * len(texts)
        try:
            async with asyncio.timeout(self.limits.timeout):
                results = await self.batchers[language].submit([texts[n] for n in good])
        except QueueFull as error:
            raise HTTPException(503, "Too many texts wait; try again.", headers={"Retry-After": "1"}) from error
        except TimeoutError as error:
            raise HTTPException(504, f"No answer in {self.limits.timeout:g} seconds; send fewer texts.") from error
        for n, reading in zip(good, results, strict=True):
            readings[n] = reading
        return readings


def is_text(text: Any) -> bool:
    """Whether it is a string of whole characters."""
    try:
        return isinstance(text, str) and text.encode() is not None
    except UnicodeEncodeError:
        return False


def known(*names: str) -> Any:
    """A dependency that refuses query parameters of other names, which would have no effect."""

    def check(request: Request) -> None:
        others = [name for name in request.query_params if name not in names]
        if others:
            raise HTTPException(422, f"There is no parameter {others[0]} here but {', '.join(names)}; leave it out.")

    return Depends(check)


def build_app(readers: Mapping[str, Reader], limits: Limits = Limits()) -> FastAPI:  # noqa: B008  frozen
    """The app; readers: by the language that requests name."""
    all_readers = Readers(readers, limits)
    app = FastAPI(
        title="clinner-spacy", version=__version__, docs_url=None, redoc_url=None, lifespan=all_readers.running
    )
    app.add_middleware(BodyLimit, limit=limits.body, seconds=limits.timeout)
    app.add_exception_handler(RequestValidationError, _say_what_is_wrong)

    @app.get("/health")
    async def health() -> dict[str, str]:
        """Whether the service answers."""
        return {"status": "ok"}

    @app.get("/info")
    async def info() -> dict[str, Any]:
        """Version, and what each language's pipeline finds."""
        return {"version": __version__, "languages": {name: reader.info() for name, reader in readers.items()}}

    @app.post("/annotate", response_class=AsciiJSON, dependencies=[known("language", "task")])
    async def annotate(
        body: Texts, language: str | None = None, task: Annotated[list[str] | None, Query()] = None
    ) -> Any:
        """Texts in, mentions and relations of each out; null for what cannot be read. task: only this one;
        repeatable."""
        name = all_readers.chosen(language)
        if task and not set(task) <= set(readers[name].tasks):
            raise HTTPException(422, f"task must be of {', '.join(readers[name].tasks)}.")
        found = await all_readers.read(name, body.texts)
        chosen = [reading.of_tasks(task) if reading and task else reading for reading in found]
        return AsciiJSON({"results": [reading and reading._asdict() for reading in chosen]})

    @app.post(
        "/process_bulk", response_class=AsciiJSON, dependencies=[known("language", "entities", "negation")]
    )
    async def process_bulk(
        body: list[Note] | Notes, language: str | None = None, entities: str | None = None, negation: bool | None = None
    ) -> Any:
        """DT4H's request and response: notes in, one NlpResponse a note out. entities: concept classes, with commas
        between them. negation: false leaves negation and uncertainty out."""
        name = all_readers.chosen(language)
        reader = readers[name]
        wanted = _labels(entities, reader)
        if negation and not reader.asserts:
            raise HTTPException(422, "negation is asked for, but this pipeline does not tell it; use --assertion.")
        notes = [note.model_dump() for note in (body.content if isinstance(body, Notes) else body)]
        found = await all_readers.read(name, [note["text"] for note in notes])
        service = Service(reader.model, name)
        return AsciiJSON([_response(*pair, service, wanted, negation) for pair in zip(notes, found, strict=True)])

    app.include_router(page_router(app))
    return app


def _labels(entities: str | None, reader: Reader) -> set[str] | None:
    """The pipeline's labels that a request asks for, by label or DT4H's class; None for all."""
    if entities is None:
        return None
    labels = {label for of_task in reader.tasks.values() for label in of_task}
    classes = {label: CONCEPT_CLASSES.get(label.upper(), label.lower()) for label in labels}
    asked = [entity.strip().lower() for entity in entities.split(",")]
    if not set(asked) <= {*classes.values(), *map(str.lower, labels)}:
        raise HTTPException(422, f"entities must be of {', '.join(sorted(classes.values()))}, with commas between.")
    return {label for label in labels if label.lower() in asked or classes[label] in asked}


def _response(
    note: dict[str, Any], reading: Reading | None, service: Service, wanted: set[str] | None, negation: bool | None
) -> dict[str, Any]:
    metadata = {key: _finite(value) for key, value in note.items() if key != "text"}
    if reading is None:
        return failed_response(note["text"], service, metadata)
    mentions = [mention for mention in reading.mentions if wanted is None or mention["label"] in wanted]
    if negation is False:
        mentions = [{k: v for k, v in mention.items() if k not in ("negated", "uncertain")} for mention in mentions]
    return nlp_response(note["text"], mentions, service, metadata)


def _finite(value: Any) -> Any:
    """A value of JSON with null for numbers that it cannot hold, which Python's reader takes: NaN, 1e999."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


async def _say_what_is_wrong(request: Request, error: Exception) -> JSONResponse:
    """One sentence. FastAPI's own answer repeats what was sent, which may be a patient's text."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    if first["loc"][0] == "query":
        return JSONResponse({"detail": f"{first['loc'][-1]} is not as it must be: {first['msg']}."}, 422)
    shape = '{"texts": [...]}' if request.url.path == "/annotate" else '[{"text": ...}] or {"content": [{"text": ...}]}'
    return JSONResponse({"detail": f"The body is not JSON of the form {shape}."}, 422)
