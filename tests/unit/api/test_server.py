"""The HTTP server against clients that are silent, slow, or gone."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import gevent
import pytest
from gevent.event import Event

from api.server import HttpServer
from tests.support.waiting import wait_for

asked: list[str] = []


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    asked.append(f"{environ['PATH_INFO']}?{environ['QUERY_STRING']}")
    if environ["PATH_INFO"] == "/slow":
        gevent.sleep(0.3)
    if environ["PATH_INFO"] == "/never":
        Event().wait()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return [b"ok"]


@pytest.fixture
def server() -> Iterator[HttpServer]:
    asked.clear()
    made = HttpServer(("127.0.0.1", 0), application, most=20, request_seconds=0.4, idle_seconds=0.8, answer_seconds=0.6)
    made.start()
    yield made
    made.stop(timeout=1)


@pytest.fixture
def connect(server: HttpServer) -> Iterator[Callable[[], socket.socket]]:
    with ExitStack() as connections:
        yield lambda: connections.enter_context(socket.create_connection(("127.0.0.1", server.server_port), timeout=5))


Connect = Callable[[], socket.socket]


def rest(connection: socket.socket) -> bytes:
    """All that still comes, until the server hangs up."""
    said = b""
    while True:
        try:
            more = connection.recv(4096)
        except ConnectionResetError:
            return said
        if not more:
            return said
        said += more


def ask(connection: socket.socket, path: str = "/") -> bytes:
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    return connection.recv(4096)


@pytest.mark.parametrize("said", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: a\r\n"])
def test_who_does_not_ask_in_time_is_hung_up_on(connect: Connect, said: bytes) -> None:
    connection = connect()
    connection.sendall(said)
    began = time.monotonic()
    assert rest(connection) == b""
    assert 0.3 < time.monotonic() - began < 3
    assert asked == []


def test_a_header_that_comes_piece_by_piece_gets_no_more_time(connect: Connect) -> None:
    connection = connect()
    connection.sendall(b"GET / HTTP/1.1\r\n")
    with pytest.raises(ConnectionError):
        wait_for(lambda: connection.sendall(b"X: y\r\n"), 3, "the server to hang up", every=0.1)
    assert asked == []


def test_a_connection_may_be_idle_between_requests_and_not_for_ever(connect: Connect) -> None:
    connection = connect()
    assert b"200 OK" in ask(connection)
    began = time.monotonic()
    assert rest(connection) == b""
    assert 0.6 < time.monotonic() - began < 3, "longer than a header may take"


def test_an_idle_connection_that_begins_to_ask_has_the_time_of_a_request(connect: Connect) -> None:
    connection = connect()
    assert b"200 OK" in ask(connection)
    connection.sendall(b"GET / HTTP/1.1\r\n")
    began = time.monotonic()
    assert rest(connection) == b""
    assert time.monotonic() - began < 0.7


def test_an_answer_that_takes_too_long_ends_its_connection_alone(connect: Connect) -> None:
    stuck = connect()
    stuck.sendall(b"GET /never HTTP/1.1\r\n\r\n")
    body = connect()
    body.sendall(b"GET / HTTP/1.1\r\nContent-Length: 1000\r\n\r\n")
    began = time.monotonic()
    assert b"200 OK" in ask(connect())
    assert b"200 OK" not in rest(stuck)
    rest(body)
    assert time.monotonic() - began < 3


def test_silent_connections_make_room_the_eldest_first(connect: Connect) -> None:
    silent = [connect() for _ in range(100)]
    assert b"200 OK" in ask(connect())
    assert rest(silent[0]) == b""


def test_a_request_under_way_does_not_make_room(connect: Connect) -> None:
    busy = connect()
    busy.sendall(b"GET /slow HTTP/1.1\r\n\r\n")
    wait_for(lambda: asked == ["/slow?"], 5, "the request to be under way")
    for _ in range(100):
        connect()
    assert b"200 OK" in busy.recv(4096)


@pytest.mark.parametrize(
    "said",
    [
        b"GET /?action=start&projectid=sal",
        b"GET /?action=start&projectid=sales HTTP/1.1",
        b"GET /?action=start&projectid=sales\r\n",
    ],
)
def test_a_request_that_breaks_off_is_none(connect: Connect, said: bytes, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    connection = connect()
    connection.sendall(said)
    connection.shutdown(socket.SHUT_WR)
    assert b"400 Bad Request" in rest(connection)
    assert asked == []
    assert caplog.messages == [], "whoever scans us does not fill the log"


def test_stopping_waits_for_requests_and_not_for_silence(server: HttpServer, connect: Connect) -> None:
    silent, idle, busy = connect(), connect(), connect()
    assert b"200 OK" in ask(idle)
    busy.sendall(b"GET /slow HTTP/1.1\r\n\r\n")
    wait_for(lambda: "/slow?" in asked, 5, "the request to be under way")
    began = time.monotonic()
    server.stop(timeout=5)
    assert time.monotonic() - began < 2
    assert b"200 OK" in rest(busy)
    assert rest(silent) == rest(idle) == b""
