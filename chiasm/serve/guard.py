"""What stands before every endpoint: who may ask, how large a request may be, how long it may take to arrive.

A request's body is read here as a whole, within its bounds, before anything looks at it. When its client goes away
its work is given up.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from chiasm.serve.access import PAGE, Access
from chiasm.serve.counters import Counters
from chiasm.serve.limits import Budget, Holding, Limits, Refused

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

logger = logging.getLogger("chiasm.serve")
# The page's own files and pictures held in memory; nothing from anywhere else, no frame around it.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = [
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
]


class Guard:
    """An ASGI application around another one."""

    def __init__(self, app: App, access: Access, limits: Limits, counters: Counters, paths: frozenset[str]) -> None:
        self.app, self.access, self.limits, self.counters = app, access, limits, counters
        self.paths = paths  # those that are counted by name
        self.bodies = Budget(limits.held_bytes, "bytes")
        self.active = 0
        counters.describe("chiasm_requests_total", "requests by path and status")
        counters.describe("chiasm_request_seconds", "seconds from a request's head to its answer")
        counters.gauge("chiasm_requests_active", "requests being read or answered", lambda: float(self.active))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        started, said = time.perf_counter(), {"status": 499}  # 499: the client went away first

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                said["status"] = message["status"]
                message["headers"] = [*message.get("headers", []), *HEADERS]
            await send(message)

        self.active += 1
        try:
            with Holding(self.bodies) as holding:
                try:
                    body = await self._admitted(scope, receive, holding)
                except Refused as refusal:
                    await refuse(refusal, sending)
                    return
                if body is not None:
                    await self._answered(scope, body, receive, sending, said)
        finally:
            self.active -= 1
            path = self._counted(scope["path"])
            self.counters.add("chiasm_requests_total", path=path, status=str(said["status"]))
            self.counters.observe("chiasm_request_seconds", time.perf_counter() - started, path=path)

    def _counted(self, path: str) -> str:
        """What a path is counted as, so that made-up ones do not fill the memory."""
        if path.startswith(PAGE):
            return PAGE
        return path if path in self.paths else "other"

    async def _admitted(self, scope: Scope, receive: Receive, holding: Holding) -> bytes | None:
        """The whole body; None when its client went away. Raises `Refused`."""
        if self.active > self.limits.requests:
            raise Refused(503, "too many requests at once", retry_after=1)
        self.access.check(scope["path"], scope["headers"])
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if not declared.isdigit() or int(declared[:20]) > self.limits.body_bytes:
            raise _too_large(self.limits)
        try:
            async with asyncio.timeout(self.limits.receive_seconds):
                return await self._body(receive, holding)
        except TimeoutError:
            raise Refused(408, f"the request did not arrive within {self.limits.receive_seconds:g} s") from None

    async def _body(self, receive: Receive, holding: Holding) -> bytes | None:
        parts: list[bytes] = []
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return None
            part = message.get("body", b"")
            holding.take(len(part))
            if holding.amount > self.limits.body_bytes:
                raise _too_large(self.limits)
            parts.append(part)
            if not message.get("more_body", False):
                return b"".join(parts)

    async def _answered(
        self, scope: Scope, body: bytes, receive: Receive, send: Send, said: MutableMapping[str, int]
    ) -> None:
        """The application's answer, given up when the client goes away."""
        given = False

        async def whole() -> Message:
            nonlocal given
            if given:
                return {"type": "http.disconnect"}
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        work = asyncio.ensure_future(self.app(scope, whole, send))
        gone = asyncio.ensure_future(_disconnected(receive))
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                await work
        except Exception:
            logger.exception("a request to %s failed", scope["path"])
            if said["status"] == 499:
                await refuse(Refused(500, "something went wrong; the service's log says what"), send)
        finally:
            for task in (work, gone):
                task.cancel()
            await asyncio.gather(work, gone, return_exceptions=True)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def refuse(refusal: Refused, send: Send) -> None:
    """The refusal as JSON. Of 401 and 503 the header says what to do."""
    body = json.dumps({"error": refusal.reason}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if refusal.retry_after is not None:
        headers.append((b"retry-after", str(refusal.retry_after).encode()))
    if refusal.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _too_large(limits: Limits) -> Refused:
    return Refused(413, f"the request has more than {limits.body_bytes:,} bytes: send smaller pictures or fewer rows")
