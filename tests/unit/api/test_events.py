"""Streams of events over real connections: what is told, who goes away, and for whom there is room."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import gevent
import pytest
from gevent.queue import Queue

from api.app import make_app
from api.events import Event, Events
from api.server import HttpServer
from tests.support.fake_routines import NO_DATABASE, Installation
from tests.support.waiting import wait_for
from worker.db.routines.projects import Projects
from worker.errors import DatabaseUnavailable

BEAT = 0.05
DOWN = DatabaseUnavailable("'calls' at db:5432", "connection refused")


class Floor:
    """The server with routes that stream: /told what the test puts into `told`, /much without end or pause."""

    def __init__(self) -> None:
        self.installation = Installation()
        self.told: Queue[Event | BaseException | None] = Queue()
        self.reading = 0
        """Generators that have been begun and not closed."""
        self.streams = Events(most=3, beat_seconds=BEAT)
        app = make_app(NO_DATABASE, streams=self.streams, stand_ins=self.installation.stand_ins())
        app.get("/told", callback=self.tell, answer="events")
        app.get("/much", callback=self.tell_much, answer="events")
        app.get("/told/<project_id>", callback=self.tell_project, answer="events")
        self.server = HttpServer(("127.0.0.1", 0), app, most=20, answer_seconds=0.6)

    def tell(self) -> Iterator[Event]:
        self.reading += 1
        try:
            while (event := self.told.get()) is not None:
                if isinstance(event, BaseException):
                    raise event
                yield event
        finally:
            self.reading -= 1

    def tell_much(self) -> Iterator[Event]:
        self.reading += 1
        try:
            while True:
                yield Event("x" * 65536)
        finally:
            self.reading -= 1

    def tell_project(self, project_id: str, projects: Projects) -> Iterator[Event]:
        yield Event(projects.get(project_id), "project")


@pytest.fixture
def floor() -> Iterator[Floor]:
    made = Floor()
    made.server.start()
    yield made
    made.server.stop(timeout=1)


class Reader:
    """A client of one stream."""

    def __init__(self, floor: Floor, path: str, headers: str = "") -> None:
        self.socket = socket.create_connection(("127.0.0.1", floor.server.server_port), timeout=5)
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}\r\n".encode())
        self.response = http.client.HTTPResponse(self.socket)
        self.response.begin()

    def line(self) -> str:
        """The next line that is neither empty nor a beat."""
        until = time.monotonic() + 5
        while line := self.response.readline().decode():
            assert time.monotonic() < until, "nothing but beats"
            if line.strip() and not line.startswith(":"):
                return line.rstrip("\n")
        return ""

    def beat(self) -> None:
        """Wait for the next beat."""
        while line := self.response.readline():
            if line == b": beat\n":
                return
        raise AssertionError("the stream has ended")

    def close(self) -> None:
        self.response.close()
        self.socket.close()


Read = Callable[..., Reader]


@pytest.fixture
def read(floor: Floor) -> Iterator[Read]:
    with ExitStack() as readers:

        def open_stream(path: str = "/told", headers: str = "") -> Reader:
            reader = Reader(floor, path, headers)
            readers.callback(reader.close)
            return reader

        yield open_stream


def test_events_are_told_as_they_come(floor: Floor, read: Read) -> None:
    floor.told.put(Event({"calls": 1}, "calls", "17"))
    reader = read()
    assert reader.response.status == 200
    assert reader.response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert reader.response.headers["Cache-Control"] == "no-store"
    assert [reader.line() for _ in range(4)] == ["retry: 2000", "event: calls", "id: 17", 'data: {"calls": 1}']
    reader.beat()
    floor.told.put(Event("two\nlines"))
    assert reader.line() == r'data: "two\nlines"'


def test_a_stream_may_begin_with_silence_and_outlives_what_an_answer_may_take(floor: Floor, read: Read) -> None:
    reader = read()
    assert reader.line() == "retry: 2000"
    began = time.monotonic()
    while time.monotonic() - began < 3 * floor.server.answer_seconds:
        reader.beat()
    floor.told.put(Event("late"))
    assert reader.line() == 'data: "late"'


def test_a_stream_that_ends_leaves_the_connection_for_the_next_request(floor: Floor, read: Read) -> None:
    reader = read("/told/sales")
    assert [reader.line(), reader.line()] == ["retry: 2000", "event: project"]
    assert json.loads(reader.line().removeprefix("data: "))["cases_waiting"] == 7
    assert reader.line() == ""
    reader.socket.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    assert b"200 OK" in reader.socket.recv(4096)
    assert floor.streams.open == 0


def test_a_reader_that_goes_away_closes_the_generator(floor: Floor, read: Read) -> None:
    reader = read()
    wait_for(lambda: floor.reading == 1, 5, "the stream to begin")
    reader.close()
    wait_for(lambda: floor.reading == 0, 5, "the generator to be closed")
    assert floor.streams.open == 0


def test_a_reader_that_does_not_read_is_hung_up_on(floor: Floor, read: Read) -> None:
    read("/much")
    began = time.monotonic()
    wait_for(lambda: floor.reading == 1, 5, "the stream to begin")
    wait_for(lambda: floor.reading == 0, 5, "the generator to be closed")
    assert time.monotonic() - began > floor.server.answer_seconds / 2
    assert floor.streams.open == 0


def test_streams_leave_room_for_those_who_ask(floor: Floor, read: Read) -> None:
    readers = [read() for _ in range(3)]
    refused = read()
    assert refused.response.status == 503
    assert int(refused.response.headers["Retry-After"]) > 0
    assert "3 streams" in json.loads(refused.response.read())["error"]
    assert read("/projects").response.status == 200
    readers[0].close()
    wait_for(lambda: floor.streams.open == 2, 5, "the place to be free")
    assert read().response.status == 200
    readers[1].beat()


def test_what_fails_before_the_first_event_is_refused_with_its_status(floor: Floor, read: Read) -> None:
    answer = read("/told/nobody").response
    assert (answer.status, answer.headers["Content-Type"]) == (404, "application/json; charset=utf-8")
    assert "'nobody'" in json.loads(answer.read())["error"]
    floor.installation.fails = DOWN
    assert read("/told/sales").response.status == 503
    floor.told.put(RuntimeError("secret detail"))
    answer = read().response
    assert answer.status == 500
    assert b"secret" not in answer.read()
    assert floor.streams.open == 0


def test_what_fails_later_is_told_as_an_event_and_ends_the_stream(floor: Floor, read: Read) -> None:
    floor.told.put(Event(1))
    reader = read()
    assert [reader.line(), reader.line()] == ["retry: 2000", "data: 1"]
    floor.told.put(DOWN)
    assert reader.line() == "event: refused"
    told = json.loads(reader.line().removeprefix("data: "))
    assert "connection refused" in told["error"]
    assert told["remedy"]
    assert reader.line() == ""
    assert (floor.streams.open, floor.reading) == (0, 0)


def test_a_stream_for_another_name_is_refused_before_anybody_reads(floor: Floor, read: Read) -> None:
    with pytest.raises(http.client.HTTPException, match="421"):
        ask(floor, "GET", "evil.example")
    assert floor.reading == 0


def test_a_head_request_opens_no_stream(floor: Floor) -> None:
    assert ask(floor, "HEAD", "127.0.0.1") == b""
    wait_for(lambda: floor.reading == 0, 5, "the generator to be closed")
    assert floor.streams.open == 0


def ask(floor: Floor, method: str, host: str) -> bytes:
    """The body of an answer that ends; raises HTTPException with its status if it is a refusal."""
    connection = http.client.HTTPConnection("127.0.0.1", floor.server.server_port, timeout=5)
    try:
        connection.request(method, "/told", headers={"Host": host})
        answer = connection.getresponse()
        if answer.status != 200:
            raise http.client.HTTPException(str(answer.status))
        return answer.read()
    finally:
        connection.close()


def test_stopping_waits_for_no_stream(floor: Floor, read: Read) -> None:
    reader = read()
    wait_for(lambda: floor.reading == 1, 5, "the stream to begin")
    began = time.monotonic()
    floor.server.stop(timeout=5)
    assert time.monotonic() - began < 2
    assert floor.streams.open == 0
    wait_for(lambda: floor.reading == 0, 5, "the generator to be closed")
    with pytest.raises(http.client.IncompleteRead):
        reader.response.read()


def test_many_readers_of_one_event_have_it_encoded_once() -> None:
    event = Event({"calls": 1})
    assert event.encoded is event.encoded


@pytest.mark.parametrize("field", ["name", "id"])
def test_a_line_break_cannot_get_into_the_fields_of_an_event(field: str) -> None:
    with pytest.raises(ValueError, match="line break"):
        _ = Event(1, **{field: "a\nevent: b"}).encoded


def test_a_time_out_in_a_handler_ends_its_stream(floor: Floor, read: Read) -> None:
    """gevent's is no Exception."""
    floor.told.put(Event("first"))
    reader = read()
    assert [reader.line() for _ in range(2)] == ["retry: 2000", 'data: "first"']
    floor.told.put(gevent.Timeout(1))
    assert reader.line() == "event: refused"
    wait_for(lambda: floor.streams.open == 0, 5, "its place to be free")
