"""A hub on loopback: the file protocol of huggingface.co for repositories that are folders here."""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
REVISIONS = ("main", "v1", COMMIT)


class Hub:
    """``root``/owner/name are its repositories; ``served`` are the files sent, ``gated`` the repositories that are."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.served: list[str] = []
        self.gated: set[str] = set()
        self.lists = True
        self.url = ""

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        parts = unquote(urlsplit(path).path).strip("/").split("/")
        listing = parts[:2] == ["api", "models"]
        if listing and not self.lists:
            return 404, {}, b""
        repo = "/".join(parts[2:4] if listing else parts[:2])
        rest = parts[4:] if listing else parts[2:]
        folder = self.root / repo
        if not folder.is_dir():
            return self._error(404, "RepoNotFound")
        if repo in self.gated:
            return self._error(403, "GatedRepo")
        if len(rest) > 1 and rest[1] not in REVISIONS:
            return self._error(404, "RevisionNotFound")
        names = sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())
        if listing:
            files = [
                {"type": "file", "path": name, "size": (folder / name).stat().st_size, "oid": COMMIT} for name in names
            ]
            info = {"id": repo, "sha": COMMIT, "siblings": [{"rfilename": name} for name in names]}
            return (
                200,
                {"Content-Type": "application/json"},
                json.dumps(files if rest[:1] == ["tree"] else info).encode(),
            )
        name = "/".join(rest[2:])
        if name not in names:
            return self._error(404, "EntryNotFound")
        content = (folder / name).read_bytes()
        self.served.append(f"{repo}/{name}")
        return 200, {"ETag": f'"{hashlib.sha256(content).hexdigest()}"', "X-Repo-Commit": COMMIT}, content

    def _error(self, status: int, code: str) -> tuple[int, dict[str, str], bytes]:
        return status, {"X-Error-Code": code, "X-Repo-Commit": COMMIT}, b""


@contextlib.contextmanager
def serve(hub: Hub) -> Iterator[Hub]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._send(body=True)

        def do_HEAD(self) -> None:
            self._send(body=False)

        def _send(self, body: bool) -> None:
            before = len(hub.served)
            status, headers, content = hub.answer(self.path)
            if not body:
                del hub.served[before:]
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            if body:
                self.wfile.write(content)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
