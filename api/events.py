"""Streams of events (text/event-stream, what a browser's EventSource reads).

A handler is a generator of Event, which may wait for as long as it likes: it runs in a greenlet of its own, and a
reader that has heard nothing for a while gets a heartbeat. So the handler need not care about clients that have gone:
the server notices at a heartbeat, and the generator is closed, wherever it waits.

An error before the first event becomes a refusal with its status, in JSON. Later the status has been sent already, so
the refusal becomes an event of that name, and the stream ends. The reader comes back after RETRY_SECONDS and then gets
the status.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import bottle
import gevent
from gevent.queue import Empty, Queue

from api.answers import Json, as_json, response
from api.refusals import Refused, later, refused_by
from worker.errors import DialerError
from worker.supervisor import errand

MOST = 250
BEAT_SECONDS = 5.0
RETRY_SECONDS = 2.0
"""How soon a reader whose stream has ended asks for another one."""


@dataclass(frozen=True)
class Event:
    """One event. data: anything that JSON can express. name: what the reader listens for. id: what it sends as
    Last-Event-ID when it comes back; neither may contain a line break. An event for many readers is encoded once.
    """

    data: Any
    name: str | None = None
    id: str | None = None

    @cached_property
    def encoded(self) -> bytes:
        """The event as bytes of the stream."""
        lines = [f"{field}: {value}" for field, value in (("event", self.name), ("id", self.id)) if value is not None]
        if any("\n" in line or "\r" in line for line in lines):
            raise ValueError("the name or id of an event holds a line break")
        return "\n".join([*lines, f"data: {as_json(self.data)}", "", ""]).encode()


class Events:
    """The kind of answer. At most `most` streams are open, so that there is room for all other requests."""

    def __init__(self, most: int = MOST, beat_seconds: float = BEAT_SECONDS) -> None:
        self.open = 0
        self._most = most
        self._beat_seconds = beat_seconds

    def answer(self, value: Generator[Event, None, None], /) -> bottle.HTTPResponse:
        if self.open >= self._most:
            raise later(f"{self.open} streams of events are open, and more are not served.", "Close one of them.")
        self.open += 1
        stream = _Stream(value, self._beat_seconds, self._closed)
        try:
            stream.begin()
        except BaseException:
            stream.close()
            raise
        made = response(stream, "text/event-stream; charset=utf-8")
        made.set_header("X-Accel-Buffering", "no")  # otherwise nginx holds events back until it has some kilobytes
        return made

    def refusal(self, refused: Refused, /) -> bottle.HTTPResponse:
        return Json().refusal(refused)

    def _closed(self) -> None:
        self.open -= 1


class _Stream:
    """The body of one response: the server iterates over it, and always closes it."""

    def __init__(self, events: Generator[Event, None, None], beat_seconds: float, closed: Callable[[], None]) -> None:
        self._beat_seconds = beat_seconds
        self._closed: Callable[[], None] | None = closed
        self._first: bytes | None = f"retry: {RETRY_SECONDS * 1000:.0f}\n\n".encode()
        self._ended = False
        # One event ahead: a slow reader holds up its own generator, and nothing piles up.
        self._read: Queue[bytes | Exception | None] = Queue(maxsize=1)
        self._reader = errand(self._read_all, events)

    def _read_all(self, events: Generator[Event, None, None]) -> None:
        try:
            with closing(events):
                for event in events:
                    self._read.put(event.encoded)
        except gevent.Timeout as late:  # is no Exception
            self._read.put(DialerError(f"The events took too long ({late})."))
        except Exception as error:
            self._read.put(error)
        else:
            self._read.put(None)

    def begin(self) -> None:
        """Wait for the first event, no longer than for a heartbeat; raises the error that comes instead of it."""
        try:
            read = self._read.get(timeout=self._beat_seconds)
        except Empty:
            return
        if isinstance(read, Exception):
            raise read
        self._ended = read is None
        self._first = (self._first or b"") + (read or b"")

    def __iter__(self) -> _Stream:
        return self

    def __next__(self) -> bytes:
        if self._first is not None:
            first, self._first = self._first, None
            return first
        if self._ended:
            raise StopIteration
        try:
            read = self._read.get(timeout=self._beat_seconds)
        except Empty:
            return b": beat\n\n"
        if isinstance(read, bytes):
            return read
        self._ended = True
        if read is None:
            raise StopIteration
        refused = refused_by(read, "events")
        return Event({"error": refused.error, "remedy": refused.remedy}, "refused").encoded

    def close(self) -> None:
        """Called when nobody reads any more. Closing twice is harmless."""
        closed, self._closed = self._closed, None
        if closed is not None:
            self._reader.kill(block=False)
            closed()
