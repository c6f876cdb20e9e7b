"""The service on a port: many clients, slow ones, rude ones, and an end that finishes what was taken."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from chiasm.serve.endpoints import Service
from chiasm.serve.limits import Limits
from chiasm.serve.predictor import Predictor
from chiasm.serve.served import Served, ServeError
from chiasm.serve.server import bind
from tests.serve.http.asking import Gate, encoded, row
from tests.serve.http.raw import Connection, address_of, message, running, started
from tests.serve.small import QUESTIONS, picture

CLIENTS, EACH = 64, 3


def test_64_clients_lose_nothing_and_get_the_answers_of_one(served: Served, predictor: Predictor) -> None:
    alone = {(i, text): predictor.predict(image=picture(i), text=text) for i in range(4) for text in QUESTIONS}

    def ask(number: int, address: tuple[str, int]) -> list[tuple[int, Any]]:
        with Connection(address) as connection:
            asked = [((number + k) % 4, QUESTIONS[(number + k) % 3]) for k in range(EACH)]
            return [(key, connection.post("/predict", row(key[0], text=key[1]))) for key in asked]  # type: ignore[misc]

    service = Service([served])
    with running(service) as address, ThreadPoolExecutor(CLIENTS) as pool:
        found = [one for answers in pool.map(lambda n: ask(n, address), range(CLIENTS)) for one in answers]
    assert len(found) == CLIENTS * EACH
    for key, (status, answer) in found:  # type: ignore[misc]
        assert status == 200
        assert answer["answer"] == alone[key].answer  # type: ignore[index]
        assert answer["probability"] == pytest.approx(alone[key].probability, abs=1e-5)  # type: ignore[index]
    assert service.counters.value("chiasm_rows_total", bundle="small", result="answered") == CLIENTS * EACH


@pytest.fixture
def impatient() -> Iterator[tuple[Service, tuple[str, int]]]:
    """A service with short times, over a bundle that answers at once."""
    gate = Gate()
    gate.open.set()
    service = Service([gate], limits=Limits(receive_seconds=0.3, send_seconds=0.5))  # type: ignore[list-item]
    with running(service) as address:
        yield service, address


@pytest.fixture
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chiasm.serve.connections.GRACE", 0.2)


@pytest.mark.usefixtures("_soon")
@pytest.mark.parametrize("sent", [b"", b"POST /predict HT", b"POST /predict HTTP/1.1\r\nhost: localhost\r\n"])
def test_a_request_that_does_not_arrive_is_cut(impatient: tuple[Service, tuple[str, int]], sent: bytes) -> None:
    with Connection(impatient[1], 10) as connection:
        connection.send(sent)
        started = time.perf_counter()
        with contextlib.suppress(ConnectionResetError):
            assert connection.answer() == (0, None)
        assert time.perf_counter() - started < 8


@pytest.mark.usefixtures("_soon")
def test_a_body_that_trickles_is_refused_and_others_are_served(impatient: tuple[Service, tuple[str, int]]) -> None:
    whole = message("/predict", {"text": "slow"})
    with Connection(impatient[1], 10) as slow, Connection(impatient[1], 10) as other:
        slow.send(whole[:-5])
        assert other.post("/predict", {"text": "fast"})[1]["answer"] == "fast"
        status, answer = slow.answer()
        assert (status, "did not arrive within 0.3 s" in answer["error"]) == (408, True)


def test_a_client_that_does_not_read_is_cut() -> None:
    service = Service([Gate()], limits=Limits(send_seconds=0.5))  # type: ignore[list-item]
    service._page["large.js"] = (b"x" * 50_000_000, "text/javascript")
    with started(service) as (address, server), socket.create_connection(address, timeout=10) as rude:
        rude.sendall(b"GET /page/large.js HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert rude.recv(4) == b"HTTP"
        assert len(server.server_state.connections) == 1
        until = time.perf_counter() + 10
        while server.server_state.connections and time.perf_counter() < until:
            time.sleep(0.02)
        assert not server.server_state.connections


def test_a_client_that_goes_away_takes_its_work_with_it() -> None:
    gate = Gate()
    with running(Service([gate])) as address, Connection(address) as first:  # type: ignore[list-item]
        first.send(message("/predict", {"text": "first"}))
        assert gate.begun.wait(20)
        with Connection(address) as second:
            second.send(message("/predict", {"text": "second"}))
            time.sleep(0.3)
        time.sleep(0.3)
        gate.open.set()
        assert first.answer()[1]["answer"] == "first"
    assert sum(gate.passes) == 1


@pytest.mark.parametrize("sent", [b"\x00\x01\x02\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET /" + b"a" * 100_000])
def test_what_is_no_http_is_answered_400_or_closed(impatient: tuple[Service, tuple[str, int]], sent: bytes) -> None:
    with socket.create_connection(impatient[1], timeout=10) as rude:
        try:
            rude.sendall(sent)
            said = rude.recv(100)
        except ConnectionError:
            said = b""
        assert said == b"" or said.startswith(b"HTTP/1.1 4")
    with Connection(impatient[1]) as connection:
        assert connection.post("/predict", {"text": "x"})[0] == 200


def test_an_end_finishes_what_was_taken_and_takes_no_more() -> None:
    gate = Gate()
    service = Service([gate])  # type: ignore[list-item]
    with started(service) as (address, server):
        connections = [Connection(address) for _ in range(9)]
        idle = connections.pop()
        for number, connection in enumerate(connections):
            connection.send(message("/predict", {"text": str(number)}))
            assert gate.begun.wait(20)  # the first one runs alone, the others wait
        while service.batcher.waiting < len(connections) - 1:
            time.sleep(0.01)
        server.should_exit = True
        assert idle.answer() == (0, None)  # closed: nothing was asked on it
        with pytest.raises(ConnectionRefusedError):
            Connection(address)
        gate.open.set()
        answers = [connection.answer() for connection in connections]
        for connection in (*connections, idle):
            connection.__exit__()
    assert [status for status, _ in answers] == [200] * 8
    assert [answer["answer"] for _, answer in answers] == [str(number) for number in range(8)]


def test_a_taken_port_and_a_foreign_address_are_errors_of_one_line() -> None:
    with bind("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServeError, match=f"port {port} of 127.0.0.1 cannot be had"):
            bind("127.0.0.1", port)
    with pytest.raises(ServeError, match="no address of this machine"):
        bind("no such host", 0)


@pytest.fixture
def process(bundle_folder: Path) -> Iterator[tuple[subprocess.Popen[str], tuple[str, int]]]:
    """`chiasm serve` as a process of its own."""
    words = [sys.executable, "-m", "chiasm", "serve", str(bundle_folder), "--port", "0"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as started:
        assert started.stdout
        lines = []
        while "serving at" not in (line := started.stdout.readline()):
            assert line, started.stderr.read() if started.stderr else lines
            lines.append(line)
        yield started, address_of(line.split()[2])
        if started.poll() is None:
            started.kill()


def test_sigterm_under_load_answers_what_was_taken_and_ends_with_0(
    process: tuple[subprocess.Popen[str], tuple[str, int]],
) -> None:
    server, address = process
    body = row(0, image=encoded(picture(0)), text="what color is it?")
    statuses: list[int] = []
    broken: list[int] = []  # requests that were sent whole, and got nothing
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            try:
                with Connection(address) as connection:
                    connection.send(message("/predict", body, close=True))
                    status = connection.answer()[0]
                    (statuses if status else broken).append(status)
            except ConnectionRefusedError:
                return  # it takes no more
            except ConnectionResetError:
                broken.append(-1)

    clients = [threading.Thread(target=ask) for _ in range(8)]
    for client in clients:
        client.start()
    while len(statuses) < 40:
        time.sleep(0.01)
    before = len(statuses)
    server.send_signal(signal.SIGTERM)
    said, told = server.communicate(timeout=60)
    stop.set()
    for client in clients:
        client.join(20)
    assert server.returncode == 0, told
    assert "everything that was taken is answered" in said
    assert told == ""
    assert set(statuses) == {200}
    assert len(statuses) >= before
    # Connections that waited in the kernel, or had sent nothing yet, when the listening ended: never taken.
    assert len(broken) <= len(clients)
