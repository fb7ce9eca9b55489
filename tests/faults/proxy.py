"""A TCP proxy between a dialer and its Asterisk or its database, and what networks do to a connection.

It does as a network would: while it is stalled nothing passes in that direction, connections stay open, nobody hears
of an end, and what was sent meanwhile arrives late. What a peer has sent and then taken back (a reset, as of a process
that wants nothing sent after its end) does not arrive.
"""

from __future__ import annotations

import re
import select
import socket as plain_socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Self

import gevent
from gevent import monkey, socket
from gevent.event import Event
from gevent.server import StreamServer

_poll = monkey.get_original("select", "poll")
_READ_BYTES = 65_536
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close says RST and forgets what is not sent


class _Trap:
    """The call of an SQL routine whose answer never comes back; commit: the COMMIT that follows the call."""

    def __init__(self, routine: str, commit: bool) -> None:
        self.routine = routine.encode()
        self.commit = commit
        self.sprung = Event()


class _Pair:
    """A client's connection and the one to the server behind it."""

    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self.client = client
        self.server = server
        self._proxy = proxy
        self._answered = Event()
        self._answered.set()
        self._prepared: dict[bytes, bytes] = {}
        self._called = False
        self.pumps = [
            gevent.spawn(self._pump, client, server, proxy.asks),
            gevent.spawn(self._pump, server, client, proxy.answers),
        ]

    def _pump(self, source: socket.socket, target: socket.socket, gate: Event) -> None:
        try:
            while True:
                data = source.recv(_READ_BYTES)
                gate.wait()
                if _was_reset(source):
                    break
                if not data:
                    target.shutdown(plain_socket.SHUT_WR)
                    return
                if source is self.client:
                    self._spring(data, self._proxy.trap)
                else:
                    self._answered.wait()
                target.sendall(data)
        except OSError:
            gate.wait()
        self.cut()

    def _spring(self, data: bytes, trap: _Trap | None) -> None:
        """Look what the client asks for, and spring the trap before the server can answer."""
        # psycopg prepares what it runs often: the text comes once, then only the statement's name.
        self._prepared.update(re.findall(rb"P....(_pg3_\d+)\x00([^\x00]*)\x00", data, re.DOTALL))
        if trap is None or trap.sprung.is_set():
            return
        names = [name for name, text in self._prepared.items() if trap.routine in text]
        called = trap.routine in data or any(name + b"\x00" in data for name in names)
        if (called and not trap.commit) or (self._called and b"COMMIT" in data):
            self._answered.clear()
            trap.sprung.set()
        self._called = called

    def cut(self) -> None:
        """Reset both."""
        self._answered.set()
        for sock in (self.client, self.server):
            with suppress(OSError):
                sock.setsockopt(plain_socket.SOL_SOCKET, plain_socket.SO_LINGER, _RESET)
            sock.close()

    def half_close(self) -> None:
        """The client hears that the server will say no more."""
        with suppress(OSError):
            self.client.shutdown(plain_socket.SHUT_WR)

    @property
    def over(self) -> bool:
        """Have both directions ended?"""
        return all(pump.ready() for pump in self.pumps)


class Proxy:
    """Listens on `port` of 127.0.0.1 (0: any) for the server on `target`. `asks` and `answers` are its gates: what
    the client sends, and what the server does, passes while they are set."""

    def __init__(self, target: int, port: int = 0) -> None:
        self._target = ("127.0.0.1", target)
        self.asks = Event()
        self.answers = Event()
        self.open()
        self.trap: _Trap | None = None
        self._pairs: set[_Pair] = set()
        self._server = StreamServer(("127.0.0.1", port), self._accept)
        self._server.start()
        self.port = int(self._server.server_port or 0)

    def open(self) -> None:
        """Everything passes."""
        self.asks.set()
        self.answers.set()

    def stall(self, *, asks: bool = True, answers: bool = True) -> None:
        """From now on nothing passes in these directions, until `open`."""
        if asks:
            self.asks.clear()
        if answers:
            self.answers.clear()

    @contextmanager
    def stalled(self) -> Iterator[None]:
        """Within the block nothing passes."""
        self.stall()
        try:
            yield
        finally:
            self.open()

    @contextmanager
    def trapping(self, routine: str, *, commit: bool) -> Iterator[Event]:
        """Within the block the next call of an SQL routine reaches the server, and its answer never comes back;
        commit: the answer to the COMMIT that follows it. The event is set when it is about to be passed on."""
        self.trap = _Trap(routine, commit)
        try:
            yield self.trap.sprung
        finally:
            self.trap = None

    def cut(self) -> None:
        """Reset every connection; new ones are taken."""
        for pair in self._pairs:
            pair.cut()
        self._pairs.clear()

    def half_close(self) -> None:
        """End every connection in the direction to the client."""
        for pair in self._pairs:
            pair.half_close()

    def stop(self) -> None:
        """Close everything."""
        self._server.stop()
        self.open()
        self.cut()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _accept(self, client: socket.socket, _address: object) -> None:
        self._pairs = {pair for pair in self._pairs if not pair.over}
        if not self.asks.is_set():
            self.asks.wait()
        try:
            server = socket.create_connection(self._target, timeout=5)
        except OSError:
            client.setsockopt(plain_socket.SOL_SOCKET, plain_socket.SO_LINGER, _RESET)
            client.close()
            return
        server.settimeout(None)
        for sock in (client, server):
            sock.setsockopt(plain_socket.IPPROTO_TCP, plain_socket.TCP_NODELAY, 1)
        pair = _Pair(self, client, server)
        self._pairs.add(pair)
        gevent.joinall(pair.pumps)
        pair.cut()


def _was_reset(sock: socket.socket) -> bool:
    """Has the peer taken back what it sent?"""
    poll = _poll()
    try:
        poll.register(sock.fileno(), 0)
    except (OSError, ValueError):
        return True
    return any(happened & select.POLLERR for _, happened in poll.poll(0))
