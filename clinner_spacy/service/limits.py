"""What a request may be: bytes of a body, characters of a text, seconds of an answer."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send


@dataclass(frozen=True)
class Limits:
    """body: bytes of a request. text: characters of a text. queue: texts that wait, and texts of a request.
    timeout: seconds. batch_size: texts read at once. wait: seconds a text waits for others."""

    body: int = 16 * 2**20
    text: int = 1_000_000
    queue: int = 1024
    timeout: float = 60.0
    batch_size: int = 64
    wait: float = 0.005


class BodyLimit:
    """ASGI middleware: a body of more bytes than ``limit`` is answered 413, without being read to its end."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self.app = app
        self.limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self.limit:
                raise HTTPException(413, f"The body has more than {self.limit} bytes; send fewer texts at a time.")
            return message

        await self.app(scope, counted, send)
