"""The simulated Asterisk: the switch behind an AMI port, and the faults a test may ask for.

Calls live on the given clock; a link's own limit (a peer that does not read) is the machine's time.
"""

from __future__ import annotations

import array
import contextlib
import fcntl
import logging
import os
import socket as plain_socket
import termios
from pathlib import Path
from typing import Literal

import gevent
from gevent import socket
from gevent.event import Event

from simulator.call_log import CallLog, LoggedCall
from simulator.engine import Engine
from simulator.scenario import Scenario, Trunk, User
from simulator.switch.actions import BANNER, Actions, Parser
from simulator.switch.channels import Statistics
from simulator.switch.events import message
from simulator.switch.switch import Switch
from worker.clock import Clock
from worker.supervisor import errand

log = logging.getLogger(__name__)

#: Seconds of the machine's time that a peer may leave its socket full before it is dropped (writetimeout).
WRITE_TIMEOUT = 5.0


class _Session:
    """One AMI connection: a reading and a writing greenlet around a list of bytes to send."""

    def __init__(self, owner: SimulatedAsterisk, link: socket.socket) -> None:
        self.owner = owner
        self.link = link
        self.user: User | None = None
        self.challenge = ""
        self.events: frozenset[str] | None = None
        self.classes: frozenset[str] = frozenset()  # of events that it gets
        self.pending: list[bytes] = [BANNER]
        self.unsent = 0  # bytes handed to the writer and not yet taken by the kernel
        self.working = False
        self.closing = False
        self.deaf = False  # a refused login: nothing more is listened to
        self._wake = Event()
        self._wake.set()
        self._peer_inode: int | None = None
        self._peer_fd = -1
        self._reader = errand(self._read)
        self._writer = errand(self._write)

    # --- what actions call --------------------------------------------------------------------------------

    def log_in(self, user: User) -> None:
        self.user = user
        self.set_classes()

    def set_classes(self) -> None:
        """The events that it may read and has not switched off."""
        if self.user is None:
            return
        known = frozenset({"system", "call", "agent", "user"})
        allowed = known if "all" in self.user.read else self.user.read & known
        self.classes = allowed if self.events is None else allowed & self.events

    def refuse(self, reply: str) -> None:
        self.deaf = True
        errand(self._refuse_later, reply)

    def _refuse_later(self, reply: str) -> None:
        self.owner.clock.sleep(1.0)
        self.send(reply.encode("utf-8", "surrogateescape"))
        self.close()

    def close(self) -> None:
        """Close after everything pending has been written."""
        self.closing = True
        self._wake.set()

    # --- the link -----------------------------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        self.pending.append(data)
        self._wake.set()

    def _read(self) -> None:
        parser = Parser()
        try:
            while True:
                data = self.link.recv(65_536)
                self.working = True
                if self.owner.hole.is_set():
                    self.owner.hole_over.wait()
                if not data:
                    break
                for action in parser.feed(data):
                    if self.closing or self.deaf:
                        break
                    reply = self.owner.actions.perform(action, self)
                    self.set_classes()
                    if reply:
                        self.send(reply.encode("utf-8", "surrogateescape"))
                self.working = False
        except OSError:
            pass
        finally:
            self.working = False
            self.drop()

    def _write(self) -> None:
        try:
            while True:
                self._wake.wait()
                self._wake.clear()
                if self.owner.hole.is_set():
                    self.owner.hole_over.wait()
                if self.pending:
                    data = b"".join(self.pending)
                    self.pending.clear()
                    self.unsent = len(data)
                    with gevent.Timeout(WRITE_TIMEOUT, OSError("writetimeout")):
                        self.link.sendall(data)
                    self.unsent = 0
                    self.owner.bytes_sent += len(data)
                if self.closing and not self.pending:
                    break
        except OSError:
            pass
        finally:
            self.unsent = 0
            self.drop()

    def drop(self) -> None:
        """Cut the link now."""
        self.owner.sessions.discard(self)
        self.pending.clear()
        with contextlib.suppress(OSError):
            self.link.shutdown(plain_socket.SHUT_RDWR)
        self.link.close()
        current = gevent.getcurrent()
        for greenlet in (self._reader, self._writer):
            if greenlet is not current:
                greenlet.kill(block=False)

    def busy(self) -> bool:
        """Are there bytes on their way in either direction, or actions not carried out?"""
        if self.pending or self.unsent or self.working:
            return True
        try:
            return bool(_unread(self.link.fileno()) or self._peer_unread())
        except OSError:
            return False  # closed meanwhile

    def _peer_unread(self) -> int:
        """Bytes that we sent and the peer has not read, if the peer is in this process (else 0)."""
        if self._peer_inode is None:
            self._peer_inode = 0
            address = self.link.getpeername()
            for fd in _sockets_bound_to(address):
                self._peer_fd, self._peer_inode = fd, os.fstat(fd).st_ino
        if not self._peer_inode:
            return 0
        # The descriptor's number may belong to something else by now: the inode tells.
        if os.fstat(self._peer_fd).st_ino != self._peer_inode:
            return 0
        return _unread(self._peer_fd)


def _unread(fd: int) -> int:
    """Bytes in a socket's receive buffer (FIONREAD)."""
    count = array.array("i", [0])
    fcntl.ioctl(fd, termios.FIONREAD, count)
    return count[0]


def _sockets_bound_to(address: tuple[str, int]) -> list[int]:
    """Descriptors of this process whose local address is `address`."""
    found = []
    for name in os.listdir("/dev/fd"):  # noqa: PTH208 - names only, and pathlib would stat each
        try:
            twin = plain_socket.socket(fileno=os.dup(int(name)))
        except OSError:
            continue  # the listing's own descriptor, or no socket
        try:
            if twin.family == plain_socket.AF_INET and twin.getsockname() == address:
                found.append(int(name))
        except OSError:
            pass
        finally:
            twin.close()
    return found


class SimulatedAsterisk:
    """An Asterisk 16.28 as an AMI user with the shipped filter sees it.

    A call's fate depends only on (seed, number, how often the number was called); see `people`.
    On a VirtualClock, hand `busy` to `clock.add_probe`: time then stands still while bytes are on their way.
    """

    def __init__(self, scenario: Scenario, clock: Clock, seed: int = 1, call_log: Path | None = None) -> None:
        """`call_log`: a file to which each step of each call is added."""
        self.scenario = scenario
        self.clock = clock
        self.engine = Engine(clock)
        note = None if call_log is None else CallLog(call_log)
        self.switch = Switch(scenario, self.engine, seed, self._broadcast, note)
        self.shutting_down = False
        self.actions = Actions(self.switch, scenario.users, self)
        self.sessions: set[_Session] = set()
        self.bytes_sent = 0
        self.hole = Event()
        self.hole_over = Event()
        self._listener: socket.socket | None = None
        self._acceptor: gevent.Greenlet[..., None] | None = None
        self._address = ("127.0.0.1", 0)
        self._last_stamp = 0  # microseconds since 1970

    # --- life ---------------------------------------------------------------------------------------------

    def serve(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Listen, and return the port (0 asks for a free one). Returns at once; greenlets do the rest."""
        self._address = (host, port)
        self._listen()
        self.engine.start()
        return self.port

    def stop(self) -> None:
        """Close everything. Harmless when stopped already."""
        self._close_listener()
        self.drop_links()
        self.engine.stop()

    def _listen(self) -> None:
        listener = socket.socket(plain_socket.AF_INET, plain_socket.SOCK_STREAM)
        listener.setsockopt(plain_socket.SOL_SOCKET, plain_socket.SO_REUSEADDR, 1)
        listener.bind(self._address)
        listener.listen(128)
        self._address = (self._address[0], listener.getsockname()[1])
        self._listener = listener
        self._acceptor = errand(self._accept, listener)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                link, _ = listener.accept()
            except OSError:
                return
            if self.hole.is_set():
                self.hole_over.wait()
            link.setsockopt(plain_socket.IPPROTO_TCP, plain_socket.TCP_NODELAY, 1)
            self.sessions.add(_Session(self, link))

    def _close_listener(self) -> None:
        if self._acceptor is not None:
            self._acceptor.kill()
            self._acceptor = None
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    # --- what the world sees ------------------------------------------------------------------------------

    def _broadcast(self, kind: str, name: str, body: str) -> None:
        """One event to every session that reads its class. Stamps rise by at least a microsecond."""
        stamp = self._last_stamp = max(int(self.clock.time() * 1e6), self._last_stamp + 1)
        data = None
        for session in self.sessions:
            if kind in session.classes and not session.closing:
                if data is None:
                    seconds, micros = divmod(stamp, 1_000_000)
                    text = f"Event: {name}\r\nPrivilege: {kind},all\r\nTimestamp: {seconds}.{micros:06d}\r\n{body}\r\n"
                    data = text.encode("utf-8", "surrogateescape")
                session.send(data)

    def event(self, kind: str, name: str, *fields: tuple[str, object]) -> None:
        """Send an event of a test's own making (a Reload, a stray UserEvent) to all sessions."""
        self._broadcast(kind, name, message(fields).removesuffix("\r\n"))

    @property
    def port(self) -> int:
        """The AMI port, after `serve`; a restart keeps it."""
        return self._address[1]

    @property
    def calls_log(self) -> list[LoggedCall]:
        """The carrier's own log: every call that got a channel, in the order of dialling."""
        return self.switch.calls_log

    @property
    def keep_log(self) -> bool:
        """Whether `calls_log` grows with every call; if not, it stays as it is."""
        return self.switch.keep_log

    @keep_log.setter
    def keep_log(self, keep: bool) -> None:
        self.switch.keep_log = keep

    @property
    def statistics(self) -> Statistics:
        """Counters since the start."""
        return self.switch.channels.statistics

    @property
    def channels(self) -> int:
        """Channels up now, agents' legs included."""
        return self.switch.channels.statistics.channels

    def busy(self) -> bool:
        """Does anybody have work: is a step due, an action not carried out, or are there unread bytes?

        Reliable for a peer in this process (the only case where a virtual clock makes sense): we ask the kernel how
        much lies unread in both sockets of each link. A link in a black hole does not hold the time, otherwise the hole
        would never end.
        """
        if self.engine.busy():
            return True
        return not self.hole.is_set() and any(session.busy() for session in list(self.sessions))

    def set_trunk(self, trunk: Trunk) -> None:
        """Replace the trunk of that name, or add it, so that its carrier refuses, recovers or has more lines."""
        self.switch.trunks[trunk.name] = trunk

    def set_present(self, interface: str, present: bool) -> None:
        """An agent's telephone is registered, or no longer (status 5, after a call it is in)."""
        self.switch.app_queue.set_present(self.switch.app_queue.devices[interface], present)

    # --- faults -------------------------------------------------------------------------------------------

    def drop_links(self) -> None:
        """All AMI connections are lost; calls go on."""
        for session in list(self.sessions):
            session.drop()

    def black_hole(self, seconds: float) -> None:
        """For `seconds` nothing passes on any link, though links stay open; then everything passes at once."""
        self.hole_over.clear()
        self.hole.set()
        self.engine.after(seconds, self._hole_ends)

    def _hole_ends(self) -> None:
        self.hole.clear()
        self.hole_over.set()

    def restart(self, how: Literal["graceful", "now", "kill"] = "now") -> None:
        """`core restart gracefully`, `core restart now`, or SIGKILL and a new start, `down_seconds` later.

        graceful: every action is refused until the last call has ended. now: every channel ends with cause 0,
        then Shutdown. kill: the links break, nothing is said.
        """
        if how == "graceful":
            self.shutting_down = True
            if self.switch.channels.calls:
                self.switch.on_empty = self._after_last_call
            else:
                self._go_down()
        elif how == "now":
            self.shutting_down = True
            self.switch.shut_down()
            self.engine.after(0.05, self._go_down)
        elif how == "kill":
            self.switch.die()
            self._die()
        else:
            raise ValueError(f"restart({how!r}): use graceful, now or kill.")

    def abort_shutdown(self) -> None:
        """`core abort shutdown`: a graceful restart is called off."""
        self.shutting_down = False
        self.switch.on_empty = None

    def _after_last_call(self) -> None:
        self.switch.on_empty = None
        self.engine.after(0.0, self._go_down)

    def _go_down(self) -> None:
        self._broadcast("system", "Shutdown", "Shutdown: Cleanly\r\nRestart: True\r\n")
        self._die()

    def _die(self) -> None:
        self._close_listener()
        for session in list(self.sessions):
            if self.shutting_down:
                session.close()  # after the last words
            else:
                session.drop()
        self.switch.on_empty = None
        self.engine.clear()
        if self.hole.is_set():
            self._hole_ends()
        self.engine.after(self.scenario.down_seconds, self._come_up)

    def _come_up(self) -> None:
        self.drop_links()
        self.shutting_down = False
        self.switch.boot()
        self._listen()
