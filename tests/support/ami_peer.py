"""A scripted Asterisk manager on the loopback: it plays what a test tells it, byte for byte.

A test hands in a script, a function that gets each connection in turn. `Connection` helps with the usual
parts (greeting, login, reading actions), and nothing stops a script from being rude.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import gevent
import gevent.socket
import gevent.ssl
from gevent.event import Event
from gevent.server import StreamServer

BANNER = b"Asterisk Call Manager/5.0.4\r\n"
CHALLENGE = "166977887"
USERNAME = "dialer"
SECRET = "correct horse"

Script = Callable[["Connection"], None]


class Connection:
    """One accepted connection and what the client said on it."""

    def __init__(self, sock: gevent.socket.socket, number: int) -> None:
        self.sock = sock
        self.number = number  # 1 for the first connection
        self.actions: list[dict[str, str]] = []
        self.raw = b""
        self._buffer = b""

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def read(self, name: str | None = None) -> dict[str, str]:
        """The next action; with `name` the next of this name. EOFError when the client has gone."""
        while True:
            while b"\r\n\r\n" not in self._buffer:
                data = self.sock.recv(65536)
                if not data:
                    raise EOFError
                self.raw += data
                self._buffer += data
            block, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
            action = dict(line.split(": ", 1) for line in block.decode().split("\r\n"))
            self.actions.append(action)
            if name is None or action["Action"] == name:
                return action

    def reply(self, action: dict[str, str], response: str = "Success", **fields: str) -> None:
        lines = [f"Response: {response}", f"ActionID: {action['ActionID']}"]
        lines += [f"{key}: {value}" for key, value in fields.items()]
        self.send("\r\n".join([*lines, "", ""]).encode())

    def event(self, name: str, **fields: str) -> None:
        self.send("\r\n".join([f"Event: {name}", *[f"{k}: {v}" for k, v in fields.items()], "", ""]).encode())

    def login(self, uptime: int | None = 100, banner: bytes = BANNER) -> None:
        """Greet, check the MD5 login, and say FullyBooted unless `uptime` is None."""
        self.send(banner)
        action = self.read("Challenge")
        assert action["AuthType"] == "MD5"
        self.reply(action, Challenge=CHALLENGE)
        action = self.read("Login")
        assert action["Key"] == hashlib.md5((CHALLENGE + SECRET).encode()).hexdigest()
        assert action["Username"] == USERNAME
        self.reply(action, Message="Authentication accepted")
        if uptime is not None:
            self.booted(uptime)

    def booted(self, uptime: int) -> None:
        self.event("FullyBooted", Privilege="system,all", Uptime=str(uptime), Status="Fully Booted")

    def refuse_login(self, message: str) -> None:
        self.send(BANNER)
        self.reply(self.read("Challenge"), Challenge=CHALLENGE)
        self.reply(self.read("Login"), "Error", Message=message)

    def serve(self, **replies: dict[str, str]) -> None:
        """Answer every action with Success, with extra fields by action name, until the client goes."""
        while True:
            action = self.read()
            if action["Action"] == "Logoff":
                self.reply(action, "Goodbye", Message="Thanks for all the fish.")
                return
            self.reply(action, **replies.get(action["Action"], {}))

    def close(self) -> None:
        self.sock.close()


class Peer:
    """The listening side; use as a context manager. `connections` grows as the client comes back."""

    def __init__(self, script: Script, tls: gevent.ssl.SSLContext | None = None) -> None:
        self.connections: list[Connection] = []
        self.arrived = Event()
        self._script = script
        arguments: dict[str, Any] = {} if tls is None else {"ssl_context": tls}
        self._server = StreamServer(("127.0.0.1", 0), self._accept, **arguments)
        self._server.start()
        self.port = int(self._server.server_port or 0)

    def _accept(self, sock: gevent.socket.socket, _: object) -> None:
        connection = Connection(sock, len(self.connections) + 1)
        self.connections.append(connection)
        self.arrived.set()
        try:
            self._script(connection)
        except (EOFError, OSError):
            pass
        finally:
            sock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop(timeout=0)


def serving(**replies: dict[str, str]) -> Script:
    """A peer that logs in and answers every action, with extra fields by action name."""

    def script(connection: Connection) -> None:
        connection.login()
        connection.serve(**replies)

    return script


def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Let other greenlets run until the condition holds; AssertionError after `seconds`."""
    with gevent.Timeout(seconds, AssertionError("the awaited condition did not come true")):
        while not condition():
            gevent.sleep(0.002)
