"""A Hub on this machine: as much of its HTTP interface as publishing and fetching a repository needs."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class FakeHub:
    """Repositories by name, each path -> content; what was asked for; and what it answers to everything, if set."""

    def __init__(self) -> None:
        self.repositories: dict[str, dict[str, bytes]] = {}
        self.private: set[str] = set()
        self.requests: list[str] = []
        self.refuses: int | None = None
        self.endpoint = ""

    def commit(self, name: str) -> str:
        content = self.repositories[name]
        return hashlib.sha1(repr(sorted(content.items())).encode()).hexdigest()


@contextmanager
def serving() -> Iterator[FakeHub]:
    hub = FakeHub()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def do_POST(self) -> None:
            answer(self, hub, self.rfile.read(int(self.headers.get("Content-Length") or 0)))

        def do_GET(self) -> None:
            answer(self, hub, b"")

        def do_HEAD(self) -> None:
            answer(self, hub, b"")

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def answer(request: BaseHTTPRequestHandler, hub: FakeHub, body: bytes) -> None:
    path = request.path.partition("?")[0]
    hub.requests.append(f"{request.command} {path}")
    if hub.refuses is not None:
        send(request, hub.refuses, {"error": "refused"})
    elif path == "/api/repos/create":
        asked = json.loads(body)
        name = f"{asked['organization']}/{asked['name']}"
        if asked.get("visibility") == "private" or asked.get("private"):
            hub.private.add(name)
        known = name in hub.repositories
        hub.repositories.setdefault(name, {})
        send(request, 409 if known else 200, {"url": f"{hub.endpoint}/{name}", "id": name, "name": name})
    elif path == "/api/validate-yaml":
        send(request, 200, {"errors": [], "warnings": []})
    elif (found := re.fullmatch(r"/api/models/([^/]+/[^/]+)(/.*)?", path)) and found[1] in hub.repositories:
        about_model(request, hub, found[1], found[2] or "", body)
    elif (found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.*)", path)) and found[1] in hub.repositories:
        content = hub.repositories[found[1]].get(found[3])
        headers = {"X-Repo-Commit": hub.commit(found[1])}
        if content is None:
            send(request, 404, {"error": "no such file"}, {"X-Error-Code": "EntryNotFound", **headers})
        else:
            etag = f'"{hashlib.sha1(content).hexdigest()}"'
            send(request, 200, content, {"ETag": etag, **headers})
    else:
        send(request, 404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"})


def about_model(request: BaseHTTPRequestHandler, hub: FakeHub, name: str, rest: str, body: bytes) -> None:
    if rest.startswith("/preupload/"):
        paths = [file["path"] for file in json.loads(body)["files"]]
        files = [{"path": path, "uploadMode": "regular", "shouldIgnore": False, "oid": None} for path in paths]
        send(request, 200, {"files": files})
    elif rest.startswith("/commit/"):
        for line in body.splitlines():
            entry = json.loads(line)
            if entry["key"] == "file":
                hub.repositories[name][entry["value"]["path"]] = base64.b64decode(entry["value"]["content"])
        oid = hub.commit(name)
        url = f"{hub.endpoint}/{name}/commit/{oid}"
        send(request, 200, {"success": True, "commitUrl": url, "commitOid": oid})
    else:
        files = [{"rfilename": path} for path in hub.repositories[name]]
        send(request, 200, {"id": name, "modelId": name, "sha": hub.commit(name), "siblings": files, "tags": []})


def send(
    request: BaseHTTPRequestHandler, status: int, content: dict[str, Any] | bytes, headers: dict[str, str] | None = None
) -> None:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    request.send_response(status)
    for key, value in (headers or {}).items():
        request.send_header(key, value)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    if request.command != "HEAD":
        request.wfile.write(body)
