"""What a browser gets: the page, its style and scripts, and the list of endpoints; nothing comes from elsewhere."""

from __future__ import annotations

import html
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.responses import HTMLResponse, Response

from clinner_spacy import __version__
from clinner_spacy.files import PAGE

#: Only what this service sends may run or be asked; a note never stands in an address, and no other site frames it.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}
TYPES = {".css": "text/css", ".js": "text/javascript"}


def page_router(app: FastAPI) -> APIRouter:
    """``GET /``, ``/page/…`` and ``/docs`` of ``app``."""
    router = APIRouter(include_in_schema=False)
    index = (PAGE / "index.html").read_text(encoding="utf-8")
    parts = {path.name: path.read_bytes() for path in PAGE.iterdir() if path.suffix in TYPES}

    @router.get("/")
    async def page() -> HTMLResponse:
        return HTMLResponse(index, headers=HEADERS)

    @router.get("/page/{name}")
    async def part(name: str) -> Response:
        if name not in parts:
            return Response("There is no such file.", 404, HEADERS, "text/plain")
        return Response(parts[name], 200, HEADERS, TYPES[name[name.rindex(".") :]])

    @router.get("/docs")
    async def docs() -> HTMLResponse:
        return HTMLResponse(_docs_page(app.openapi()), headers=HEADERS)

    return router


def _docs_page(schema: dict[str, Any]) -> str:
    rows = [
        f"<dt><code>{method.upper()} {html.escape(path)}</code><dd>{html.escape(operation.get('description', ''))}"
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
    ]
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        '<title>clinner-spacy</title><link rel="icon" href="data:,"><link rel="stylesheet" href="page/mentions.css">'
        '<link rel="stylesheet" href="page/page.css">'
        f'<header><h1>clinner-spacy {__version__}</h1></header><dl class="endpoints">{"".join(rows)}</dl>'
        '<p>All of it for programs: <a href="openapi.json">openapi.json</a></html>'
    )
