"""The simulated Asterisk over its socket: sessions, faults, and the virtual clock that waits for its readers."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest
from gevent.event import Event

from simulator import SimulatedAsterisk, call_centre, lab
from simulator.cli import run
from tests.support.waiting import wait_for
from worker.ami.actions import originate
from worker.ami.client import AmiClient, LinkDown, LinkUp
from worker.ami.errors import AmiRefused, AmiTimeout
from worker.ami.message import Message
from worker.clock import Clock, SystemClock, VirtualClock
from worker.errors import DialerError

START = 1_800_000_000.0
WANTED = frozenset(
    {
        *("Newchannel", "Newstate", "DialState", "DialEnd", "Hangup", "OriginateResponse", "Shutdown", "UserEvent"),
        *("QueueCallerJoin", "QueueCallerLeave", "QueueCallerAbandon", "AgentConnect", "AgentComplete"),
    }
)

Serve = Callable[..., SimulatedAsterisk]
Connect = Callable[..., AmiClient]


@pytest.fixture
def serve() -> Iterator[Serve]:
    made: list[SimulatedAsterisk] = []

    def make(clock: Clock | None = None, **scenario: Any) -> SimulatedAsterisk:
        asterisk = SimulatedAsterisk(call_centre(**scenario) if scenario else lab(), clock or SystemClock(), seed=1)
        asterisk.serve()
        made.append(asterisk)
        return asterisk

    yield make
    for asterisk in made:
        asterisk.stop()
        asterisk.stop()  # harmless


@pytest.fixture
def connect() -> Iterator[Connect]:
    clients: list[AmiClient] = []

    def make(asterisk: SimulatedAsterisk, **options: Any) -> AmiClient:
        client = AmiClient(
            *("127.0.0.1", asterisk.port, "dialer", "dialersecret"),
            **{"timeout": 5.0, "wanted": WANTED, "reconnect_seconds": (0.05, 0.2), **options},
        )
        client.start()
        clients.append(client)
        wait_for(lambda: client.connected, 10, "a login")
        return client

    yield make
    for client in clients:
        client.stop()


def call(client: AmiClient, number: str, context: str = "progressive", queue: str = "sales") -> None:
    reply = client.ask(
        originate(
            channel=f"PJSIP/{number}@carrier",
            context=context,
            exten="s",
            timeout_ms=20_000,
            channel_id=f"id-{number}",
            action_id=f"o-{number}",
            caller_id="Dialer <74950000>",
            account="dialer",
            variables={"__DIALER_QUEUE": queue},
        )
    )
    assert reply.get("Message") == "Originate successfully queued"


def heard(client: AmiClient) -> list[Any]:
    """What is in the inbox now."""
    return [client.inbox.get_nowait() for _ in range(client.inbox.qsize())]


def test_calls_go_on_while_the_links_are_down(serve: Serve, connect: Connect) -> None:
    asterisk = serve()
    client = connect(asterisk)
    call(client, "3000001", queue="empty")
    wait_for(lambda: asterisk.statistics.queued == 1, 5, "a caller in the queue")
    asterisk.drop_links()
    wait_for(lambda: client.counters.reconnects == 1, 5, "a new link")
    (channel,) = client.ask_list([("Action", "CoreShowChannels")])
    assert channel.get("Uniqueid") == "id-3000001"
    kinds = [type(item) for item in heard(client) if not isinstance(item, Message)]
    assert kinds == [LinkUp, LinkDown, LinkUp]


def test_a_killed_asterisk_says_nothing_and_has_no_calls_afterwards(serve: Serve, connect: Connect) -> None:
    asterisk = serve()
    client = connect(asterisk)
    call(client, "3000001", queue="empty")
    wait_for(lambda: asterisk.statistics.queued == 1, 5, "a caller in the queue")
    heard(client)
    asterisk.restart("kill")
    wait_for(lambda: client.counters.reconnects == 1, 10, "a new link")
    said = heard(client)
    assert [item for item in said if isinstance(item, Message)] == []
    assert client.ask_list([("Action", "CoreShowChannels")]) == []
    assert asterisk.channels == 0
    (entry,) = asterisk.calls_log
    assert (entry.ended is not None, entry.ended_by) == (True, "switch")
    call(client, "3000001", queue="empty")
    assert len(asterisk.calls_log) == 2


def test_in_a_black_hole_nothing_passes_until_it_ends(serve: Serve, connect: Connect) -> None:
    asterisk = serve()
    client = connect(asterisk)
    asterisk.black_hole(0.5)
    with pytest.raises(AmiTimeout):
        client.ask([("Action", "Ping")], deadline=0.2)
    assert client.ask([("Action", "Ping")], deadline=10).get("Ping") == "Pong"
    assert client.counters.reconnects == 0


def test_a_graceful_restart_can_be_called_off(serve: Serve, connect: Connect) -> None:
    asterisk = serve()
    client = connect(asterisk)
    call(client, "3000001", queue="empty")
    wait_for(lambda: asterisk.statistics.queued == 1, 5, "a caller in the queue")
    asterisk.restart("graceful")
    with pytest.raises(AmiRefused, match="shutting down"):
        client.ask([("Action", "Ping")])
    asterisk.abort_shutdown()
    assert client.ask([("Action", "Ping")]).get("Ping") == "Pong"
    with pytest.raises(ValueError, match="use graceful, now or kill"):
        asterisk.restart("softly")  # type: ignore[arg-type]


def test_time_stands_still_until_every_event_has_been_read(serve: Serve, connect: Connect) -> None:
    """Each event reaches its reader at the very instant at which it happened, with a thousand on the way."""
    clock = VirtualClock(START)
    asterisk = serve(clock, agents=20)
    clock.add_probe(asterisk.busy)
    client = connect(asterisk)
    late: list[float] = []
    names: Counter[str] = Counter()

    def reader() -> None:
        while True:
            item = client.inbox.get()
            if isinstance(item, Message):
                names[item.name] += 1
                late.append(clock.time() - float(item.get("Timestamp")))

    def dial() -> None:
        for n in range(300):
            call(client, f"7495{n:07}")
            clock.sleep(1.0)

    gevent.spawn(reader)
    dialling = gevent.spawn(dial)
    clock.run_until(START + 1_800)
    assert dialling.successful()
    assert names["OriginateResponse"] == 300
    assert names["AgentComplete"] > 50
    # Stamps of one burst rise by a microsecond each.
    assert max(late) < 0.000_1
    assert min(late) > -0.01
    assert asterisk.channels == 0


def test_a_reader_outside_gevents_sight_holds_the_time(serve: Serve) -> None:
    """Bytes that lie unread in the peer's socket are work, though no greenlet waits for them."""
    clock = VirtualClock(START)
    asterisk = serve(clock)
    with socket.create_connection(("127.0.0.1", asterisk.port)) as link:
        wait_for(asterisk.busy, 5, "the banner, unread")
        for _ in range(100):
            gevent.sleep(0)  # everybody has had a turn
            assert asterisk.busy()
        assert link.recv(1_000) == b"Asterisk Call Manager/5.0.4\r\n"
        wait_for(lambda: not asterisk.busy(), 5, "the banner, read")
        link.sendall(b"Action: Ping\r\n\r\n")
        assert asterisk.busy()
        wait_for(lambda: link.recv(1_000), 5, "the refusal")
        wait_for(lambda: not asterisk.busy(), 5, "quiet")
    wait_for(lambda: not asterisk.sessions, 5, "the end of the session")
    assert not asterisk.busy()


def test_a_bad_login_costs_a_second_and_nothing_more(serve: Serve) -> None:
    asterisk = serve()
    with socket.create_connection(("127.0.0.1", asterisk.port), 5) as link:
        link.sendall(b"Action: Login\r\nUsername: dialer\r\nSecret: wrong\r\n\r\n")
        told = b""
        while part := link.recv(1_000):
            told += part
    assert b"Authentication failed" in told
    wait_for(lambda: not asterisk.sessions, 5, "the end of the session")


def test_the_command_serves_until_it_is_stopped(capsys: pytest.CaptureFixture[str]) -> None:
    stop = Event()
    running = gevent.spawn(run, ["--port", "0", "--agents", "3", "--report", "0.05"], stop)
    text = ""

    def told() -> bool:
        nonlocal text
        text += capsys.readouterr().out
        return "originated" in text

    wait_for(told, 5, "a report")
    assert "AMI on 127.0.0.1:" in text
    stop.set()
    running.join(5)
    assert running.value == 0


def test_the_command_names_a_port_that_is_taken(serve: Serve) -> None:
    asterisk = serve()
    with pytest.raises(DialerError, match=f"{asterisk.port} cannot be opened .*--port"):
        run(["--port", str(asterisk.port)], Event())
