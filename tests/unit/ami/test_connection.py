"""One connection against a scripted peer: logging in, asking, and what is left when it is lost."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Callable, Iterator
from math import inf
from pathlib import Path
from typing import Any

import gevent
import gevent.socket
import gevent.ssl
import pytest
from gevent.event import Event
from gevent.queue import Queue

from tests.support.ami_peer import BANNER, SECRET, USERNAME, Connection, Peer, Script, serving, until
from worker.ami.actions import Fields, UnsafeAction
from worker.ami.connection import AmiConnection, ConnectionOptions
from worker.ami.counters import Counters
from worker.ami.errors import AmiLinkLost, AmiListError, AmiLoginRefused, AmiRefused, AmiTimeout
from worker.ami.message import Message
from worker.calls.tracker import OVERDUE_SECONDS
from worker.errors import DialerError

DATA = Path(__file__).parents[2] / "data" / "ami"
WANTED = frozenset({"FullyBooted", "Newchannel", "Hangup", "OriginateResponse", "Shutdown"})
HANGUP = b"Event: Hangup\r\nUniqueid: %d\r\nCause: 16\r\n\r\n"


class OurSide:
    """A connection to a peer, and what it has told."""

    def __init__(self, peer: Peer, inbox_size: int, **changes: Any) -> None:
        options: dict[str, Any] = {
            "timeout": 5.0,
            "wanted": WANTED,
            "tls": None,
            "instance": "dialer",
            "ping_seconds": 60.0,
            "send_seconds": 5.0,
        }
        self.inbox: Queue[Message] = Queue()
        self.counters = Counters()
        self.uptimes: list[float | None] = []
        self.connection = AmiConnection(
            ConnectionOptions("127.0.0.1", peer.port, USERNAME, SECRET, **{**options, **changes}),
            self.inbox,
            inbox_size,
            self.counters,
            self.uptimes.append,
        )

    def take(self) -> Message:
        return self.inbox.get(timeout=10)

    def ask(self, fields: Fields, deadline: float = 5.0) -> Message:
        return self.connection.ask(fields, deadline=deadline)

    def ask_list(self, fields: Fields, deadline: float = 5.0) -> list[Message]:
        return self.connection.ask_list(fields, deadline=deadline)

    def send(
        self,
        fields: Fields,
        on_reply: Callable[[Message | None], None],
        deadline: float = 30.0,
        fresh_seconds: float = inf,
        on_stale: Callable[[], None] | None = None,
    ) -> None:
        self.connection.send(fields, on_reply, deadline=deadline, fresh_seconds=fresh_seconds, on_stale=on_stale)


Connect = Callable[..., OurSide]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Connects to a peer and waits until that is up (`open_it` False: leaves it to the test); closes all at the end."""
    made: list[OurSide] = []

    def make(peer: Peer, *, open_it: bool = True, inbox_size: int = 20_000, **changes: Any) -> OurSide:
        ours = OurSide(peer, inbox_size, **changes)
        made.append(ours)
        if open_it:
            ours.connection.open()
            assert ours.connection.wait_up(10)
        return ours

    yield make
    for ours in made:
        ours.connection.close()
        ours.connection.join()


# Opening


def test_forged_fully_booted_before_the_login_brings_nothing_up(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.ami.connection._REFUSAL_SECONDS", 0.05)

    def script(connection: Connection) -> None:
        connection.send(BANNER + b"Event: FullyBooted\r\nUptime: 1\r\n\r\n")
        connection.read("Login")

    with Peer(script) as peer:
        ours = connect(peer, open_it=False, timeout=0.05)
        with pytest.raises(AmiTimeout, match="Challenge within"):
            ours.connection.open()
        assert len(peer.connections[0].actions) == 1
        assert not ours.connection.wait_up(0)
        assert not ours.connection.live
        assert ours.uptimes == []


@pytest.mark.parametrize("size", [1, 1000])
def test_whole_login_may_come_in_one_write_and_in_single_bytes(connect: Connect, size: int) -> None:
    def script(connection: Connection) -> None:
        connection.send(BANNER)
        connection.reply(connection.read("Challenge"), Challenge="1")
        action_id = connection.read("Login")["ActionID"]
        data = f"Response: Success\r\nActionID: {action_id}\r\n\r\n".encode()
        data += b"Event: FullyBooted\r\nUptime: 3\r\n\r\n" + HANGUP % 1
        for start in range(0, len(data), size):
            connection.send(data[start : start + size])
        connection.serve()

    with Peer(script) as peer:
        ours = connect(peer)
        assert ours.uptimes == [3.0]
        assert ours.take().get("Uniqueid") == "1"


def test_recorded_failed_login_is_understood(connect: Connect) -> None:
    recorded = (DATA / "edge-auth-failed.txt").read_bytes()

    def script(connection: Connection) -> None:
        connection.send(BANNER)
        connection.reply(connection.read("Challenge"), Challenge="1")
        reply = recorded.replace(b"bad1", connection.read("Login")["ActionID"].encode())
        connection.send(reply.removeprefix(BANNER))

    with Peer(script) as peer, pytest.raises(AmiLoginRefused, match="Username and Password in the settings"):
        connect(peer)


@pytest.mark.parametrize("last", ["nothing", "Challenge", "Login"])
def test_connection_closed_during_login_is_noticed_at_once(connect: Connect, last: str) -> None:
    def script(connection: Connection) -> None:
        if last == "nothing":
            return
        connection.send(BANNER)
        action = connection.read("Challenge")
        if last == "Login":
            connection.reply(action, Challenge="1")
            connection.read("Login")

    with Peer(script) as peer, pytest.raises(AmiLinkLost, match="closed the connection"):
        connect(peer, timeout=3600.0)


@pytest.mark.parametrize(
    ("greeting", "timeout", "reason"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", 10.0, "SSH-2.0"),
        (b"", 0.1, "did not greet"),
        (b"x" * 70000, 10.0, "more than 65536"),
    ],
)
def test_stranger_on_the_port_is_named(connect: Connect, greeting: bytes, timeout: float, reason: str) -> None:
    def script(connection: Connection) -> None:
        connection.send(greeting)
        connection.read()

    with Peer(script) as peer, pytest.raises(DialerError, match=reason):
        connect(peer, timeout=timeout)


def test_tls_link_works(connect: Connect, tmp_path: Path) -> None:
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
        ours = connect(peer, tls=clientside)
        assert ours.ask([("Action", "Ping")]).is_reply


# Asking


def test_error_reply_raises_with_asterisks_words(connect: Connect) -> None:
    def script(connection: Connection) -> None:
        connection.login()
        connection.reply(connection.read("Originate"), "Error", Message="Extension does not exist.")
        connection.serve()

    with Peer(script) as peer:
        ours = connect(peer)
        with pytest.raises(AmiRefused, match="Originate: Extension does not exist") as caught:
            ours.ask([("Action", "Originate")])
        assert caught.value.reply.get("Response") == "Error"
        assert ours.connection.live


def test_fresh_action_ids_are_prefixed_long_and_different(connect: Connect) -> None:
    with Peer(serving()) as peer:
        ours = connect(peer, instance="w7")
        for _ in range(3):
            ours.ask([("Action", "Ping"), ("Extra", "1")])
        action_ids = [action["ActionID"] for action in peer.connections[0].actions]
    assert len(set(action_ids)) == len(action_ids) == 5
    assert all(len(bytes.fromhex(action_id.removeprefix("w7-"))) == 16 for action_id in action_ids)
    assert b"Action: Ping\r\nActionID: w7-" in peer.connections[0].raw


def test_unsafe_action_is_refused_and_nothing_is_sent(connect: Connect) -> None:
    with Peer(serving()) as peer:
        ours = connect(peer)
        calls: list[Message | None] = []
        with pytest.raises(UnsafeAction):
            ours.send([("Action", "Hangup"), ("Channel", "x\r\n\r\nAction: Command")], calls.append)
        ours.ask([("Action", "Ping")])
        assert b"Command" not in peer.connections[0].raw
        assert calls == []


def test_silence_ends_with_a_timeout_and_a_late_reply_is_a_stray(connect: Connect) -> None:
    def script(connection: Connection) -> None:
        connection.login()
        late = connection.read("CoreStatus")
        connection.reply(connection.read("Ping"))
        connection.reply(late)
        connection.serve()

    with Peer(script) as peer:
        ours = connect(peer)
        with pytest.raises(AmiTimeout, match=r"CoreStatus within 0\.05 s"):
            ours.ask([("Action", "CoreStatus")], deadline=0.05)
        ours.ask([("Action", "Ping")])
        ours.ask([("Action", "Ping")])
        assert ours.counters.timeouts == 1
        assert ours.counters.strays == 1
        assert ours.connection.live


def test_stray_replies_are_counted_and_ignored(connect: Connect) -> None:
    recorded = (DATA / "edge-stray-and-denied.txt").read_bytes().removeprefix(BANNER)

    def script(connection: Connection) -> None:
        connection.login()
        connection.send(recorded)
        connection.serve()

    with Peer(script) as peer:
        ours = connect(peer)
        ours.ask([("Action", "Ping")])
        assert ours.counters.strays == 4
        event = ours.take()
        assert event.name == "FullyBooted"  # a later one is an event like any other
        assert ours.inbox.empty()


def test_action_id_under_way_is_not_used_twice(connect: Connect) -> None:
    def script(connection: Connection) -> None:
        connection.login()
        connection.read("Never")

    with Peer(script) as peer:
        ours = connect(peer)
        ours.send([("Action", "Hangup"), ("ActionID", "same")], lambda reply: None)
        with pytest.raises(UnsafeAction, match="same is under way"):
            ours.send([("Action", "Hangup"), ("ActionID", "same")], lambda reply: None)


def test_send_returns_at_once_and_replies_come_by_callback(connect: Connect) -> None:
    with Peer(serving()) as peer:
        ours = connect(peer)
        replies: list[Message | None] = []
        for number in range(500):
            ours.send([("Action", "Originate"), ("ActionID", f"a-{number}")], replies.append)
        assert replies == []
        until(lambda: len(replies) == 500)
        assert [reply.get("ActionID") for reply in replies if reply] == [f"a-{number}" for number in range(500)]


def test_failing_callback_harms_nobody_else(connect: Connect) -> None:
    def fail(reply: Message | None) -> None:
        raise ValueError("a mistake of the consumer")

    with Peer(serving()) as peer:
        ours = connect(peer)
        ours.send([("Action", "Originate")], fail)
        assert ours.ask([("Action", "Ping")]).is_reply
        assert ours.connection.live


def test_send_without_a_reply_ends_as_unknown(connect: Connect) -> None:
    def script(connection: Connection) -> None:
        connection.login()
        while True:
            action = connection.read()
            if action["Action"] == "Ping":
                connection.reply(action)

    with Peer(script) as peer:
        ours = connect(peer, ping_seconds=0.02)
        replies: list[Message | None] = []
        ours.send([("Action", "Originate")], replies.append, deadline=0.05)
        until(lambda: replies == [None])
        assert ours.counters.timeouts == 1
        assert ours.connection.live


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


def test_list_items_are_collected_although_unwanted_and_live_events_go_to_the_inbox(connect: Connect) -> None:
    stranger = b"Event: QueueMember\r\nActionID: somebody\r\nName: x\r\n\r\n"
    with Peer(list_script(2, HANGUP % 7, stranger)) as peer:
        ours = connect(peer)
        items = ours.ask_list([("Action", "QueueStatus")])
        assert [(item.name, item.get("Name")) for item in items] == [
            ("QueueMember", "0"),
            ("QueueMember", "1"),
        ]
        events = [ours.take(), ours.take()]
        assert [event.name for event in events] == ["Hangup", "Hangup"]
        assert ours.inbox.empty()
        assert ours.counters.strays == 2


def test_recorded_queue_list_is_read_whole(connect: Connect) -> None:
    recorded = (DATA / "mixed-200-calls.txt").read_bytes()
    recorded = recorded[: recorded.index(b"ListItems: 10\r\n\r\n") + 17].removeprefix(BANNER)
    recorded = recorded[recorded.index(b"Response: Success\r\nActionID: a140321644512528-3\r\n") :]

    def script(connection: Connection) -> None:
        connection.login()
        action = connection.read("QueueStatus")
        connection.send(recorded.replace(b"a140321644512528-3", action["ActionID"].encode()))
        connection.serve()

    with Peer(script) as peer:
        ours = connect(peer)
        items = ours.ask_list([("Action", "QueueStatus")])
        assert len(items) == 10
        assert {item.name for item in items} == {"QueueParams", "QueueMember"}
        assert "Иванов: Пётр" in {item.get("Name") for item in items}


@pytest.mark.parametrize("announced", [1, 3])
def test_wrong_number_of_items_is_an_error(connect: Connect, announced: int) -> None:
    with Peer(list_script(announced)) as peer:
        ours = connect(peer)
        with pytest.raises(AmiListError, match=f"announced {announced} items and 2 came"):
            ours.ask_list([("Action", "QueueStatus")])
        assert ours.connection.live


def test_tampered_item_does_not_cost_the_list(connect: Connect) -> None:
    forged = b"Event: QueueMember\r\nActionID: {id}\r\nName: 1\r\nName: 2\r\n\r\n"
    with Peer(list_script(4, forged)) as peer:
        ours = connect(peer)
        assert len(ours.ask_list([("Action", "QueueStatus")])) == 2
        assert ours.counters.tampered == 2


@pytest.mark.parametrize("tail", [b"x: y", b"Response: Error\r\nMessage: Permission denied"])
def test_caller_who_cuts_an_item_in_two_costs_nobody_the_list(connect: Connect, tail: bytes) -> None:
    """CallerIDNum stands before ActionID: what a caller writes behind an empty line ends with the list's own id."""
    item = b"Event: QueueEntry\r\nCallerIDNum: 1\r\n\r\n" + tail + b"\r\nActionID: {id}\r\n\r\n"
    with Peer(list_script(4, item)) as peer:  # two members, two callers
        ours = connect(peer)
        assert len(ours.ask_list([("Action", "QueueStatus")])) == 2


def test_broken_off_list_is_an_error(connect: Connect) -> None:
    with Peer(list_script(2, closing="Cancelled")) as peer:
        ours = connect(peer)
        with pytest.raises(AmiListError, match="broke off"):
            ours.ask_list([("Action", "QueueStatus")])


def test_endless_list_is_cut(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.ami.pending.LIST_ITEMS_MAX", 10)
    with Peer(list_script(11, items=11)) as peer:
        ours = connect(peer)
        with pytest.raises(AmiListError, match="more than 10 items"):
            ours.ask_list([("Action", "QueueStatus")])


def test_refused_list_raises_and_unfinished_list_times_out(connect: Connect) -> None:
    def script(connection: Connection) -> None:
        connection.login()
        connection.reply(connection.read("CoreShowChannels"), "Error", Message="Permission denied")
        connection.reply(connection.read("CoreShowChannels"), EventList="start")
        connection.serve()

    with Peer(script) as peer:
        ours = connect(peer)
        with pytest.raises(AmiRefused, match="Permission denied"):
            ours.ask_list([("Action", "CoreShowChannels")])
        with pytest.raises(AmiTimeout):
            ours.ask_list([("Action", "CoreShowChannels")], deadline=0.05)


# Events


def test_events_arrive_in_order_and_unwanted_ones_are_counted(connect: Connect) -> None:
    data = (DATA / "mixed-200-calls.txt").read_bytes().removeprefix(BANNER)

    def script(connection: Connection) -> None:
        connection.login()
        connection.send(data)
        connection.serve()

    with Peer(script) as peer:
        ours = connect(peer)
        ours.ask([("Action", "Ping")])
        events = [ours.take() for _ in range(ours.inbox.qsize())]
    names = [event.name for event in events]
    expected = [block.split(b"\r\n")[0][7:].decode() for block in data.split(b"\r\n\r\n") if block[:7] == b"Event: "]
    assert names == [name for name in expected if name in WANTED]
    assert ours.counters.events == len(names)
    assert ours.counters.skipped == len(expected) - len(names)


def test_forged_headers_are_dropped_and_forged_events_stay_strangers(connect: Connect) -> None:
    data = (DATA / "injected-repeat.txt").read_bytes().removeprefix(BANNER)

    def script(connection: Connection) -> None:
        connection.login()
        connection.send(data)
        connection.serve()

    with Peer(script) as peer:
        ours = connect(peer)
        ours.ask([("Action", "Ping")])
        assert ours.counters.tampered >= 5
        events = [ours.take() for _ in range(ours.inbox.qsize())]
        assert not [event for event in events if event.tampered()]


def test_flood_does_not_starve_the_consumer(connect: Connect) -> None:
    """A socket that always has data must not keep the reader running until the inbox is full."""
    total = 30_000

    def script(connection: Connection) -> None:
        connection.login()
        connection.send(b"".join(HANGUP % number for number in range(total)))
        connection.serve()

    with Peer(script) as peer:
        ours = connect(peer, inbox_size=5_000)
        for number in range(total):
            event = ours.take()
            assert event.get("Uniqueid") == str(number)
        assert ours.counters.overflows == 0


# Being lost


def test_unanswered_pings_lose_the_connection(connect: Connect) -> None:
    def script(connection: Connection) -> None:
        connection.login()
        connection.read("Never")

    with Peer(script) as peer:
        ours = connect(peer, ping_seconds=0.02)
        assert "did not answer 2 pings" in ours.connection.wait_down()
        assert [action["Action"] for action in peer.connections[0].actions[2:]] == ["Ping", "Ping"]


def test_answered_pings_keep_the_connection_even_when_they_are_refused(connect: Connect) -> None:
    def script(connection: Connection) -> None:
        connection.login()
        while True:
            connection.reply(connection.read("Ping"), "Error", Message="Asterisk is shutting down")

    with Peer(script) as peer:
        ours = connect(peer, ping_seconds=0.01)
        until(lambda: len(peer.connections[0].actions) > 10)
        assert ours.connection.live


def test_peer_that_does_not_read_is_dropped(connect: Connect) -> None:
    def script(connection: Connection) -> None:
        connection.login()
        Event().wait()

    with Peer(script) as peer:
        ours = connect(peer, send_seconds=0.1)
        unanswered = 0

        def count(reply: Message | None) -> None:
            nonlocal unanswered
            unanswered += reply is None

        big = [("Action", "UserEvent"), *[(f"Key{number}", "x" * 1000) for number in range(100)]]
        for _ in range(200):
            ours.send(big, count)
        assert "read nothing for 0.1 s" in ours.connection.wait_down()
        assert unanswered == 200


def test_what_a_lost_connection_has_not_sent_is_not_sent_later_by_the_system(connect: Connect) -> None:
    """An Originate that lies in the kernel when the connection is given up must not ring somebody minutes later."""
    closed = Event()
    ends: list[OSError | None] = []

    def script(connection: Connection) -> None:
        connection.login()
        closed.wait()
        try:
            while connection.sock.recv(65536):
                pass
            ends.append(None)
        except OSError as error:
            ends.append(error)

    with Peer(script) as peer:
        ours = connect(peer, send_seconds=0.1)
        big = [("Action", "UserEvent"), *[(f"Key{number}", "x" * 1000) for number in range(100)]]
        for _ in range(200):
            ours.send(big, lambda reply: None)
        ours.connection.wait_down()
        ours.connection.close()
        closed.set()
        until(lambda: bool(ends))
    assert isinstance(ends[0], ConnectionResetError), "the connection was closed in good order, with all that it held"


def test_a_frozen_or_unreachable_peer_gets_nothing_old(connect: Connect) -> None:
    """The kernel gives up on what was not acknowledged sooner than the shortest call can be given up as lost."""
    with Peer(serving()) as peer:
        sock = connect(peer).connection._sock
        assert sock is not None
        unsent_ms = sock.getsockopt(gevent.socket.IPPROTO_TCP, gevent.socket.TCP_USER_TIMEOUT)
        assert 0 < unsent_ms / 1000 <= OVERDUE_SECONDS


def test_an_action_that_waited_for_too_long_is_not_sent(connect: Connect) -> None:
    """The writer looks at the clock last of all: a process may be frozen between a decision and its sending."""
    told: list[str] = []
    with Peer(serving()) as peer:
        ours = connect(peer)
        ours.send([("Action", "Originate")], lambda _: told.append("reply"), on_stale=lambda: told.append("stale"))
        ours.send(
            [("Action", "Originate"), ("ActionID", "old")],
            lambda _: told.append("reply of the old"),
            fresh_seconds=-0.001,
            on_stale=lambda: told.append("stale"),
        )
        ours.send([("Action", "UserEvent")], lambda _: told.append("reply"))
        until(lambda: len(told) == 3)
        assert sorted(told) == ["reply", "reply", "stale"]
        sent = [(action["Action"], action["ActionID"]) for action in peer.connections[0].actions]
        assert "old" not in [action_id for _, action_id in sent]
        assert ours.counters.stale == 1
        ours.ask([("Action", "Ping"), ("ActionID", "old")])  # and its ActionID is free again


def test_oversized_message_loses_the_connection(connect: Connect) -> None:
    def script(connection: Connection) -> None:
        connection.login()
        connection.send(b"Event: Hangup\r\nUniqueid: " + b"x" * 70_000)
        connection.read("Never")

    with Peer(script) as peer:
        assert "more than 65536" in connect(peer).connection.wait_down()


def test_full_inbox_loses_the_connection_and_keeps_what_it_holds(connect: Connect) -> None:
    def script(connection: Connection) -> None:
        connection.login()
        connection.send(b"".join(HANGUP % number for number in range(20)))
        connection.serve()

    with Peer(script) as peer:
        ours = connect(peer, inbox_size=10)
        assert "10 events wait" in ours.connection.wait_down()
        assert ours.connection.overflowed
        assert [ours.take().get("Uniqueid") for _ in range(10)] == [str(number) for number in range(10)]
        assert ours.inbox.empty()
        assert ours.counters.overflows == 1


# Leaving


def test_logging_off_is_the_reason_it_is_lost_for(connect: Connect) -> None:
    with Peer(serving()) as peer:
        ours = connect(peer)
        ours.connection.log_off()
        assert ours.connection.wait_down() == "the dialer logged off"
        assert peer.connections[0].actions[-1]["Action"] == "Logoff"
        ours.connection.log_off()


def test_closing_fails_what_is_under_way_and_is_harmless_twice(connect: Connect) -> None:
    def script(connection: Connection) -> None:
        connection.login()
        connection.read("Never")

    with Peer(script) as peer:
        ours = connect(peer)
        replies: list[Message | None] = []
        ours.send([("Action", "Originate")], replies.append)
        ours.connection.close()
        assert replies == [None]
        assert not ours.connection.live
        ours.connection.close()
        assert ours.connection.wait_down() == "the connection was closed"


def test_what_is_lost_takes_no_action(connect: Connect) -> None:
    with Peer(serving()) as peer:
        ours = connect(peer)
        ours.connection.close()
        replies: list[Message | None] = []
        with pytest.raises(AmiLinkLost, match=r"Originate was not sent, .* the connection was closed"):
            ours.send([("Action", "Originate")], replies.append)
        with pytest.raises(AmiLinkLost, match="Ping was not sent"):
            ours.ask([("Action", "Ping")], deadline=0.5)
        assert replies == []


def test_closing_what_was_never_opened_is_harmless(connect: Connect) -> None:
    with Peer(serving()) as peer:
        ours = connect(peer, open_it=False)
        ours.connection.log_off()
        ours.connection.close()
        assert not peer.connections
