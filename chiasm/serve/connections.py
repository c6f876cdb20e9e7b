"""Connections that do not wait for ever: for a request that trickles in, or for a client that does not read.

uvicorn bounds only the time between two requests. Without this, connections that send a byte a minute would pile up.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from chiasm.serve.limits import Limits

GRACE = 5.0  # seconds after which the connection is cut, so that the refusal (408) of the guard can go out first


class PatientConnection(H11Protocol):
    """One HTTP/1.1 connection. `limits` is set on a subclass for one server (`patient`)."""

    limits: ClassVar[Limits] = Limits()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._arriving: asyncio.TimerHandle | None = None
        self._leaving: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_more()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._request_is_whole():
            self._expect_nothing()
        else:
            self._expect_more()

    def connection_lost(self, exc: Exception | None) -> None:
        self._expect_nothing()
        self.resume_writing()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._leaving is None:
            self._leaving = self.loop.call_later(self.limits.send_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None
        super().resume_writing()

    def _expect_more(self) -> None:
        """Cut the connection unless the request is whole in time; the time begins with its first byte."""
        if self._arriving is None:
            self._arriving = self.loop.call_later(self.limits.receive_seconds + GRACE, self.transport.abort)

    def _expect_nothing(self) -> None:
        if self._arriving is not None:
            self._arriving.cancel()
            self._arriving = None

    def _request_is_whole(self) -> bool:
        """Whether nothing is missing of the current request; no request at all is none that is missing."""
        state = self.conn.their_state
        if state is h11.IDLE:
            return not self.conn.trailing_data[0]
        return state is not h11.SEND_BODY


def patient(limits: Limits) -> type[PatientConnection]:
    """The connections of a server with these limits."""
    return type("PatientConnection", (PatientConnection,), {"limits": limits})
