"""HTTP over plain sockets, for what a well-behaved client does not do."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import uvicorn

from chiasm.serve.app import make_app
from chiasm.serve.connections import patient
from chiasm.serve.endpoints import Service
from chiasm.serve.server import Server, bind


@contextmanager
def running(service: Service) -> Iterator[tuple[str, int]]:
    """The service on a port of this machine, in a thread; ended gracefully."""
    with started(service) as (address, _):
        yield address


@contextmanager
def started(service: Service) -> Iterator[tuple[tuple[str, int], Server]]:
    """The same, with the server, to be ended before its time."""
    listening = bind("127.0.0.1", 0)
    config = uvicorn.Config(
        make_app(service),  # type: ignore[arg-type]
        http=patient(service.limits),
        ws="none",
        lifespan="on",
        log_level="error",
        access_log=False,
    )
    server = Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield listening.getsockname()[:2], server
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()


def address_of(url: str) -> tuple[str, int]:
    """Host and port of "http://127.0.0.1:8000/"."""
    parts = urlsplit(url)
    assert parts.hostname
    assert parts.port
    return parts.hostname, parts.port


def message(path: str, body: Any, *, close: bool = False) -> bytes:
    """A POST request."""
    content = json.dumps(body).encode()
    end = "connection: close\r\n" if close else ""
    head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n{end}"
    return f"{head}content-length: {len(content)}\r\n\r\n".encode() + content


class Connection:
    """One connection that is kept alive."""

    def __init__(self, address: tuple[str, int], seconds: float = 30.0) -> None:
        self.socket = socket.create_connection(address, timeout=seconds)
        self.reader = self.socket.makefile("rb")

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.reader.close()
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def post(self, path: str, body: Any) -> tuple[int, Any]:
        self.send(message(path, body))
        return self.answer()

    def answer(self) -> tuple[int, Any]:
        """Status and JSON; (0, None) when the connection was closed instead."""
        first = self.reader.readline()
        if not first:
            return 0, None
        length = 0
        while (line := self.reader.readline().strip()) != b"":
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        return int(first.split()[1]), json.loads(self.reader.read(length))
