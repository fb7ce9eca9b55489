"""The link to one Asterisk: a socket, a login, actions out, replies and events in. gevent only.

Three greenlets a link: the reader never blocks (a reader that lets the socket fill is dropped by Asterisk),
the writer may, for a limited time, and the keeper of the link pings. One more greenlet connects, logs in and,
when the link is lost, connects again. What a consumer sees is `inbox`: events in the order of the wire,
framed by `LinkUp` and `LinkDown`. The promise: nothing is ever sent twice. An Originate whose reply did not
come has an unknown outcome, and only a look at Asterisk's channels can tell; a client that resends it calls a
person twice.

The timers here are about this machine and its network, so they use real time, also under a simulated clock.
"""

from __future__ import annotations

import hashlib
import logging
import random
import secrets
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, cast

import gevent
import gevent.socket
import gevent.ssl
from gevent.event import AsyncResult, Event
from gevent.queue import Queue

from worker.ami.actions import UnsafeAction, encode
from worker.ami.message import Framer, FramingError, Message
from worker.errors import DialerError
from worker.supervisor import Supervisor, errand

if TYPE_CHECKING:
    import ssl

LIST_ITEMS_MAX = 100_000
SEND_SECONDS = 5.0  # the writer's limit for one write: a peer that does not read is as good as gone
REPLY_SECONDS = 30.0  # when `send` gives up on a reply; the replies of one session come in order
BOOT_REPORT_SECONDS = 10.0  # after that long without FullyBooted it is worth a line in the log
RECONNECT_SECONDS = (0.2, 15.0)
REFUSED_SECONDS = 30.0  # Asterisk holds a failed login for 1 s and fail2ban counts them
PING_MISSES = 2
_UNSENT_MS = 5000  # what Asterisk's side has not acknowledged for so long is given up, also while we are frozen
_USER_TIMEOUT: int | None = getattr(gevent.socket, "TCP_USER_TIMEOUT", None)  # Linux
_FORGET_UNSENT = struct.pack("ii", 1, 0)  # linger on, for 0 s
_READ_BYTES = 65536
_WRITE_BYTES = 65536
# Asterisk sends "Authentication failed" one second late (manager.c); a short Timeout must not hide it.
_REFUSAL_SECONDS = 2.0
_RESTART_SLACK_SECONDS = 1.5  # Uptime is in whole seconds, rounded down
_BANNER = "Asterisk Call Manager/"
_SHUTTING_DOWN = "Asterisk is shutting down"
_AUTHENTICATION_FAILED = "Authentication failed"

log = logging.getLogger(__name__)

Fields = Sequence[tuple[str, str]]


def _name(fields: Fields) -> str:
    return fields[0][1] if fields else "(no action)"


class _LoginFailedError(DialerError):
    """The credentials or the user's rights are wrong; trying again soon makes it no better."""


class AmiRefused(DialerError):  # noqa: N818 - reads as what it is where it is caught
    """Asterisk answered an action with `Response: Error`."""

    def __init__(self, action: str, reply: Message) -> None:
        self.reply = reply
        self.text = reply.get("Message") or "no reason given"
        super().__init__(f"Asterisk refused the action {action}: {self.text}")


class AmiTimeout(DialerError):  # noqa: N818
    """Asterisk did not answer an action in time; whether it was carried out is unknown."""


class AmiLinkLost(DialerError):  # noqa: N818
    """There is no link to Asterisk, or it broke before the answer; then the outcome is unknown."""


class AmiListError(DialerError):
    """A list from Asterisk was cut short or is beyond belief; ask again."""


@dataclass(frozen=True, slots=True)
class LinkUp:
    """Logged in and Asterisk is fully booted. Events of the time before are lost: resync first.

    `restarted`: Asterisk itself started anew since the previous link, its calls are gone. `uptime`: its
    seconds since start, None if it did not say. `generation`: 1 for the first link of this client.
    """

    restarted: bool
    uptime: float | None
    generation: int


@dataclass(frozen=True, slots=True)
class LinkDown:
    """The link is gone; Asterisk keeps its calls. All actions under way have been failed already."""

    reason: str


@dataclass(slots=True)
class Counters:
    """What happened since the client was made; for status pages and tests."""

    reconnects: int = 0  # links after the first one
    overflows: int = 0  # links dropped because the inbox was full
    tampered: int = 0  # messages dropped because Asterisk cannot have written them
    skipped: int = 0  # events that nobody wants
    events: int = 0  # events put into the inbox
    timeouts: int = 0  # actions without an answer in time
    strays: int = 0  # replies and list items that belong to no action under way
    stale: int = 0  # actions that were not sent because they had waited for too long


@dataclass(slots=True)
class _Pending:
    """An action under way. `settle` gets the reply or the error, once."""

    action: str
    due: float  # time.monotonic() at which the sweep gives up; `ask` watches its own time
    settle: Callable[[Message | DialerError], None]
    items: list[Message] | None = None  # a list's items so far
    started: bool = False  # a list's reply is in, its items follow


@dataclass(frozen=True, slots=True)
class _Outgoing:
    """An action that waits for the writer."""

    data: bytes
    action_id: str
    not_after: float  # time.monotonic() after which it must not be sent
    on_stale: Callable[[], None] | None


@dataclass(slots=True)
class _Link:
    """One connection from connect to close."""

    sock: gevent.socket.socket
    framer: Framer
    outgoing: Queue[_Outgoing] = field(default_factory=Queue)
    pending: dict[str, _Pending] = field(default_factory=dict)
    lists: int = 0
    greeted: Event = field(default_factory=Event)
    ready: Event = field(default_factory=Event)
    dead: Event = field(default_factory=Event)
    reason: str = ""
    authenticated: bool = False
    up: bool = False
    pings: int = 0  # sent and not answered
    greenlets: list[gevent.Greenlet[..., None]] = field(default_factory=list)


class AmiClient:
    """One AMI user on one Asterisk, connected as long as the client is started.

    `timeout`: seconds for connect plus login. `wanted`: names of the events for the inbox. `instance`: prefix
    of all ActionIDs; they are unguessable, because every session that reads `call` sees them and a SIP caller
    can forge events. `jitter` returns numbers in [0, 1). Callbacks of `send` run in the reader and must not
    block.
    """

    def __init__(
        self,
        host: str,
        port: int,
        username: str,
        secret: str,
        *,
        timeout: float,
        wanted: frozenset[str],
        tls: ssl.SSLContext | None = None,
        inbox_size: int = 20_000,
        instance: str = "dialer",
        ping_seconds: float = 5.0,
        jitter: Callable[[], float] = random.random,
        refused_seconds: float = REFUSED_SECONDS,
        reconnect_seconds: tuple[float, float] = RECONNECT_SECONDS,
        send_seconds: float = SEND_SECONDS,
    ) -> None:
        if tls is not None and not isinstance(tls, gevent.ssl.SSLContext):
            raise DialerError("the TLS context blocks the process: make it after gevent's monkey patching")
        self.inbox: Queue[Message | LinkUp | LinkDown] = Queue()
        self.counters = Counters()
        self.login_error: str | None = None
        self.down_reason: str | None = None
        self._host = host
        self._port = port
        self._username = username
        self._secret = secret
        self._timeout = timeout
        self._wanted = wanted
        self._tls = tls
        self._inbox_size = inbox_size
        self._instance = instance
        self._ping_seconds = ping_seconds
        self._jitter = jitter
        self._refused_seconds = refused_seconds
        self._reconnect_seconds = reconnect_seconds
        self._send_seconds = send_seconds
        self._link: _Link | None = None
        self._runner: gevent.Greenlet[..., None] | None = None
        self._reported: str | None = None
        self._generation = 0
        self._heard_at = time.monotonic()
        self._booted_at: float | None = None  # time.monotonic() of Asterisk's start, as of the last link
        self._attempts = 0  # fruitless ones in a row
        self._full = False
        # A bad setting must show at start, not when the first action is due.
        encode([("Action", "Login"), ("ActionID", instance), ("Username", username), ("Secret", secret)])

    @property
    def connected(self) -> bool:
        """Logged in, Asterisk fully booted, link alive as far as known."""
        return self._live_link() is not None

    def silent_seconds(self) -> float:
        """How long Asterisk has not been heard on a link that was up; before the first one: since it was wanted."""
        return time.monotonic() - self._heard_at

    def start(self) -> None:
        """Connect in the background and stay connected. Starting what runs is harmless."""
        if self._runner is None:
            self._heard_at = time.monotonic()
            self._runner = Supervisor(Event()).keep("the link to Asterisk", self._stay_connected)

    def stop(self) -> None:
        """Log off, end all greenlets, fail what is under way. Harmless when stopped; `start` works again."""
        runner, self._runner = self._runner, None
        if runner is None:
            return
        link = self._link
        try:
            if self.connected:
                self.ask([("Action", "Logoff")], deadline=1.0)
        except DialerError:
            log.debug("Logoff was not answered", extra={"action": "ami_logoff"})
        finally:
            runner.kill()
            if link is not None:
                gevent.joinall(link.greenlets)

    def ask(self, fields: Fields, *, deadline: float = 5.0) -> Message:
        """Send an action and wait for its reply, at most `deadline` seconds.

        AmiRefused, AmiTimeout, AmiLinkLost; after the latter two the action may have been carried out.
        """
        return self._exchange(self._need_link(fields), fields, deadline)

    def ask_list(self, fields: Fields, *, deadline: float = 10.0) -> list[Message]:
        """Send an action that answers with a list; its items in order, without reply and closing event.

        Errors as `ask`, and AmiListError if the number of items is not what Asterisk announced. An item that
        a caller has tampered with (see `Message.tampered`) is missing and counted; it must not cost us the
        whole list.
        """
        link = self._need_link(fields)
        items: list[Message] = []
        tampered = link.framer.tampered
        closing = self._exchange(link, fields, deadline, items)
        tampered = link.framer.tampered - tampered
        announced = closing.get("ListItems")
        if announced and not (announced.isdecimal() and len(items) <= int(announced) <= len(items) + tampered):
            raise AmiListError(f"{_name(fields)} announced {announced[:20]} items and {len(items)} came; ask again")
        if tampered:
            log.warning(
                "Messages with forged headers were dropped while a list was read",
                extra={"action": "ami_tampered", "list": _name(fields), "count": tampered},
            )
        return items

    def send(
        self,
        fields: Fields,
        on_reply: Callable[[Message | None], None],
        *,
        deadline: float = REPLY_SECONDS,
        fresh_seconds: float = inf,
        on_stale: Callable[[], None] | None = None,
    ) -> None:
        """Queue an action and return at once; AmiLinkLost if there is no link, then nothing was sent.

        `on_reply` gets the reply, also a refusal, or None for "outcome unknown": the link broke before the
        reply, or none came within about `deadline` seconds. It is called exactly once and never from inside
        `send`. But what could not be written within `fresh_seconds` (this process was frozen, or Asterisk does
        not read) is not sent at all, and `on_stale` is called in place of it.
        """
        link = self._need_link(fields)

        def settle(result: Message | DialerError) -> None:
            on_reply(result if isinstance(result, Message) else None)

        now = time.monotonic()
        self._put(link, fields, _Pending(_name(fields), now + deadline, settle), now + fresh_seconds, on_stale)

    def _need_link(self, fields: Fields) -> _Link:
        link = self._live_link()
        if link is None:
            why = self.login_error or self.down_reason or "not connected yet"
            raise AmiLinkLost(f"{_name(fields)} was not sent, there is no link to Asterisk at {self._address}: {why}")
        return link

    def _live_link(self) -> _Link | None:
        link = self._link
        return link if link is not None and link.up and not link.dead.is_set() else None

    @property
    def _address(self) -> str:
        return f"{self._host}:{self._port}"

    def _exchange(self, link: _Link, fields: Fields, deadline: float, items: list[Message] | None = None) -> Message:
        """Send, wait, and return the reply; for a list the closing event."""
        result: AsyncResult[Message] = AsyncResult()

        def settle(outcome: Message | DialerError) -> None:
            if isinstance(outcome, Message):
                result.set(outcome)
            else:
                result.set_exception(outcome)

        pending = _Pending(_name(fields), float("inf"), settle, items)
        action_id = self._put(link, fields, pending)
        try:
            # Not get(timeout): its gevent.Timeout could be taken for one that the caller has set around us.
            result.wait(deadline)
            if not result.ready():
                self.counters.timeouts += 1
                raise AmiTimeout(f"Asterisk at {self._address} did not answer {_name(fields)} within {deadline:g} s")
            reply = cast("Message", result.get())
        finally:
            self._forget(link, action_id)
        if reply.get("Response") == "Error" and reply.is_reply:
            raise AmiRefused(_name(fields), reply)
        return reply

    def _put(
        self,
        link: _Link,
        fields: Fields,
        pending: _Pending,
        not_after: float = inf,
        on_stale: Callable[[], None] | None = None,
    ) -> str:
        """Hand an action to the writer; its ActionID, made if the fields have none."""
        action_id = next((value for key, value in fields if key == "ActionID"), "")
        if not action_id:
            action_id = f"{self._instance}-{secrets.token_hex(16)}"
            # Second line: a parse error further down still echoes it.
            fields = [*fields[:1], ("ActionID", action_id), *fields[1:]]
        elif action_id in link.pending:
            raise UnsafeAction(f"ActionID {action_id} is under way already; use a fresh one for each action")
        data = encode(fields)
        link.pending[action_id] = pending
        if pending.items is not None:
            link.lists += 1
            link.framer.expect = b"\r\nActionID: "
        link.outgoing.put_nowait(_Outgoing(data, action_id, not_after, on_stale))
        return action_id

    def _forget(self, link: _Link, action_id: str) -> _Pending | None:
        pending = link.pending.pop(action_id, None)
        if pending is not None and pending.items is not None:
            link.lists -= 1
            if not link.lists:
                link.framer.expect = None
        return pending

    # Connecting, again and again

    def _stay_connected(self) -> None:
        """One link, and the time until the next."""
        self._wait_for_room()
        least = 0.0
        try:
            reason = self._serve_one_link()
        except _LoginFailedError as error:
            reason, least = str(error), self._refused_seconds
        except DialerError as error:
            reason = str(error)
        except Exception:
            self.down_reason = "an internal error; see the log"
            raise
        self.down_reason = reason
        if reason != self._reported or self._attempts == 0:  # once, not every 15 s; anew after a good link
            level = logging.ERROR if least else logging.WARNING
            log.log(
                level,
                "No link to Asterisk: %s",
                reason,
                extra={"action": "ami_down", "address": self._address},
            )
            self._reported = reason
        low, high = self._reconnect_seconds
        self._attempts += 1
        ceiling = min(high, low * 2 ** min(self._attempts, 30))
        gevent.sleep(max(least, low + self._jitter() * (ceiling - low)))

    def _wait_for_room(self) -> None:
        """After an overflow a new link is of use only when the consumer has caught up."""
        while self._full and self.inbox.qsize() > self._inbox_size // 2:
            gevent.sleep(0.05)
        self._full = False

    def _serve_one_link(self) -> str:
        """Connect, log in, stay until the link is lost; the reason. DialerError if it never came up."""
        give_up = time.monotonic() + self._timeout
        link = _Link(self._connect(), Framer(wanted=self._wanted | {"FullyBooted"}))
        self._link = link
        self._spawn(self._read, link)
        self._spawn(self._write, link)
        try:
            self._login(link, give_up)
            self._spawn(self._keep_alive, link)
            if not link.ready.wait(BOOT_REPORT_SECONDS):
                self.login_error = (
                    f"logged in to Asterisk at {self._address} as {self._username}, but FullyBooted does "
                    "not come: it is still starting, or the user in manager.conf lacks read = system"
                )
                log.warning("%s", self.login_error, extra={"action": "ami_not_booted"})
            link.dead.wait()
            return link.reason
        finally:
            self._close(link)

    def _connect(self) -> gevent.socket.socket:
        try:
            sock = gevent.socket.create_connection((self._host, self._port), self._timeout)
            try:
                sock.setsockopt(gevent.socket.IPPROTO_TCP, gevent.socket.TCP_NODELAY, 1)
                # What has not reached Asterisk when this link, or this process, ends must not reach it later: the
                # system would go on sending an Originate for minutes. Closing resets, and silence is not waited out.
                sock.setsockopt(gevent.socket.SOL_SOCKET, gevent.socket.SO_LINGER, _FORGET_UNSENT)
                if _USER_TIMEOUT is not None:
                    sock.setsockopt(gevent.socket.IPPROTO_TCP, _USER_TIMEOUT, _UNSENT_MS)
                if self._tls is not None:
                    sock = self._tls.wrap_socket(sock, server_hostname=self._host)
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

    def _login(self, link: _Link, give_up: float) -> None:
        if not link.greeted.wait(max(0.0, give_up - time.monotonic())):
            raise AmiTimeout(f"{self._address} accepted the connection but did not greet as Asterisk does")
        if link.dead.is_set():
            raise AmiLinkLost(link.reason)
        banner = link.framer.banner or ""
        if not banner.startswith(_BANNER):
            raise DialerError(
                f"{self._address} greets with {banner[:40]!r}, which is not Asterisk's manager; correct host and port"
            )
        try:
            remaining = max(_REFUSAL_SECONDS, give_up - time.monotonic())
            challenge = self._exchange(link, [("Action", "Challenge"), ("AuthType", "MD5")], remaining)
            # MD5 is what manager.c offers; its point is that the secret itself never crosses the wire.
            proof = (challenge.get("Challenge") + self._secret).encode("utf-8", "surrogateescape")
            key = hashlib.md5(proof, usedforsecurity=False).hexdigest()
            login = [("Action", "Login"), ("AuthType", "MD5"), ("Username", self._username), ("Key", key)]
            remaining = max(_REFUSAL_SECONDS, give_up - time.monotonic())
            self._exchange(link, login, remaining)
        except AmiRefused as refusal:
            self._explain(refusal)

    def _explain(self, refusal: AmiRefused) -> None:
        """Turn a refused login into what to do about it."""
        if refusal.text == _SHUTTING_DOWN:
            # True for bad and for good credentials alike, so it says nothing about them.
            raise AmiLinkLost(f"Asterisk at {self._address} is shutting down") from refusal
        sentence = f"Asterisk at {self._address} refused the login of user {self._username} ({refusal.text}); "
        if refusal.text == _AUTHENTICATION_FAILED:
            sentence += (
                "correct Username and Password in the settings, or secret, permit and deny of this user in manager.conf"
            )
        else:
            sentence += "see the user's section in manager.conf"
        self.login_error = sentence
        raise _LoginFailedError(sentence) from refusal

    def _spawn(self, work: Callable[[_Link], None], link: _Link) -> None:
        def run() -> None:
            try:
                work(link)
            except Exception:
                # A link without its reader or writer would look alive and be deaf or dumb.
                log.exception("The AMI link failed", extra={"action": "ami_error"})
                self._drop(link, "an internal error; see the log")

        link.greenlets.append(errand(run))

    def _close(self, link: _Link) -> None:
        """End a link: nobody is left waiting on it, and the consumer learns last that it is gone.

        Switches to no other greenlet: `stop` may kill the runner at any switch; this must not be cut short.
        """
        self._drop(link, "the connection was closed")
        self._link = None
        gevent.killall(link.greenlets, block=False)
        link.sock.close()
        if link.up:
            self.down_reason = link.reason
            self.inbox.put_nowait(LinkDown(link.reason))

    def _drop(self, link: _Link, reason: str) -> None:
        """Declare a link dead and fail what is under way; from any greenlet. Closing is the runner's work."""
        if link.dead.is_set():
            return
        link.reason = "the dialer logged off" if self._runner is None else reason
        link.dead.set()
        link.greeted.set()
        link.ready.set()
        lost = AmiLinkLost(f"the link to Asterisk at {self._address} was lost before the answer came: {link.reason}")
        for action_id in list(link.pending):
            pending = self._forget(link, action_id)
            if pending is not None:
                self._settle(pending, lost)

    # The reader

    def _read(self, link: _Link) -> None:
        framer = link.framer
        counters = self.counters
        skipped = tampered = 0
        while not link.dead.is_set():
            try:
                data = link.sock.recv(_READ_BYTES)
                messages = framer.feed(data)
            except FramingError as error:
                self._drop(link, str(error))
                return
            except OSError as error:
                self._drop(link, f"the connection to {self._address} broke ({error.strerror or error})")
                return
            counters.skipped += framer.skipped - skipped
            counters.tampered += framer.tampered - tampered
            skipped, tampered = framer.skipped, framer.tampered
            if not data:
                early = "; Asterisk is not up yet or has too many sessions" if framer.banner is None else ""
                self._drop(link, f"Asterisk at {self._address} closed the connection{early}")
                return
            if framer.banner is not None:
                link.greeted.set()
            if link.up:
                self._heard_at = time.monotonic()
            if messages:
                self._dispatch(link, messages)
            # A socket with data never makes recv wait; the consumer must get its turn all the same.
            gevent.sleep(0)

    def _dispatch(self, link: _Link, messages: list[Message]) -> None:
        wanted = self._wanted
        put = self.inbox.put_nowait
        room = self._inbox_size - self.inbox.qsize()
        counters = self.counters
        for message in messages:
            name = message.name
            if not name:
                self._take_reply(link, message)
            elif not link.up:
                if name == "FullyBooted" and link.authenticated:
                    self._come_up(link, message)
            elif link.lists and self._take_item(link, message):
                pass
            elif name in wanted:
                if room <= 0:
                    counters.overflows += 1
                    self._full = True
                    self._drop(
                        link,
                        f"{self._inbox_size} events wait to be handled; the link is dropped and "
                        "resynchronised when the dialer has caught up",
                    )
                    return
                put(message)
                room -= 1
                counters.events += 1
            else:
                counters.strays += 1

    def _take_reply(self, link: _Link, reply: Message) -> None:
        action_id = reply.get("ActionID")
        pending = link.pending.get(action_id)
        if pending is None:
            self.counters.strays += 1
            return
        if pending.started:
            # A list is answered once; a caller can put a second "answer" into one of its items.
            link.framer.tampered += 1
            return
        refused = reply.get("Response") == "Error"
        if pending.action == "Login" and not refused:
            # Here and not in the greenlet that waits: FullyBooted may be the next message of this very chunk.
            link.authenticated = True
        if pending.items is None or refused:
            self._forget(link, action_id)
            self._settle(pending, reply)
        else:
            pending.started = True

    def _take_item(self, link: _Link, event: Message) -> bool:
        """Whether the event is part of a list that somebody waits for."""
        action_id = event.get("ActionID")
        pending = link.pending.get(action_id)
        if pending is None or pending.items is None:
            return False
        progress = event.get("EventList")
        if progress == "Complete":
            self._forget(link, action_id)
            self._settle(pending, event)
        elif progress == "Cancelled":
            self._forget(link, action_id)
            self._settle(pending, AmiListError(f"Asterisk broke off the list of {pending.action}; ask again"))
        elif len(pending.items) >= LIST_ITEMS_MAX:
            self._forget(link, action_id)
            self._settle(
                pending,
                AmiListError(f"the list of {pending.action} has more than {LIST_ITEMS_MAX} items; narrow the action"),
            )
        else:
            pending.items.append(event)
        return True

    def _settle(self, pending: _Pending, outcome: Message | DialerError) -> None:
        try:
            pending.settle(outcome)
        except Exception:
            # One consumer's mistake must not cost all others the link.
            log.exception("A reply's callback failed", extra={"action": "ami_callback", "ami_action": pending.action})

    def _come_up(self, link: _Link, booted: Message) -> None:
        text = booted.get("Uptime")
        uptime = float(text) if text.isdecimal() and len(text) < 12 else None
        restarted = False
        if uptime is not None:
            booted_at = time.monotonic() - uptime
            restarted = self._booted_at is not None and booted_at > self._booted_at + _RESTART_SLACK_SECONDS
            self._booted_at = booted_at
        self._generation += 1
        self.counters.reconnects = self._generation - 1
        self._attempts = 0
        self.login_error = self.down_reason = None
        link.up = True
        self._heard_at = time.monotonic()
        self.inbox.put_nowait(LinkUp(restarted, uptime, self._generation))
        link.ready.set()
        log.info(
            "Logged in to Asterisk",
            extra={"action": "ami_up", "address": self._address, "restarted": restarted, "uptime": uptime},
        )

    # The writer and the keeper of the link

    def _write(self, link: _Link) -> None:
        outgoing = link.outgoing
        while True:
            data = self._fresh(link, outgoing.get())
            while len(data) < _WRITE_BYTES and not outgoing.empty():
                data += self._fresh(link, outgoing.get_nowait())
            if not data:
                continue
            try:
                with gevent.Timeout(self._send_seconds):
                    link.sock.sendall(data)
            except gevent.Timeout:
                self._drop(link, f"Asterisk at {self._address} read nothing for {self._send_seconds:g} s")
                return
            except OSError as error:
                self._drop(link, f"the connection to {self._address} broke ({error.strerror or error})")
                return

    def _fresh(self, link: _Link, action: _Outgoing) -> bytes:
        """Its bytes; none when it has waited for too long."""
        if time.monotonic() <= action.not_after:
            return action.data
        self.counters.stale += 1
        if self._forget(link, action.action_id) is not None and action.on_stale is not None:
            try:
                action.on_stale()
            except Exception:
                log.exception("A callback failed", extra={"action": "ami_callback"})
        return b""

    def _keep_alive(self, link: _Link) -> None:
        """Ping, and give up on what was never answered; a dead network shows no EOF and no error."""

        def answered(_: Message | DialerError) -> None:
            link.pings = 0

        while not link.dead.wait(self._ping_seconds):
            if link.pings >= PING_MISSES:
                seconds = PING_MISSES * self._ping_seconds
                self._drop(link, f"Asterisk at {self._address} did not answer {PING_MISSES} pings in {seconds:g} s")
                return
            link.pings += 1
            self._put(link, [("Action", "Ping")], _Pending("Ping", float("inf"), answered))
            self._give_up_on_overdue(link)

    def _give_up_on_overdue(self, link: _Link) -> None:
        now = time.monotonic()
        for action_id in [key for key, pending in link.pending.items() if pending.due < now]:
            pending = self._forget(link, action_id)
            if pending is not None:
                self.counters.timeouts += 1
                self._settle(pending, AmiTimeout(f"Asterisk did not answer {pending.action} in time"))
