"""What a request may be: bytes of a body, characters of a text, seconds of an answer."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send


@dataclass(frozen=True)
class Limits:
    """body: bytes of a request. text: characters of a text. queue: texts that wait, and texts of a request;
    characters: theirs, so many that an embedded model reads them within the timeout. timeout: seconds of an answer, and
    of silence within a body. batch_size: texts read at once. wait: seconds a text waits for others."""

    body: int = 16 * 2**20
    text: int = 1_000_000
    queue: int = 1024
    characters: int = 4_000_000
    timeout: float = 60.0
    batch_size: int = 64
    wait: float = 0.005


class BodyLimit:
    """ASGI middleware: a body of more bytes than ``limit`` is answered 413, without being read to its end, and one that
    stops coming for ``seconds`` 408."""

    def __init__(self, app: ASGIApp, limit: int, seconds: float) -> None:
        self.app = app
        self.limit = limit
        self.seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        read, whole = 0, False

        async def counted() -> Message:
            nonlocal read, whole
            try:
                async with asyncio.timeout(None if whole else self.seconds):  # what follows is that the client leaves
                    message = await receive()
            except TimeoutError as error:
                raise HTTPException(408, f"The body stopped for {self.seconds:g} seconds; send it again.") from error
            whole = not message.get("more_body", False)
            read += len(message.get("body", b""))
            if read > self.limit:
                raise HTTPException(413, f"The body has more than {self.limit} bytes; send fewer texts at a time.")
            return message

        await self.app(scope, counted, send)
