"""One connection to Asterisk's manager, from connect to close: login, actions out, replies and events in. gevent only.

Three greenlets: the reader never blocks (Asterisk drops a reader that lets the socket fill), the writer may, for a
limited time, and a third one pings. A connection is up once it is logged in and Asterisk is fully booted. Once lost, it
never comes back, and actions under way fail. Nothing is ever sent twice: if the reply to an Originate did not come, its
outcome is unknown, and only a look at Asterisk's channels can tell; sending it again would call a person twice.

The timers here are about this machine and its network, so they use real time, also under a simulated clock.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Protocol, cast

import gevent
import gevent.socket
import gevent.ssl
from gevent.event import AsyncResult, Event
from gevent.queue import Queue

from worker.ami.actions import Fields, action_name, encode
from worker.ami.counters import Counters
from worker.ami.errors import AmiLinkLost, AmiListError, AmiLoginRefused, AmiRefused, AmiTimeout
from worker.ami.message import Framer, FramingError, Message
from worker.ami.pending import Pending, PendingActions
from worker.errors import DialerError
from worker.supervisor import errand

if TYPE_CHECKING:
    import ssl

PING_MISSES = 2
_UNSENT_MS = 5000  # the kernel gives up on bytes not acknowledged for this long, even while we are frozen
_USER_TIMEOUT: int | None = getattr(gevent.socket, "TCP_USER_TIMEOUT", None)  # Linux
_FORGET_UNSENT = struct.pack("ii", 1, 0)  # linger on, for 0 s
_READ_BYTES = 65536
_WRITE_BYTES = 65536
# Asterisk sends "Authentication failed" one second late (manager.c); a short Timeout must not hide it.
_REFUSAL_SECONDS = 2.0
_LOGOFF_SECONDS = 1.0
_BANNER = "Asterisk Call Manager/"
_SHUTTING_DOWN = "Asterisk is shutting down"
_AUTHENTICATION_FAILED = "Authentication failed"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ConnectionOptions:
    """Where to connect, as which user, and how; DialerError for values that can never work.

    `timeout`: seconds for connect plus login. `wanted`: names of the events for the inbox. `instance`: prefix of all
    ActionIDs; they are unguessable, because every session that reads `call` sees them and a SIP caller can forge
    events. `ping_seconds`: between two pings; a connection is lost after two unanswered ones. `send_seconds`:
    the limit for one write.
    """

    host: str
    port: int
    username: str
    secret: str = field(repr=False)
    timeout: float
    wanted: frozenset[str]
    tls: ssl.SSLContext | None
    instance: str
    ping_seconds: float
    send_seconds: float

    def __post_init__(self) -> None:
        if self.tls is not None and not isinstance(self.tls, gevent.ssl.SSLContext):
            raise DialerError("the TLS context blocks the process: make it after gevent's monkey patching")
        # A bad setting must show at the start, not with the first action.
        login = [("Action", "Login"), ("ActionID", self.instance), ("Username", self.username), ("Secret", self.secret)]
        encode(login)

    @property
    def address(self) -> str:
        """Host and port, for people."""
        return f"{self.host}:{self.port}"


class Inbox(Protocol):
    """Where the wanted events go; a queue without a bound of its own."""

    def put_nowait(self, item: Message, /) -> None:
        """Add an event; never blocks."""
        ...

    def qsize(self) -> int:
        """How many items wait in it."""
        ...


@dataclass(frozen=True, slots=True)
class _Outgoing:
    """An action that waits for the writer."""

    data: bytes
    action_id: str
    not_after: float  # time.monotonic() after which it must not be sent
    on_stale: Callable[[], None] | None


class AmiConnection:
    """One socket and the manager's session on it: `open`, `wait_up`, `wait_down`, `close`, in this order.

    `ask`, `ask_list` and `send` are of use while it is `live`. Callbacks of `send` run in the reader and must not
    block, and neither must `on_up`, which gets Asterisk's uptime in seconds (None: it did not say) before the first
    event is put into the inbox. If more than `inbox_size` events would wait there, the connection is lost, and
    `overflowed` is set.
    """

    def __init__(
        self,
        options: ConnectionOptions,
        inbox: Inbox,
        inbox_size: int,
        counters: Counters,
        on_up: Callable[[float | None], None],
    ) -> None:
        self.up = False
        """It came up, whether or not it is lost by now."""
        self.reason = ""
        """Why it was lost."""
        self.overflowed = False
        self.heard_at = -inf
        """time.monotonic() when Asterisk was last heard on it, once it is up."""
        self._options = options
        self._address = options.address
        self._inbox = inbox
        self._inbox_size = inbox_size
        self._counters = counters
        self._on_up = on_up
        self._sock: gevent.socket.socket | None = None
        self._framer = Framer(wanted=options.wanted | {"FullyBooted"})
        self._outgoing: Queue[_Outgoing] = Queue()
        self._pending = PendingActions(self._framer, counters)
        self._greeted = Event()
        self._authenticated = False
        self._ready = Event()  # up, or lost before
        self._lost = Event()
        self._leaving = False
        self._pings = 0  # sent and not answered
        self._greenlets: list[gevent.Greenlet[..., None]] = []

    @property
    def live(self) -> bool:
        """Is it logged in, Asterisk fully booted, and the connection not lost as far as known?"""
        return self.up and not self._lost.is_set()

    def open(self) -> None:
        """Connect and log in, within the options' `timeout`.

        AmiLoginRefused, AmiLinkLost, AmiTimeout, or DialerError when it is no Asterisk that answers; `close` it then.
        """
        give_up = time.monotonic() + self._options.timeout
        sock = self._sock = self._connect()
        self._spawn(self._read, sock)
        self._spawn(self._write, sock)
        self._log_in(give_up)
        self._spawn(self._keep_alive)

    def wait_up(self, seconds: float) -> bool:
        """Wait until it is up or lost, at most that long; False: Asterisk has not said that it is fully booted."""
        return self._ready.wait(seconds)

    def wait_down(self) -> str:
        """Wait until it is lost; returns the reason."""
        self._lost.wait()
        return self.reason

    def log_off(self) -> None:
        """Log off, if it is live; from now on that is the reason why it is lost. It does not insist on an answer."""
        self._leaving = True
        try:
            if self.live:
                self.ask([("Action", "Logoff")], deadline=_LOGOFF_SECONDS)
        except DialerError:
            log.debug("Logoff was not answered", extra={"action": "ami_logoff"})

    def close(self) -> None:
        """End it; nobody is left waiting on it. Harmless when called twice, or after `open` failed.

        Switches to no other greenlet: whoever calls this may be killed at any switch, and it must not be cut short.
        """
        self._lose("the connection was closed")
        gevent.killall(self._greenlets, block=False)
        if self._sock is not None:
            self._sock.close()

    def join(self) -> None:
        """Wait until its greenlets have ended, after `close`."""
        gevent.joinall(self._greenlets)

    # Actions

    def ask(self, fields: Fields, *, deadline: float) -> Message:
        """Send an action and wait for its reply, at most `deadline` seconds.

        AmiRefused, AmiTimeout, AmiLinkLost; after the latter two the action may have been carried out.
        """
        return self._exchange(fields, deadline)

    def ask_list(self, fields: Fields, *, deadline: float) -> list[Message]:
        """Send an action that answers with a list; its items in order, without reply and closing event.

        Errors as `ask`, and AmiListError if the number of items is not what Asterisk announced. An item that
        a caller has tampered with (see `Message.tampered`) is missing and counted; it must not cost us the
        whole list.
        """
        items: list[Message] = []
        tampered = self._framer.tampered
        closing = self._exchange(fields, deadline, items)
        tampered = self._framer.tampered - tampered
        announced = closing.get("ListItems")
        if announced and not (announced.isdecimal() and len(items) <= int(announced) <= len(items) + tampered):
            raise AmiListError(
                f"{action_name(fields)} announced {announced[:20]} items and {len(items)} came; ask again"
            )
        if tampered:
            log.warning(
                "Messages with forged headers were dropped while a list was read",
                extra={"action": "ami_tampered", "list": action_name(fields), "count": tampered},
            )
        return items

    def send(
        self,
        fields: Fields,
        on_reply: Callable[[Message | None], None],
        *,
        deadline: float,
        fresh_seconds: float,
        on_stale: Callable[[], None] | None,
    ) -> None:
        """Queue an action and return at once; AmiLinkLost if the connection is lost, then nothing was sent.

        `on_reply` gets the reply, also a refusal, or None for "outcome unknown": the connection broke before the
        reply, or none came within about `deadline` seconds. It is called exactly once and never from inside
        `send`. But what could not be written within `fresh_seconds` (this process was frozen, or Asterisk does
        not read) is not sent at all, and `on_stale` is called in place of it.
        """

        def settle(result: Message | DialerError) -> None:
            on_reply(result if isinstance(result, Message) else None)

        now = time.monotonic()
        self._put(fields, Pending(action_name(fields), now + deadline, settle), now + fresh_seconds, on_stale)

    def _exchange(self, fields: Fields, deadline: float, items: list[Message] | None = None) -> Message:
        """Send, wait, and return the reply; for a list the closing event."""
        result: AsyncResult[Message] = AsyncResult()

        def settle(outcome: Message | DialerError) -> None:
            if isinstance(outcome, Message):
                result.set(outcome)
            else:
                result.set_exception(outcome)

        name = action_name(fields)
        action_id = self._put(fields, Pending(name, inf, settle, items))
        try:
            # Not get(timeout): its gevent.Timeout could be mistaken for one that the caller has set around us.
            result.wait(deadline)
            if not result.ready():
                self._counters.timeouts += 1
                raise AmiTimeout(f"Asterisk at {self._address} did not answer {name} within {deadline:g} s")
            reply = cast("Message", result.get())
        finally:
            self._pending.remove(action_id)
        if reply.get("Response") == "Error" and reply.is_reply:
            raise AmiRefused(name, reply)
        return reply

    def _put(
        self,
        fields: Fields,
        pending: Pending,
        not_after: float = inf,
        on_stale: Callable[[], None] | None = None,
    ) -> str:
        """Hand an action to the writer; returns its ActionID, a new one if the fields have none."""
        if self._lost.is_set():
            why = f"the link to Asterisk at {self._address} is lost: {self.reason}"
            raise AmiLinkLost(f"{action_name(fields)} was not sent, {why}")
        action_id = next((value for key, value in fields if key == "ActionID"), "")
        if not action_id:
            action_id = f"{self._options.instance}-{secrets.token_hex(16)}"
            # Second line: a parse error further down still echoes it.
            fields = [*fields[:1], ("ActionID", action_id), *fields[1:]]
        else:
            self._pending.check_unused(action_id)
        data = encode(fields)
        self._pending.add(action_id, pending)
        self._outgoing.put_nowait(_Outgoing(data, action_id, not_after, on_stale))
        return action_id

    # Connecting, logging in, being lost

    def _connect(self) -> gevent.socket.socket:
        options = self._options
        try:
            sock = gevent.socket.create_connection((options.host, options.port), options.timeout)
            try:
                sock.setsockopt(gevent.socket.IPPROTO_TCP, gevent.socket.TCP_NODELAY, 1)
                # What has not reached Asterisk when this connection or process ends must not reach it later: the system
                # would go on sending an Originate for minutes. So closing resets the connection, and the system soon
                # gives up on a silent one.
                sock.setsockopt(gevent.socket.SOL_SOCKET, gevent.socket.SO_LINGER, _FORGET_UNSENT)
                if _USER_TIMEOUT is not None:
                    sock.setsockopt(gevent.socket.IPPROTO_TCP, _USER_TIMEOUT, _UNSENT_MS)
                if options.tls is not None:
                    sock = options.tls.wrap_socket(sock, server_hostname=options.host)
                sock.settimeout(None)
            except BaseException:
                sock.close()
                raise
        except OSError as error:
            raise AmiLinkLost(
                f"cannot connect to Asterisk at {self._address} ({error.strerror or error}); "
                "is it running, and does manager.conf have enabled = yes and this bindaddr and port?"
            ) from error
        return sock

    def _log_in(self, give_up: float) -> None:
        """Run out of time at `give_up`, by time.monotonic()."""
        if not self._greeted.wait(max(0.0, give_up - time.monotonic())):
            raise AmiTimeout(f"{self._address} accepted the connection but did not greet as Asterisk does")
        if self._lost.is_set():
            raise AmiLinkLost(self.reason)
        banner = self._framer.banner or ""
        if not banner.startswith(_BANNER):
            raise DialerError(
                f"{self._address} greets with {banner[:40]!r}, which is not Asterisk's manager; correct host and port"
            )
        options = self._options
        try:
            remaining = max(_REFUSAL_SECONDS, give_up - time.monotonic())
            challenge = self._exchange([("Action", "Challenge"), ("AuthType", "MD5")], remaining)
            # MD5 is what manager.c offers; its point is that the secret itself never crosses the wire.
            proof = (challenge.get("Challenge") + options.secret).encode("utf-8", "surrogateescape")
            key = hashlib.md5(proof, usedforsecurity=False).hexdigest()
            login = [("Action", "Login"), ("AuthType", "MD5"), ("Username", options.username), ("Key", key)]
            remaining = max(_REFUSAL_SECONDS, give_up - time.monotonic())
            self._exchange(login, remaining)
        except AmiRefused as refusal:
            raise self._explained(refusal) from refusal

    def _explained(self, refusal: AmiRefused) -> DialerError:
        """What to do about a login that was refused."""
        if refusal.text == _SHUTTING_DOWN:
            # This comes with bad and with good credentials, so it says nothing about them.
            return AmiLinkLost(f"Asterisk at {self._address} is shutting down")
        sentence = f"Asterisk at {self._address} refused the login of user {self._options.username} ({refusal.text}); "
        if refusal.text == _AUTHENTICATION_FAILED:
            sentence += (
                "correct Username and Password in the settings, or secret, permit and deny of this user in manager.conf"
            )
        else:
            sentence += "see the user's section in manager.conf"
        return AmiLoginRefused(sentence)

    def _spawn(self, work: Callable[..., None], *arguments: object) -> None:
        def run() -> None:
            try:
                work(*arguments)
            except Exception:
                # Without its reader or writer a connection would look alive, but hear or say nothing.
                log.exception("The AMI link failed", extra={"action": "ami_error"})
                self._lose("an internal error; see the log")

        self._greenlets.append(errand(run))

    def _lose(self, reason: str) -> None:
        """Declare it lost and fail the actions under way; from any greenlet. The first reason is kept."""
        if self._lost.is_set():
            return
        self.reason = "the dialer logged off" if self._leaving else reason
        self._lost.set()
        self._greeted.set()
        self._ready.set()
        lost = AmiLinkLost(f"the link to Asterisk at {self._address} was lost before the answer came: {self.reason}")
        self._pending.fail(lost)

    # The reader

    def _read(self, sock: gevent.socket.socket) -> None:
        framer = self._framer
        counters = self._counters
        skipped = tampered = 0
        while not self._lost.is_set():
            try:
                data = sock.recv(_READ_BYTES)
                messages = framer.feed(data)
            except FramingError as error:
                self._lose(str(error))
                return
            except OSError as error:
                self._lose(f"the connection to {self._address} broke ({error.strerror or error})")
                return
            counters.skipped += framer.skipped - skipped
            counters.tampered += framer.tampered - tampered
            skipped, tampered = framer.skipped, framer.tampered
            if not data:
                early = "; Asterisk is not up yet or has too many sessions" if framer.banner is None else ""
                self._lose(f"Asterisk at {self._address} closed the connection{early}")
                return
            if framer.banner is not None:
                self._greeted.set()
            if self.up:
                self.heard_at = time.monotonic()
            if messages:
                self._dispatch(messages)
            # While the socket has data, recv never waits; but the consumer must get its turn, too.
            gevent.sleep(0)

    def _dispatch(self, messages: list[Message]) -> None:
        wanted = self._options.wanted
        put = self._inbox.put_nowait
        room = self._inbox_size - self._inbox.qsize()
        counters = self._counters
        pending = self._pending
        for message in messages:
            name = message.name
            if not name:
                if pending.take_reply(message) == "Login":
                    # Here and not in the greenlet that waits: FullyBooted may be the next message of this very chunk.
                    self._authenticated = True
            elif not self.up:
                if name == "FullyBooted" and self._authenticated:
                    self._come_up(message)
            elif pending.lists and pending.take_item(message):
                pass
            elif name in wanted:
                if room <= 0:
                    counters.overflows += 1
                    self.overflowed = True
                    self._lose(
                        f"{self._inbox_size} events wait to be handled; the link is dropped and "
                        "resynchronised when the dialer has caught up"
                    )
                    return
                put(message)
                room -= 1
                counters.events += 1
            else:
                counters.strays += 1

    def _come_up(self, booted: Message) -> None:
        text = booted.get("Uptime")
        self.up = True
        self.heard_at = time.monotonic()
        self._on_up(float(text) if text.isdecimal() and len(text) < 12 else None)
        self._ready.set()

    # The writer, and the pings

    def _write(self, sock: gevent.socket.socket) -> None:
        outgoing = self._outgoing
        seconds = self._options.send_seconds
        while True:
            data = self._fresh(outgoing.get())
            while len(data) < _WRITE_BYTES and not outgoing.empty():
                data += self._fresh(outgoing.get_nowait())
            if not data:
                continue
            try:
                with gevent.Timeout(seconds):
                    sock.sendall(data)
            except gevent.Timeout:
                self._lose(f"Asterisk at {self._address} read nothing for {seconds:g} s")
                return
            except OSError as error:
                self._lose(f"the connection to {self._address} broke ({error.strerror or error})")
                return

    def _fresh(self, action: _Outgoing) -> bytes:
        """The action's bytes; none if it has waited too long."""
        if time.monotonic() <= action.not_after:
            return action.data
        self._counters.stale += 1
        if self._pending.remove(action.action_id) is not None and action.on_stale is not None:
            try:
                action.on_stale()
            except Exception:
                log.exception("A callback failed", extra={"action": "ami_callback"})
        return b""

    def _keep_alive(self) -> None:
        """Ping, and give up on actions that were never answered; a dead network shows no EOF and no error."""
        seconds = self._options.ping_seconds

        def answered(_: Message | DialerError) -> None:
            self._pings = 0

        while not self._lost.wait(seconds):
            if self._pings >= PING_MISSES:
                within = PING_MISSES * seconds
                self._lose(f"Asterisk at {self._address} did not answer {PING_MISSES} pings in {within:g} s")
                return
            self._pings += 1
            self._put([("Action", "Ping")], Pending("Ping", inf, answered))
            self._pending.give_up(time.monotonic())
