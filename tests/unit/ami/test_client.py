"""The AMI link against a scripted peer: coming up, being lost, coming back."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest
from gevent.event import Event

from tests.support.ami_peer import BANNER, SECRET, USERNAME, Connection, Peer, serving, until
from worker.ami.actions import UnsafeAction
from worker.ami.client import AmiClient, LinkDown, LinkUp
from worker.ami.errors import AmiLinkLost
from worker.ami.message import Message

WANTED = frozenset({"FullyBooted", "Newchannel", "Hangup", "OriginateResponse", "Shutdown"})
HANGUP = b"Event: Hangup\r\nUniqueid: %d\r\nCause: 16\r\n\r\n"

Start = Callable[..., AmiClient]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a client for a peer; all are stopped at the end."""
    clients = []

    def make(peer: Peer, **changes: Any) -> AmiClient:
        options: dict[str, Any] = {
            "timeout": 5.0,
            "wanted": WANTED,
            "ping_seconds": 60.0,
            "jitter": lambda: 0.0,
            "reconnect_seconds": (0.01, 0.05),
        }
        secret = changes.pop("secret", SECRET)
        client = AmiClient("127.0.0.1", peer.port, USERNAME, secret, **{**options, **changes})
        clients.append(client)
        client.start()
        return client

    yield make
    for client in clients:
        client.stop()


def take(client: AmiClient, seconds: float = 10.0) -> Message | LinkUp | LinkDown:
    return client.inbox.get(timeout=seconds)


def up(client: AmiClient) -> LinkUp:
    signal = take(client)
    assert isinstance(signal, LinkUp), signal
    return signal


def down(client: AmiClient) -> LinkDown:
    signal = take(client)
    assert isinstance(signal, LinkDown), signal
    return signal


# Login


def test_link_is_up_after_login_and_fully_booted(start: Start) -> None:
    with Peer(serving()) as peer:
        client = start(peer)
        assert up(client) == LinkUp(restarted=False, uptime=100.0, generation=1)
        assert client.connected
        assert client.login_error is None
        assert client.ask([("Action", "Ping")]).get("Response") == "Success"


def test_secret_never_crosses_the_wire_or_reaches_the_log(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with Peer(serving()) as peer:
        client = start(peer)
        up(client)
        assert SECRET.encode() not in peer.connections[0].raw
        assert SECRET not in repr(vars(client).get("counters")) + repr(client)
    assert SECRET not in caplog.text


def test_link_is_not_up_while_asterisk_boots(start: Start) -> None:
    go = Event()

    def script(connection: Connection) -> None:
        connection.login(uptime=None)
        connection.send(HANGUP % 1)
        go.wait()
        connection.booted(0)
        connection.serve()

    with Peer(script) as peer:
        client = start(peer)
        until(lambda: bool(peer.connections) and len(peer.connections[0].actions) == 2)
        with pytest.raises(AmiLinkLost, match="Ping was not sent"):
            client.ask([("Action", "Ping")])
        assert client.inbox.empty()
        assert not client.connected
        go.set()
        assert up(client).uptime == 0.0


def test_login_that_is_not_followed_by_fully_booted_is_explained(
    start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("worker.ami.client.BOOT_REPORT_SECONDS", 0.02)
    go = Event()

    def script(connection: Connection) -> None:
        connection.login(uptime=None)
        go.wait()
        connection.booted(0)
        connection.serve()

    with Peer(script) as peer:
        client = start(peer)
        until(lambda: client.login_error is not None)
        assert "read = system" in str(client.login_error)
        assert not client.connected
        go.set()
        up(client)
        assert client.login_error is None
    told = [record for record in caplog.records if "FullyBooted" in record.getMessage()]
    assert [record.levelname for record in told] == ["WARNING"]


def test_wrong_password_is_told_once_and_tried_again_late(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    with Peer(lambda connection: connection.refuse_login("Authentication failed")) as peer:
        client = start(peer, secret="wrong horse", refused_seconds=0.2)
        until(lambda: len(peer.connections) == 3)
        assert client.login_error is not None
        assert "Username and Password in the settings" in client.login_error
        assert "manager.conf" in client.login_error
        assert client.inbox.empty()
        with pytest.raises(AmiLinkLost, match="Authentication failed"):
            client.ask([("Action", "Ping")])
    told = [record for record in caplog.records if "Authentication failed" in record.getMessage()]
    assert [record.levelname for record in told] == ["ERROR"]
    assert "wrong horse" not in caplog.text


def test_wrong_password_is_not_retried_before_its_time(start: Start) -> None:
    with Peer(lambda connection: connection.refuse_login("Authentication failed")) as peer:
        client = start(peer, refused_seconds=3600.0)
        until(lambda: client.login_error is not None)
        with pytest.raises(AssertionError):
            until(lambda: len(peer.connections) > 1, seconds=0.3)


def test_shutting_down_is_no_matter_of_credentials(start: Start) -> None:
    def script(connection: Connection) -> None:
        if connection.number == 1:
            connection.refuse_login("Asterisk is shutting down")
        else:
            serving()(connection)

    with Peer(script) as peer:
        client = start(peer, refused_seconds=3600.0)
        assert up(client).generation == 1
        assert client.login_error is None


@pytest.mark.parametrize("greeting", [b"", b"Asterisk Ca"])
def test_end_before_the_banner_means_not_up_yet(start: Start, greeting: bytes) -> None:
    def script(connection: Connection) -> None:
        if connection.number < 3:
            connection.send(greeting)
        else:
            serving()(connection)

    with Peer(script) as peer:
        client = start(peer)
        assert up(client).generation == 1
        assert len(peer.connections) == 3


def test_refused_connection_is_explained() -> None:
    with Peer(serving()) as peer:
        port = peer.port
    client = AmiClient("127.0.0.1", port, USERNAME, SECRET, timeout=1.0, wanted=WANTED)
    client.start()
    until(lambda: client.down_reason is not None)
    assert f"127.0.0.1:{port}" in str(client.down_reason)
    assert "manager.conf" in str(client.down_reason)
    client.stop()
    assert client.inbox.empty()


def test_unusable_user_name_is_refused_at_once() -> None:
    with pytest.raises(UnsafeAction, match="Username"):
        AmiClient("127.0.0.1", 1, "a\r\nb", SECRET, timeout=1.0, wanted=WANTED)


def test_blocking_tls_context_is_refused() -> None:
    # The tests are monkey patched as the dialer is; a process that forgot it is a process of its own.
    program = """
import ssl
from worker.ami.client import AmiClient
AmiClient("h", 1, "u", "s", timeout=1.0, wanted=frozenset(), tls=ssl.create_default_context())
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "make it after gevent's monkey patching" in result.stderr


# Losing the link, and the next one


def test_link_loss_fails_everything_under_way_and_resends_nothing(start: Start) -> None:
    def script(connection: Connection) -> None:
        connection.login()
        if connection.number == 1:
            for name in ("Originate", "Ping", "QueueStatus"):
                connection.read(name)
            return
        connection.serve()

    with Peer(script) as peer:
        client = start(peer)
        up(client)
        replies: list[Message | None] = []
        client.send([("Action", "Originate")], replies.append)
        asked = gevent.spawn(client.ask, [("Action", "Ping")])
        gevent.sleep(0)
        with pytest.raises(AmiLinkLost, match="before the answer came"):
            client.ask_list([("Action", "QueueStatus")])
        asked.join(5)
        assert isinstance(asked.exception, AmiLinkLost)
        assert replies == [None]
        assert "closed the connection" in down(client).reason
        assert up(client).generation == 2
        client.ask([("Action", "Ping")])
        assert b"Originate" not in peer.connections[1].raw
        assert client.counters.reconnects == 1


def test_nothing_is_accepted_without_a_link(start: Start) -> None:
    client = AmiClient("127.0.0.1", 1, USERNAME, SECRET, timeout=1.0, wanted=WANTED)
    replies: list[Message | None] = []
    with pytest.raises(AmiLinkLost):
        client.send([("Action", "Originate")], replies.append)
    with pytest.raises(AmiLinkLost):
        client.ask([("Action", "Ping")])
    with pytest.raises(AmiLinkLost):
        client.ask_list([("Action", "QueueStatus")])
    assert replies == []


def test_silence_lasts_from_the_last_word_on_a_link_that_was_up(start: Start) -> None:
    served = [Event(), Event()]

    def script(connection: Connection) -> None:
        if connection.number == 1:
            connection.login()
            served[0].wait()
        elif connection.number < 4:
            connection.send(BANNER)  # a word, but not on a link that is up
        else:
            served[1].wait()
            connection.login()
            connection.serve()

    with Peer(script) as peer:
        client = start(peer)
        up(client)
        until(lambda: client.silent_seconds() > 0.3)
        served[0].set()
        down(client)
        until(lambda: len(peer.connections) == 4)
        assert client.silent_seconds() > 0.3
        served[1].set()
        up(client)
        assert client.silent_seconds() < 0.3


@pytest.mark.parametrize(("second_uptime", "restarted"), [(0, True), (50, True), (500, False), (501, False)])
def test_uptime_tells_restart_from_link_loss(start: Start, second_uptime: int, restarted: bool) -> None:
    def script(connection: Connection) -> None:
        connection.login(uptime=500 if connection.number == 1 else second_uptime)
        if connection.number > 1:
            connection.serve()

    with Peer(script) as peer:
        client = start(peer)
        assert not up(client).restarted
        down(client)
        assert up(client).restarted is restarted


def test_overflow_drops_the_link_until_the_consumer_has_caught_up(start: Start) -> None:
    def script(connection: Connection) -> None:
        connection.login()
        if connection.number == 1:
            connection.send(b"".join(HANGUP % number for number in range(200)))
        connection.serve()

    with Peer(script) as peer:
        client = start(peer, inbox_size=100)
        until(lambda: client.counters.overflows == 1)
        until(lambda: not client.connected)
        with pytest.raises(AssertionError):
            until(lambda: len(peer.connections) > 1, seconds=0.2)
        up(client)
        events = []
        while isinstance(signal := take(client), Message):
            events.append(signal.get("Uniqueid"))
        assert isinstance(signal, LinkDown)
        assert "100 events wait" in signal.reason
        assert len(events) in (99, 100)  # LinkUp has a place, too, while it waits
        assert events == [str(number) for number in range(len(events))]
        assert up(client).generation == 2
        assert client.counters.overflows == 1


def test_delays_between_attempts_grow_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    delays: list[float] = []
    sleep = gevent.sleep

    def record(seconds: float = 0, ref: bool = True) -> None:
        delays.append(seconds)
        sleep(0)

    with Peer(serving()) as peer:
        port = peer.port
    monkeypatch.setattr("worker.ami.client.gevent.sleep", record)
    client = AmiClient("127.0.0.1", port, USERNAME, SECRET, timeout=1.0, wanted=WANTED, jitter=lambda: 1.0)
    client.start()
    with gevent.Timeout(10):
        while len(delays) < 10:
            sleep(0.001)
    client.stop()
    assert delays[:8] == pytest.approx([0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 15.0, 15.0])


# Stopping


def test_stop_logs_off_and_is_idempotent(start: Start) -> None:
    with Peer(serving()) as peer:
        client = start(peer)
        up(client)
        client.stop()
        client.stop()
        assert peer.connections[0].actions[-1]["Action"] == "Logoff"
        assert down(client).reason == "the dialer logged off"
        assert not client.connected
        client.start()
        client.start()
        assert up(client).generation == 2
        assert len(peer.connections) == 2


def test_stop_before_start_and_while_connecting_is_harmless(start: Start) -> None:
    AmiClient("127.0.0.1", 1, USERNAME, SECRET, timeout=1.0, wanted=WANTED).stop()

    def script(connection: Connection) -> None:
        connection.read("Never")

    with Peer(script) as peer:
        client = start(peer)
        assert peer.arrived.wait(5)
        client.stop()
        assert client.inbox.empty()


def test_stop_fails_what_is_under_way(start: Start) -> None:
    def script(connection: Connection) -> None:
        connection.login()
        connection.reply(connection.read("Logoff"), "Goodbye")
        connection.read("Never")

    with Peer(script) as peer:
        client = start(peer)
        up(client)
        replies: list[Message | None] = []
        client.send([("Action", "Originate")], replies.append)
        client.stop()
        assert replies == [None]
