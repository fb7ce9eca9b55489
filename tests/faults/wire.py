"""A TCP proxy between the dialer and a server: the link that a fault breaks.

What a real network does is kept: while a link is silent nothing is acknowledged to be read, nobody is told, and what
was sent is delivered when it works again, unless its sender has reset the connection meanwhile.
"""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

import gevent
from gevent.event import Event
from gevent.lock import BoundedSemaphore

_LOCALHOST = "127.0.0.1"
_CHUNK = 65536
_TCP_CLOSE = 7
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close() sends RST and drops what was not sent


class Wire:
    """Passes everything between `port` and a server's port, until told otherwise."""

    def __init__(self, target: int) -> None:
        self.target = target
        self._listener = socket.create_server((_LOCALHOST, 0))
        self.port: int = self._listener.getsockname()[1]
        self._flowing = Event()
        self._flowing.set()
        self._links: set[_Link] = set()
        self._trap: _Trap | None = None
        self._acceptor: gevent.Greenlet[[], None] = gevent.spawn(self._accept)

    def cut(self) -> None:
        """Reset every connection; new ones are welcome."""
        for link in list(self._links):
            link.reset()

    def silence(self) -> None:
        """From now on nothing passes, and nobody is told."""
        self._flowing.clear()

    def heal(self) -> None:
        """Pass everything again, first what was held back."""
        self._flowing.set()

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Within the block nothing passes."""
        self.silence()
        try:
            yield
        finally:
            self.heal()

    @contextmanager
    def trapping(self, routine: str, *, commit: bool) -> Iterator[Event]:
        """Within the block the next call of `routine` reaches the server, and its answer never comes back; commit: the
        answer to the COMMIT that follows it. The event is set when it has been passed on."""
        self._trap = _Trap(routine.encode(), commit)
        try:
            yield self._trap.sprung
        finally:
            self._trap = None

    def close(self) -> None:
        """End it and all its connections."""
        self._acceptor.kill()
        self._listener.close()
        self.cut()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            gevent.spawn(self._connect, client)

    def _connect(self, client: socket.socket) -> None:
        self._flowing.wait()
        try:
            server = socket.create_connection((_LOCALHOST, self.target), 5)
            server.settimeout(None)
        except OSError:
            client.close()
            return
        link = _Link(client, server)
        self._links.add(link)
        pumps = [gevent.spawn(self._pump, link, client, server), gevent.spawn(self._pump, link, server, client)]
        gevent.joinall(pumps)
        self._links.discard(link)
        client.close()
        server.close()

    def _pump(self, link: _Link, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(_CHUNK):
                self._flowing.wait()
                if _is_reset(source):
                    break
                if source is link.client:
                    link.read(data, self._trap)
                else:
                    link.answers.wait()
                target.sendall(data)
            self._flowing.wait()
            if _is_reset(source):
                link.reset()
            else:
                target.shutdown(socket.SHUT_WR)
        except OSError:
            self._flowing.wait()  # the other side learns nothing either while nothing passes
            link.reset()


class _Trap:
    def __init__(self, routine: bytes, commit: bool) -> None:
        self.routine = routine
        self.commit = commit
        self.sprung = Event()


class _Link:
    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client = client
        self.server = server
        self.answers = Event()
        self.answers.set()
        self._lock = BoundedSemaphore()
        self._prepared: dict[bytes, bytes] = {}
        self._called = False

    def read(self, data: bytes, trap: _Trap | None) -> None:
        """Look what the client asks for, and spring the trap before the server can answer."""
        # psycopg prepares what it runs often: the text comes once, then only the statement's name.
        for name, text in re.findall(rb"P....(_pg3_\d+)\x00([^\x00]*)\x00", data, re.DOTALL):
            self._prepared[name] = text
        if trap is None or trap.sprung.is_set():
            return
        names = [name for name, text in self._prepared.items() if trap.routine in text]
        called = trap.routine in data or any(name + b"\x00" in data for name in names)
        if (called and not trap.commit) or (self._called and b"COMMIT" in data):
            self.answers.clear()
            trap.sprung.set()
        self._called = called

    def reset(self) -> None:
        """RST to both sides. Shut down first: a greenlet may be waiting in recv."""
        self.answers.set()
        for sock in (self.client, self.server):
            try:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                sock.shutdown(socket.SHUT_RD)
            except OSError:
                pass  # it is gone already
        for sock in (self.client, self.server):
            sock.close()


def _is_reset(sock: socket.socket) -> bool:
    """Has the other side given the connection up (RST), so that nothing that is under way arrives?"""
    try:
        return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == _TCP_CLOSE
    except OSError:
        return True
