"""Keeps up the link to one Asterisk: a connection, and another one when it is lost. gevent only.

The consumer reads `inbox`: events in the order of the wire, between `LinkUp` and `LinkDown`. `connection` has what one
connection does, with its promise that nothing is ever sent twice; actions under way when a connection is lost are never
carried over to the next.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

import gevent
from gevent.event import Event
from gevent.queue import Queue

from worker.ami.actions import Fields, action_name
from worker.ami.connection import AmiConnection, ConnectionOptions
from worker.ami.counters import Counters
from worker.ami.errors import AmiLinkLost, AmiLoginRefused
from worker.ami.message import Message
from worker.backoff import Backoff
from worker.errors import DialerError
from worker.supervisor import Supervisor

if TYPE_CHECKING:
    import ssl

SEND_SECONDS = 5.0  # the limit for one write: a peer that does not read is as good as gone
REPLY_SECONDS = 30.0  # how long `send` waits for a reply; the replies of one session come in order
BOOT_REPORT_SECONDS = 10.0  # this long without FullyBooted is worth a line in the log
RECONNECT_SECONDS = (0.2, 15.0)
REFUSED_SECONDS = 30.0  # Asterisk holds a failed login for 1 s and fail2ban counts them
_RESTART_SLACK_SECONDS = 1.5  # Uptime is in whole seconds, rounded down

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LinkUp:
    """Logged in, and Asterisk is fully booted. Events before that are lost: resync first.

    `restarted`: Asterisk itself has restarted since the previous link, so its calls are gone. `uptime`: seconds since
    its start, None if it did not say. `generation`: 1 for the first link of this client.
    """

    restarted: bool
    uptime: float | None
    generation: int


@dataclass(frozen=True, slots=True)
class LinkDown:
    """The link is gone; Asterisk keeps its calls. All actions under way have already got their error."""

    reason: str


class AmiClient:
    """One AMI user on one Asterisk, connected as long as the client is started.

    `timeout`, `wanted`, `instance`, `ping_seconds`, `send_seconds`: see ConnectionOptions. `reconnect_seconds`: the
    shortest and the longest wait until the next try; the ceiling doubles with each failed try, and `jitter`, which
    returns numbers in [0, 1), picks a wait below it. `refused_seconds`: the shortest wait after a refused login.
    Callbacks of `send` run in the connection's reader and must not block.
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
        self.inbox: Queue[Message | LinkUp | LinkDown] = Queue()
        self.counters = Counters()
        self.login_error: str | None = None
        self.down_reason: str | None = None
        self._options = ConnectionOptions(
            host=host,
            port=port,
            username=username,
            secret=secret,
            timeout=timeout,
            wanted=wanted,
            tls=tls,
            instance=instance,
            ping_seconds=ping_seconds,
            send_seconds=send_seconds,
        )
        self._inbox_size = inbox_size
        self._jitter = jitter
        self._refused_seconds = refused_seconds
        self._shortest_wait, longest = reconnect_seconds
        self._tries = Backoff(2 * self._shortest_wait, longest)
        self._connection: AmiConnection | None = None
        self._runner: gevent.Greenlet[..., None] | None = None
        self._reported: str | None = None
        self._generation = 0
        self._heard_at = time.monotonic()
        self._booted_at: float | None = None  # time.monotonic() of Asterisk's start, as of the last link
        self._full = False

    @property
    def connected(self) -> bool:
        """Is it logged in, Asterisk fully booted, and the link alive as far as known?"""
        return self._connection is not None and self._connection.live

    def silent_seconds(self) -> float:
        """Seconds since Asterisk was last heard on a link that was up; before the first one, since the start."""
        heard_at = self._heard_at if self._connection is None else max(self._heard_at, self._connection.heard_at)
        return time.monotonic() - heard_at

    def start(self) -> None:
        """Connect in the background and stay connected. Starting twice is harmless."""
        if self._runner is None:
            self._heard_at = time.monotonic()
            self._runner = Supervisor(Event()).keep("the link to Asterisk", self._stay_connected)

    def stop(self) -> None:
        """Log off, end all greenlets, fail the actions under way. Harmless when stopped; `start` works again."""
        runner, self._runner = self._runner, None
        if runner is None:
            return
        connection = self._connection
        try:
            if connection is not None:
                connection.log_off()
        finally:
            runner.kill()
            if connection is not None:
                connection.join()

    def ask(self, fields: Fields, *, deadline: float = 5.0) -> Message:
        """Send an action and wait for its reply, at most `deadline` seconds.

        AmiRefused, AmiTimeout, AmiLinkLost; after the latter two the action may have been carried out.
        """
        return self._live_connection(fields).ask(fields, deadline=deadline)

    def ask_list(self, fields: Fields, *, deadline: float = 10.0) -> list[Message]:
        """Send an action that answers with a list; its items in order, without reply and closing event.

        Errors as `ask`, and AmiListError if the number of items is not what Asterisk announced. An item that
        a caller has tampered with (see `Message.tampered`) is missing and counted; it must not cost us the
        whole list.
        """
        return self._live_connection(fields).ask_list(fields, deadline=deadline)

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
        connection = self._live_connection(fields)
        connection.send(fields, on_reply, deadline=deadline, fresh_seconds=fresh_seconds, on_stale=on_stale)

    def _live_connection(self, fields: Fields) -> AmiConnection:
        connection = self._connection
        if connection is None or not connection.live:
            why = self.login_error or self.down_reason or "not connected yet"
            raise AmiLinkLost(
                f"{action_name(fields)} was not sent, there is no link to Asterisk at {self._options.address}: {why}"
            )
        return connection

    def _stay_connected(self) -> None:
        """One connection, and the time until the next."""
        self._wait_for_room()
        least = 0.0
        try:
            reason = self._serve_one_connection()
        except AmiLoginRefused as error:
            self.login_error = reason = str(error)
            least = self._refused_seconds
        except DialerError as error:
            reason = str(error)
        except Exception:
            self.down_reason = "an internal error; see the log"
            raise
        self.down_reason = reason
        if reason != self._reported or not self._tries.failures:  # once, not every 15 s; again after a good link
            log.log(
                logging.ERROR if least else logging.WARNING,
                "No link to Asterisk: %s",
                reason,
                extra={"action": "ami_down", "address": self._options.address},
            )
            self._reported = reason
        ceiling = self._tries.failed(time.monotonic())
        gevent.sleep(max(least, self._shortest_wait + self._jitter() * (ceiling - self._shortest_wait)))

    def _wait_for_room(self) -> None:
        """After an overflow wait for the consumer to catch up; a new link is of no use before."""
        while self._full and self.inbox.qsize() > self._inbox_size // 2:
            gevent.sleep(0.05)
        self._full = False

    def _serve_one_connection(self) -> str:
        """Connect, log in, stay until the link is lost; returns the reason. DialerError if there was no login."""
        options = self._options
        connection = AmiConnection(options, self.inbox, self._inbox_size, self.counters, self._came_up)
        self._connection = connection
        try:
            connection.open()
            if not connection.wait_up(BOOT_REPORT_SECONDS):
                self.login_error = (
                    f"logged in to Asterisk at {options.address} as {options.username}, but FullyBooted does "
                    "not come: it is still starting, or the user in manager.conf lacks read = system"
                )
                log.warning("%s", self.login_error, extra={"action": "ami_not_booted"})
            return connection.wait_down()
        finally:
            self._close(connection)

    def _close(self, connection: AmiConnection) -> None:
        """Tell the consumer that the link is gone, after everything else.

        Switches to no other greenlet: `stop` may kill the runner at any switch; this must not be cut short.
        """
        connection.close()
        self._connection = None
        self._heard_at = max(self._heard_at, connection.heard_at)
        self._full = connection.overflowed
        if connection.up:
            self.down_reason = connection.reason
            self.inbox.put_nowait(LinkDown(connection.reason))

    def _came_up(self, uptime: float | None) -> None:
        restarted = False
        if uptime is not None:
            booted_at = time.monotonic() - uptime
            restarted = self._booted_at is not None and booted_at > self._booted_at + _RESTART_SLACK_SECONDS
            self._booted_at = booted_at
        self._generation += 1
        self.counters.reconnects = self._generation - 1
        self._tries.over()
        self.login_error = self.down_reason = None
        self.inbox.put_nowait(LinkUp(restarted, uptime, self._generation))
        log.info(
            "Logged in to Asterisk",
            extra={
                "action": "ami_up",
                "address": self._options.address,
                "restarted": restarted,
                "uptime": uptime,
            },
        )
