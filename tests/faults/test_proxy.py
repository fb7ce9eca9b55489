"""The proxy does to a connection what networks do, no more and no less."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import closing

import pytest
from gevent import socket
from gevent.event import Event
from gevent.server import StreamServer

from tests.faults.proxy import Proxy
from tests.support.waiting import wait_for


class Echo:
    """A server that remembers what came, and answers with it."""

    def __init__(self) -> None:
        self.came = b""
        self.links = 0
        self.left = Event()
        self._server = StreamServer(("127.0.0.1", 0), self._serve)
        self._server.start()
        self.port = int(self._server.server_port or 0)

    def _serve(self, sock: socket.socket, _: object) -> None:
        self.links += 1
        try:
            while data := sock.recv(4096):
                self.came += data
                sock.sendall(data)
        except OSError:
            pass
        finally:
            self.left.set()

    def close(self) -> None:
        self._server.stop(timeout=0)


@pytest.fixture
def server() -> Iterator[Echo]:
    with closing(Echo()) as echo:
        yield echo


@pytest.fixture
def proxy(server: Echo) -> Iterator[Proxy]:
    made = Proxy(server.port)
    yield made
    made.stop()


def connect(proxy: Proxy) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", proxy.port), timeout=10)
    sock.sendall(b"hello ")
    assert sock.recv(100) == b"hello "
    return sock


def silent(sock: socket.socket, seconds: float = 0.2) -> bool:
    """Does nothing come for so long?"""
    sock.settimeout(seconds)
    try:
        sock.recv(100)
    except TimeoutError:
        return True
    finally:
        sock.settimeout(10)
    return False


def test_what_is_sent_into_a_stall_arrives_late(proxy: Proxy, server: Echo) -> None:
    with closing(connect(proxy)) as sock:
        proxy.stall()
        sock.sendall(b"late")
        assert silent(sock)
        assert server.came == b"hello "
        proxy.open()
        assert sock.recv(100) == b"late"


def test_answers_alone_can_be_held_back(proxy: Proxy, server: Echo) -> None:
    with closing(connect(proxy)) as sock:
        proxy.stall(asks=False)
        sock.sendall(b"heard")
        wait_for(lambda: server.came == b"hello heard", 10, "the server to hear it")
        assert silent(sock)
        proxy.open()
        assert sock.recv(100) == b"heard"


@pytest.mark.parametrize(("reset", "came"), [(True, b"hello "), (False, b"hello old")])
def test_what_a_peer_took_back_does_not_arrive(proxy: Proxy, server: Echo, reset: bool, came: bytes) -> None:
    sock = connect(proxy)
    proxy.stall()
    sock.sendall(b"old")
    if reset:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()  # on this machine the other side has it when this returns
    proxy.open()
    with closing(connect(proxy)):  # what was to come before it has come
        assert server.came == came + b"hello "


def test_a_cut_is_a_reset_and_new_connections_are_taken(proxy: Proxy, server: Echo) -> None:
    with closing(connect(proxy)) as sock:
        proxy.cut()
        with pytest.raises(ConnectionResetError):
            sock.recv(100)
    with closing(connect(proxy)):
        assert server.links == 2


def test_half_closed_the_other_half_works(proxy: Proxy, server: Echo) -> None:
    with closing(connect(proxy)) as sock:
        proxy.half_close()
        assert sock.recv(100) == b""
        sock.sendall(b"still")
        wait_for(lambda: server.came == b"hello still", 10, "the server to hear it")


def test_nobody_behind_it_is_a_reset(proxy: Proxy, server: Echo) -> None:
    server.close()
    sock = socket.create_connection(("127.0.0.1", proxy.port), timeout=10)
    with closing(sock), pytest.raises(ConnectionResetError):
        sock.recv(100)


def test_nobody_hears_of_a_reset_during_a_stall(proxy: Proxy, server: Echo) -> None:
    sock = connect(proxy)
    proxy.stall()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
    assert not server.left.wait(0.2)
    proxy.open()
    assert server.left.wait(10)


@pytest.mark.parametrize(
    "said",
    [
        [b"SELECT dialer_reap(1)"],
        [b"P\0\0\0\x30_pg3_7\0SELECT dialer_reap($1)\0\0", b"B\0\0\0\x20\0_pg3_7\0"],
    ],
    ids=["text", "prepared"],
)
def test_answer_to_a_trapped_call_never_comes(proxy: Proxy, server: Echo, said: list[bytes]) -> None:
    with closing(connect(proxy)) as sock:
        *before, call = said
        for data in before:
            sock.sendall(data)
            assert sock.recv(100) == data
        with proxy.trapping("dialer_reap", commit=False) as sprung:
            sock.sendall(call)
            assert sprung.wait(10)
        wait_for(lambda: server.came.endswith(call), 10, "the server to hear the call")
        assert silent(sock)


def test_answer_to_the_commit_after_a_trapped_call_never_comes(proxy: Proxy) -> None:
    with closing(connect(proxy)) as sock, proxy.trapping("dialer_reap", commit=True) as sprung:
        for data in (b"COMMIT", b"SELECT dialer_reap(1)"):
            sock.sendall(data)
            assert sock.recv(100) == data
        assert not sprung.is_set()
        sock.sendall(b"COMMIT")
        assert sprung.wait(10)
        assert silent(sock)
