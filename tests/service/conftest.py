"""A real server on a loopback port, with the model inside."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import httpx
import pytest
import uvicorn

from clinner_spacy.cli.model import build_nlp
from clinner_spacy.service.app import build_app
from clinner_spacy.service.limits import Limits
from clinner_spacy.service.reader import Reader

DEFAULT = Limits()


@pytest.fixture(scope="session")
def reader() -> Reader:
    return Reader(build_nlp(lang="es", assertion=True), "embedded")


@contextmanager
def serving(readers: Mapping[str, Reader], limits: Limits = DEFAULT) -> Iterator[httpx.Client]:
    server = uvicorn.Server(uvicorn.Config(build_app(readers, limits), port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + 30
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive()
