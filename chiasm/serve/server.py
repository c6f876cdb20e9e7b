"""The service on a port: uvicorn, with connections that do not wait for ever and a shutdown that finishes its work."""

from __future__ import annotations

import signal
import socket
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from PIL import Image

from chiasm.layers import kernels
from chiasm.serve.app import make_app
from chiasm.serve.connections import patient
from chiasm.serve.endpoints import Service
from chiasm.serve.served import ServeError

IDLE_SECONDS = 15  # between two requests of one connection
BACKLOG = 1024  # connections that wait to be accepted


def run(service: Service, *, port: int, grace: float = 30.0, ready: Callable[[str], None]) -> None:
    """Answer until SIGTERM or Ctrl-C; then take no new connection, answer what was taken, and return.

    `ready` is told the address. `port` 0 is any free one. `grace`: seconds after which unfinished work is given up;
    a second Ctrl-C gives it up at once. Raises `ServeError` when the port cannot be had.
    """
    listening = bind(service.access.host, port)
    # A picture whose header lies about its size is refused, not warned about.
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    kernels.use(kernels.choice())
    config = uvicorn.Config(
        make_app(service),
        http=patient(service.limits),
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=round(grace),
    )
    host, chosen = listening.getsockname()[:2]
    ready(f"http://{f'[{host}]' if ':' in host else host}:{chosen}/")
    Server(config).run(sockets=[listening])


class Server(uvicorn.Server):
    """uvicorn's, which after a graceful shutdown returns instead of ending the process by the signal again."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals end the main loop; outside the main thread there are none."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def bind(host: str, port: int) -> socket.socket:
    """A listening socket. Raises `ServeError` when the port is taken or the address is not this machine's."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise ServeError(f"{host} is no address of this machine: {error}") from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise ServeError(f"port {port} of {host} cannot be had ({error.strerror}): give another with --port") from error
    listening.set_inheritable(True)
    return listening
