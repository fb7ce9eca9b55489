"""The AMI link against a scripted peer: logging in, asking, losing the link and coming back."""

from __future__ import annotations

import logging
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gevent
import gevent.ssl
import pytest
from gevent.event import Event

from tests.support.ami_peer import BANNER, SECRET, USERNAME, Connection, Peer, Script, until
from worker.ami.actions import UnsafeAction
from worker.ami.client import (
    AmiClient,
    AmiLinkLost,
    AmiListError,
    AmiRefused,
    AmiTimeout,
    LinkDown,
    LinkUp,
)
from worker.ami.message import Message
from worker.calls.tracker import OVERDUE_SECONDS

DATA = Path(__file__).parents[2] / "data" / "ami"
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


def serving(**replies: dict[str, str]) -> Script:
    def script(connection: Connection) -> None:
        connection.login()
        connection.serve(**replies)

    return script


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


def test_whole_login_may_come_in_one_write_and_in_single_bytes(start: Start) -> None:
    def script(connection: Connection) -> None:
        connection.send(BANNER)
        connection.reply(connection.read("Challenge"), Challenge="1")
        action_id = connection.read("Login")["ActionID"]
        data = f"Response: Success\r\nActionID: {action_id}\r\n\r\n".encode()
        data += b"Event: FullyBooted\r\nUptime: 3\r\n\r\n" + HANGUP % 1
        for piece in [data] if connection.number == 1 else [data[i : i + 1] for i in range(len(data))]:
            connection.send(piece)
        if connection.number == 1:
            return
        connection.serve()

    with Peer(script) as peer:
        client = start(peer)
        for _ in range(2):
            assert up(client).uptime == 3.0
            event = take(client)
            assert isinstance(event, Message)
            assert event.get("Uniqueid") == "1"
            if client.counters.reconnects == 0:
                down(client)


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


def test_forged_fully_booted_before_the_login_brings_nothing_up(start: Start) -> None:
    def script(connection: Connection) -> None:
        connection.send(BANNER + b"Event: FullyBooted\r\nUptime: 1\r\n\r\n")
        connection.read("Login")

    with Peer(script) as peer:
        client = start(peer, timeout=0.05)
        until(lambda: bool(peer.connections) and len(peer.connections[0].actions) == 1)
        assert not client.connected


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


def test_recorded_failed_login_is_understood(start: Start) -> None:
    recorded = (DATA / "edge-auth-failed.txt").read_bytes()

    def script(connection: Connection) -> None:
        connection.send(BANNER)
        connection.reply(connection.read("Challenge"), Challenge="1")
        reply = recorded.replace(b"bad1", connection.read("Login")["ActionID"].encode())
        connection.send(reply.removeprefix(BANNER))

    with Peer(script) as peer:
        client = start(peer)
        until(lambda: client.login_error is not None)


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


@pytest.mark.parametrize("last", ["Challenge", "Login"])
def test_connection_closed_during_login_is_noticed_at_once(start: Start, last: str) -> None:
    def script(connection: Connection) -> None:
        if connection.number > 1:
            serving()(connection)
        connection.send(BANNER)
        action = connection.read("Challenge")
        if last == "Login":
            connection.reply(action, Challenge="1")
            connection.read("Login")

    with Peer(script) as peer:
        client = start(peer, timeout=3600.0)
        up(client)
        assert len(peer.connections) == 2


@pytest.mark.parametrize(
    ("greeting", "reason"),
    [(b"SSH-2.0-OpenSSH_9.2\r\n", "SSH-2.0"), (b"", "did not greet"), (b"x" * 70000, "more than 65536")],
)
def test_stranger_on_the_port_is_named(start: Start, greeting: bytes, reason: str) -> None:
    def script(connection: Connection) -> None:
        connection.send(greeting)
        connection.read()

    with Peer(script) as peer:
        client = start(peer, timeout=0.1)
        until(lambda: client.down_reason is not None)
        assert reason in str(client.down_reason)


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


def test_tls_link_works(start: Start, tmp_path: Path) -> None:
    pem = tmp_path / "both.pem"
    key = tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(pem)],
        check=True, capture_output=True,
    )  # fmt: skip
    serverside = gevent.ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serverside.load_cert_chain(pem, key)
    clientside = gevent.ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    clientside.load_verify_locations(pem)
    with Peer(serving(), tls=serverside) as peer:
        client = start(peer, tls=clientside)
        up(client)
        assert client.ask([("Action", "Ping")]).is_reply


def test_blocking_tls_context_is_refused() -> None:
    # The tests are monkey patched as the dialer is; a process that forgot it is a process of its own.
    program = """
import ssl
from worker.ami.client import AmiClient
AmiClient("h", 1, "u", "s", timeout=1.0, wanted=frozenset(), tls=ssl.create_default_context())
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "make it after gevent's monkey patching" in result.stderr


# Asking


def test_error_reply_raises_with_asterisks_words(start: Start) -> None:
    def script(connection: Connection) -> None:
        connection.login()
        connection.reply(connection.read("Originate"), "Error", Message="Extension does not exist.")
        connection.serve()

    with Peer(script) as peer:
        client = start(peer)
        up(client)
        with pytest.raises(AmiRefused, match="Originate: Extension does not exist") as caught:
            client.ask([("Action", "Originate")])
        assert caught.value.reply.get("Response") == "Error"
        assert client.connected


def test_fresh_action_ids_are_prefixed_long_and_different(start: Start) -> None:
    with Peer(serving()) as peer:
        client = start(peer, instance="w7")
        up(client)
        for _ in range(3):
            client.ask([("Action", "Ping"), ("Extra", "1")])
        action_ids = [action["ActionID"] for action in peer.connections[0].actions]
    assert len(set(action_ids)) == len(action_ids) == 5
    assert all(len(bytes.fromhex(action_id.removeprefix("w7-"))) == 16 for action_id in action_ids)
    assert b"Action: Ping\r\nActionID: w7-" in peer.connections[0].raw


def test_unsafe_action_is_refused_and_nothing_is_sent(start: Start) -> None:
    with Peer(serving()) as peer:
        client = start(peer)
        up(client)
        calls: list[Message | None] = []
        with pytest.raises(UnsafeAction):
            client.send([("Action", "Hangup"), ("Channel", "x\r\n\r\nAction: Command")], calls.append)
        client.ask([("Action", "Ping")])
        assert b"Command" not in peer.connections[0].raw
        assert calls == []


def test_silence_ends_with_a_timeout_and_a_late_reply_is_a_stray(start: Start) -> None:
    def script(connection: Connection) -> None:
        connection.login()
        late = connection.read("CoreStatus")
        connection.reply(connection.read("Ping"))
        connection.reply(late)
        connection.serve()

    with Peer(script) as peer:
        client = start(peer)
        up(client)
        with pytest.raises(AmiTimeout, match=r"CoreStatus within 0\.05 s"):
            client.ask([("Action", "CoreStatus")], deadline=0.05)
        client.ask([("Action", "Ping")])
        client.ask([("Action", "Ping")])
        assert client.counters.timeouts == 1
        assert client.counters.strays == 1
        assert client.connected


def test_stray_replies_are_counted_and_ignored(start: Start) -> None:
    recorded = (DATA / "edge-stray-and-denied.txt").read_bytes().removeprefix(BANNER)

    def script(connection: Connection) -> None:
        connection.login()
        connection.send(recorded)
        connection.serve()

    with Peer(script) as peer:
        client = start(peer)
        up(client)
        client.ask([("Action", "Ping")])
        assert client.counters.strays == 4
        event = take(client)
        assert isinstance(event, Message)  # a later FullyBooted is an event like any other
        assert event.name == "FullyBooted"
        assert client.inbox.empty()


def test_action_id_under_way_is_not_used_twice(start: Start) -> None:
    def script(connection: Connection) -> None:
        connection.login()
        connection.read("Never")

    with Peer(script) as peer:
        client = start(peer)
        up(client)
        client.send([("Action", "Hangup"), ("ActionID", "same")], lambda reply: None)
        with pytest.raises(UnsafeAction, match="same is under way"):
            client.send([("Action", "Hangup"), ("ActionID", "same")], lambda reply: None)


def test_send_returns_at_once_and_replies_come_by_callback(start: Start) -> None:
    with Peer(serving()) as peer:
        client = start(peer)
        up(client)
        replies: list[Message | None] = []
        for number in range(500):
            client.send([("Action", "Originate"), ("ActionID", f"a-{number}")], replies.append)
        assert replies == []
        until(lambda: len(replies) == 500)
        assert [reply.get("ActionID") for reply in replies if reply] == [f"a-{number}" for number in range(500)]


def test_failing_callback_harms_nobody_else(start: Start) -> None:
    def fail(reply: Message | None) -> None:
        raise ValueError("a mistake of the consumer")

    with Peer(serving()) as peer:
        client = start(peer)
        up(client)
        client.send([("Action", "Originate")], fail)
        assert client.ask([("Action", "Ping")]).is_reply
        assert client.connected


def test_send_without_a_reply_ends_as_unknown(start: Start) -> None:
    def script(connection: Connection) -> None:
        connection.login()
        while True:
            action = connection.read()
            if action["Action"] == "Ping":
                connection.reply(action)

    with Peer(script) as peer:
        client = start(peer, ping_seconds=0.02)
        up(client)
        replies: list[Message | None] = []
        client.send([("Action", "Originate")], replies.append, deadline=0.05)
        until(lambda: replies == [None])
        assert client.counters.timeouts == 1
        assert client.connected


# Lists


def list_script(announced: int, *between: bytes, items: int = 2, closing: str = "Complete") -> Script:
    def script(connection: Connection) -> None:
        connection.login()
        action = connection.read("QueueStatus")
        connection.reply(action, EventList="start")
        for number in range(items):
            connection.event("QueueMember", ActionID=action["ActionID"], Name=str(number))
            for data in between:
                connection.send(data.replace(b"{id}", action["ActionID"].encode()))
        connection.event(
            "QueueStatusComplete", ActionID=action["ActionID"], EventList=closing, ListItems=str(announced)
        )
        connection.serve()

    return script


def test_list_items_are_collected_although_unwanted_and_live_events_go_to_the_inbox(start: Start) -> None:
    stranger = b"Event: QueueMember\r\nActionID: somebody\r\nName: x\r\n\r\n"
    with Peer(list_script(2, HANGUP % 7, stranger)) as peer:
        client = start(peer)
        up(client)
        items = client.ask_list([("Action", "QueueStatus")])
        assert [(item.name, item.get("Name")) for item in items] == [
            ("QueueMember", "0"),
            ("QueueMember", "1"),
        ]
        events = [take(client), take(client)]
        assert [event.name for event in events if isinstance(event, Message)] == ["Hangup", "Hangup"]
        assert client.inbox.empty()
        assert client.counters.strays == 2


def test_recorded_queue_list_is_read_whole(start: Start) -> None:
    recorded = (DATA / "mixed-200-calls.txt").read_bytes()
    recorded = recorded[: recorded.index(b"ListItems: 10\r\n\r\n") + 17].removeprefix(BANNER)
    recorded = recorded[recorded.index(b"Response: Success\r\nActionID: a140321644512528-3\r\n") :]

    def script(connection: Connection) -> None:
        connection.login()
        action = connection.read("QueueStatus")
        connection.send(recorded.replace(b"a140321644512528-3", action["ActionID"].encode()))
        connection.serve()

    with Peer(script) as peer:
        client = start(peer)
        up(client)
        items = client.ask_list([("Action", "QueueStatus")])
        assert len(items) == 10
        assert {item.name for item in items} == {"QueueParams", "QueueMember"}
        assert "Иванов: Пётр" in {item.get("Name") for item in items}


@pytest.mark.parametrize("announced", [1, 3])
def test_wrong_number_of_items_is_an_error(start: Start, announced: int) -> None:
    with Peer(list_script(announced)) as peer:
        client = start(peer)
        up(client)
        with pytest.raises(AmiListError, match=f"announced {announced} items and 2 came"):
            client.ask_list([("Action", "QueueStatus")])
        assert client.connected


def test_tampered_item_does_not_cost_the_list(start: Start) -> None:
    forged = b"Event: QueueMember\r\nActionID: {id}\r\nName: 1\r\nName: 2\r\n\r\n"
    with Peer(list_script(4, forged)) as peer:
        client = start(peer)
        up(client)
        assert len(client.ask_list([("Action", "QueueStatus")])) == 2
        assert client.counters.tampered == 2


@pytest.mark.parametrize("tail", [b"x: y", b"Response: Error\r\nMessage: Permission denied"])
def test_caller_who_cuts_an_item_in_two_costs_nobody_the_list(start: Start, tail: bytes) -> None:
    """CallerIDNum stands before ActionID: what a caller writes behind an empty line ends with the list's own id."""
    item = b"Event: QueueEntry\r\nCallerIDNum: 1\r\n\r\n" + tail + b"\r\nActionID: {id}\r\n\r\n"
    with Peer(list_script(4, item)) as peer:  # two members, two callers
        client = start(peer)
        up(client)
        assert len(client.ask_list([("Action", "QueueStatus")])) == 2


def test_broken_off_list_is_an_error(start: Start) -> None:
    with Peer(list_script(2, closing="Cancelled")) as peer:
        client = start(peer)
        up(client)
        with pytest.raises(AmiListError, match="broke off"):
            client.ask_list([("Action", "QueueStatus")])


def test_endless_list_is_cut(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.ami.client.LIST_ITEMS_MAX", 10)
    with Peer(list_script(11, items=11)) as peer:
        client = start(peer)
        up(client)
        with pytest.raises(AmiListError, match="more than 10 items"):
            client.ask_list([("Action", "QueueStatus")])


def test_refused_list_raises_and_unfinished_list_times_out(start: Start) -> None:
    def script(connection: Connection) -> None:
        connection.login()
        connection.reply(connection.read("CoreShowChannels"), "Error", Message="Permission denied")
        connection.reply(connection.read("CoreShowChannels"), EventList="start")
        connection.serve()

    with Peer(script) as peer:
        client = start(peer)
        up(client)
        with pytest.raises(AmiRefused, match="Permission denied"):
            client.ask_list([("Action", "CoreShowChannels")])
        with pytest.raises(AmiTimeout):
            client.ask_list([("Action", "CoreShowChannels")], deadline=0.05)


# Events


def test_events_arrive_in_order_and_unwanted_ones_are_counted(start: Start) -> None:
    data = (DATA / "mixed-200-calls.txt").read_bytes().removeprefix(BANNER)

    def script(connection: Connection) -> None:
        connection.login()
        connection.send(data)
        connection.serve()

    with Peer(script) as peer:
        client = start(peer)
        up(client)
        client.ask([("Action", "Ping")])
        events = [take(client) for _ in range(client.inbox.qsize())]
    names = [event.name for event in events if isinstance(event, Message)]
    expected = [block.split(b"\r\n")[0][7:].decode() for block in data.split(b"\r\n\r\n") if block[:7] == b"Event: "]
    assert names == [name for name in expected if name in WANTED]
    assert client.counters.events == len(names)
    assert client.counters.skipped == len(expected) - len(names)


def test_forged_headers_are_dropped_and_forged_events_stay_strangers(start: Start) -> None:
    data = (DATA / "injected-repeat.txt").read_bytes().removeprefix(BANNER)

    def script(connection: Connection) -> None:
        connection.login()
        connection.send(data)
        connection.serve()

    with Peer(script) as peer:
        client = start(peer)
        up(client)
        client.ask([("Action", "Ping")])
        assert client.counters.tampered >= 5
        events = [take(client) for _ in range(client.inbox.qsize())]
        assert not [event for event in events if isinstance(event, Message) and event.tampered()]


# Losing the link


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


def test_unanswered_pings_drop_the_link(start: Start) -> None:
    def script(connection: Connection) -> None:
        connection.login()
        if connection.number == 1:
            connection.read("Never")
        connection.serve()

    with Peer(script) as peer:
        client = start(peer, ping_seconds=0.02)
        up(client)
        assert "did not answer 2 pings" in down(client).reason
        assert up(client).generation == 2
        assert [action["Action"] for action in peer.connections[0].actions[2:]] == ["Ping", "Ping"]


def test_answered_pings_keep_the_link_even_when_they_are_refused(start: Start) -> None:
    def script(connection: Connection) -> None:
        connection.login()
        while True:
            connection.reply(connection.read("Ping"), "Error", Message="Asterisk is shutting down")

    with Peer(script) as peer:
        client = start(peer, ping_seconds=0.01)
        up(client)
        until(lambda: len(peer.connections[0].actions) > 10)
        assert client.connected


def test_peer_that_does_not_read_is_dropped(start: Start) -> None:
    def script(connection: Connection) -> None:
        connection.login()
        if connection.number == 1:
            gevent.sleep(60)
        connection.serve()

    with Peer(script) as peer:
        client = start(peer, send_seconds=0.1)
        up(client)
        unanswered = 0

        def count(reply: Message | None) -> None:
            nonlocal unanswered
            unanswered += reply is None

        big = [("Action", "UserEvent"), *[(f"Key{number}", "x" * 1000) for number in range(100)]]
        for _ in range(200):
            client.send(big, count)
        assert "read nothing for 0.1 s" in down(client).reason
        assert unanswered == 200


def test_what_a_lost_link_has_not_sent_is_not_sent_later_by_the_system(start: Start) -> None:
    """An Originate that lies in the kernel when the link is given up must not ring somebody minutes later."""
    ends: list[OSError | None] = []

    def script(connection: Connection) -> None:
        connection.login()
        if connection.number > 1:
            connection.serve()
            return
        until(lambda: client.counters.reconnects > 0)
        try:
            while connection.sock.recv(65536):
                pass
            ends.append(None)
        except OSError as error:
            ends.append(error)

    with Peer(script) as peer:
        client = start(peer, send_seconds=0.1)
        up(client)
        big = [("Action", "UserEvent"), *[(f"Key{number}", "x" * 1000) for number in range(100)]]
        for _ in range(200):
            client.send(big, lambda reply: None)
        down(client)
        until(lambda: bool(ends))
    assert isinstance(ends[0], ConnectionResetError), "the connection was closed in good order, with all that it held"


def test_a_frozen_or_unreachable_peer_gets_nothing_old(start: Start) -> None:
    """The kernel gives up on what was not acknowledged sooner than the shortest call can be given up as lost."""
    with Peer(serving()) as peer:
        client = start(peer)
        up(client)
        link = client._link
        assert link is not None
        patience = link.sock.getsockopt(gevent.socket.IPPROTO_TCP, gevent.socket.TCP_USER_TIMEOUT)
        assert 0 < patience / 1000 <= OVERDUE_SECONDS


def test_an_action_that_waited_for_too_long_is_not_sent(start: Start) -> None:
    """The writer looks at the clock last of all: a process may be frozen between a decision and its sending."""
    told: list[str] = []
    with Peer(serving()) as peer:
        client = start(peer)
        up(client)
        client.send([("Action", "Originate")], lambda _: told.append("reply"), on_stale=lambda: told.append("stale"))
        client.send(
            [("Action", "Originate"), ("ActionID", "old")],
            lambda _: told.append("reply of the old"),
            fresh_seconds=-0.001,
            on_stale=lambda: told.append("stale"),
        )
        client.send([("Action", "UserEvent")], lambda _: told.append("reply"))
        until(lambda: len(told) == 3)
        assert sorted(told) == ["reply", "reply", "stale"]
        sent = [(action["Action"], action["ActionID"]) for action in peer.connections[0].actions]
        assert "old" not in [action_id for _, action_id in sent]
        assert client.counters.stale == 1
        client.ask([("Action", "Ping"), ("ActionID", "old")])  # and its ActionID is free again


def test_oversized_message_drops_the_link(start: Start) -> None:
    def script(connection: Connection) -> None:
        connection.login()
        if connection.number == 1:
            connection.send(b"Event: Hangup\r\nUniqueid: " + b"x" * 70_000)
            connection.read("Never")
        connection.serve()

    with Peer(script) as peer:
        client = start(peer)
        up(client)
        assert "more than 65536" in down(client).reason
        up(client)


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


def test_flood_does_not_starve_the_consumer(start: Start) -> None:
    """A socket that always has data must not keep the reader running until the inbox is full."""
    total = 30_000

    def script(connection: Connection) -> None:
        connection.login()
        connection.send(b"".join(HANGUP % number for number in range(total)))
        connection.serve()

    with Peer(script) as peer:
        client = start(peer, inbox_size=5_000)
        up(client)
        for number in range(total):
            event = take(client)
            assert isinstance(event, Message)
            assert event.get("Uniqueid") == str(number)
        assert client.counters.overflows == 0


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
