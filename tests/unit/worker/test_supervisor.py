"""No loop of the dialer dies of an error that nobody has foreseen."""

from __future__ import annotations

import ast
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gevent
import pytest
from gevent.event import Event

from tests.support.ami_peer import Peer, until
from tests.support.fake_database import FakeDatabase
from tests.unit.asterisk.test_session import Asterisk, Lab
from worker import supervisor as module
from worker.ami.connection import AmiConnection
from worker.asterisk import session as session_module
from worker.errors import DatabaseUnavailable
from worker.supervisor import TELL_AFTER, Supervisor, errand

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FIRST_SECONDS", "MOST_SECONDS", "AWAY_SECONDS"):
        monkeypatch.setattr(module, name, 0.001)
    for name in ("AGAIN_SECONDS", "CHECK_SECONDS", "STOPPING_SECONDS"):
        monkeypatch.setattr(session_module, name, 0.02)


# --- nothing else spawns ---------------------------------------------------------------------------------


def spawned(path: Path) -> Iterator[int]:
    """Lines on which greenlets or threads are made."""
    names = {"spawn", "spawn_later", "spawn_raw", "Greenlet", "Thread", "start_new_thread", "spawn_link_exception"}
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in names:
                yield node.lineno


def test_greenlets_are_made_by_the_supervisor_alone() -> None:
    makers = {
        str(path.relative_to(ROOT)): list(spawned(path))
        for package in ("worker", "simulator", "api", "dialer", "sql")
        for path in sorted((ROOT / package).rglob("*.py"))
    }
    assert [path for path, lines in makers.items() if lines] == ["worker/supervisor.py"], makers


# --- a loop ----------------------------------------------------------------------------------------------


class Loop:
    """A loop that fails as often as a test wants."""

    def __init__(self) -> None:
        self.stopped = Event()
        self.told: list[tuple[str, str | None]] = []
        self.turns = 0
        self.fails: list[Exception] = []
        self.supervisor = Supervisor(self.stopped, tell=lambda name, said: self.told.append((name, said)))
        self.supervisor.keep("looks", self.turn)

    def turn(self) -> None:
        self.turns += 1
        if self.fails:
            raise self.fails.pop(0)
        self.stopped.wait(0.001)


@pytest.fixture
def loop() -> Iterator[Loop]:
    made = Loop()
    yield made
    made.stopped.set()
    made.supervisor.join()


def test_a_loop_goes_on_after_an_error_and_says_so_once(loop: Loop, caplog: pytest.LogCaptureFixture) -> None:
    loop.fails = [KeyError("x")] * 20
    until(lambda: not loop.fails)
    turns = loop.turns
    until(lambda: loop.turns > turns + 3)
    said = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [(record.getMessage(), record.exc_info is not None) for record in said] == [("looks: a turn failed", True)]


def test_readers_are_told_of_a_loop_that_keeps_failing_and_when_it_works_again(loop: Loop) -> None:
    loop.fails = [ValueError("odd")] * (TELL_AFTER - 1)
    until(lambda: not loop.fails)
    assert loop.told == []
    loop.fails = [ValueError("odd")] * (2 * TELL_AFTER)
    until(lambda: len(loop.told) == 2)
    assert loop.told == [("looks", "ValueError: odd"), ("looks", None)]


def test_a_database_that_is_away_is_waited_for_without_a_word(loop: Loop, caplog: pytest.LogCaptureFixture) -> None:
    loop.fails = [DatabaseUnavailable("of this test", "it is down")] * 10
    until(lambda: not loop.fails)
    assert loop.told == []
    assert caplog.records == [], "Database tells it, for all loops at once"


def test_what_tells_of_it_may_fail_too(loop: Loop) -> None:
    def choke(_: str, __: str | None) -> None:
        raise RuntimeError("nobody hears")

    loop.supervisor._tell = choke
    loop.fails = [ValueError("odd")] * (2 * TELL_AFTER)
    until(lambda: not loop.fails)
    turns = loop.turns
    until(lambda: loop.turns > turns)


def test_an_errand_that_fails_is_a_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    def choke() -> None:
        raise ValueError("odd")

    errand(choke).join(5)
    assert [record.exc_info is not None for record in caplog.records] == [True]


# --- every loop of a session -----------------------------------------------------------------------------


@pytest.fixture
def lab() -> Iterator[Lab]:
    asterisk = Asterisk()
    with Peer(asterisk) as peer:
        made = Lab(peer.port, asterisk, FakeDatabase())
        yield made
        made.session.stop()


def chokes(times: int, real: Callable[..., Any]) -> Callable[..., Any]:
    """`real`, which fails so many times first in a way that nobody has foreseen."""
    left = [times]

    def call(*arguments: Any, **named: Any) -> Any:
        if left[0] > 0:
            left[0] -= 1
            raise KeyError("unforeseen")
        return real(*arguments, **named)

    return call


@pytest.mark.parametrize("times", [1, 5])
@pytest.mark.parametrize(
    "part",
    [
        "_take",
        "_event",
        "_stir",
        "_confirm_members",
        "_look_around",
        "_list",
        "_up",
        "_tell",
        "_agents_table.write",
        "tracker.event",
        "tracker.tick",
        "tracker.overdue_calls",
        "tracker.reconcile",
        "agents.event",
        "agents.table",
        "agents.next_free_in",
        "agents.replace_all",
        "ledger.flush",
        "ledger.due_in",
        "ledger._write_lane",
        "ledger._report_of",
        "troubles.turn",
        "troubles.write",
        "connection._dispatch",
        "connection._keep_alive",
        "client._serve_one_connection",
        "client._wait_for_room",
    ],
)
def test_a_session_outlives_an_error_at_any_of_its_turns(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, part: str, times: int
) -> None:
    session = lab.start()
    *path, name = part.split(".")
    owner: Any = session
    for step in path:
        owner = AmiConnection if step == "connection" else getattr(owner, step)  # also those that are yet to come
    monkeypatch.setattr(owner, name, chokes(times, getattr(owner, name)))
    session.client._options = replace(session.client._options, ping_seconds=0.01)
    for _ in range(times):
        session._look()
        session._unwritten.set()
        gevent.sleep(0.01)
        if session.client.connected:
            lab.asterisk.event("QueueMemberStatus", Queue="sales", Interface="PJSIP/agent1", Status=1)
            lab.asterisk.event("QueueMemberAdded", Queue="sales", Interface="PJSIP/agent2", Status=1)
    if part.startswith(("client", "connection")):
        links = session.client.counters.reconnects
        lab.asterisk.cut()
        until(lambda: session.client.counters.reconnects > links, seconds=20)
    session.troubles.note("project", "p", "claim", "no cases")
    # All is done that a session is for: a call is sent, followed to its end and written, and readers are told.
    until(lambda: session.ready, seconds=20)
    lab.originate(1)
    until(lambda: lab.outcome(1) is not None or bool(lab.asterisk.originates), seconds=20)

    def end() -> bool:
        if session.client.connected:
            lab.asterisk.event("Newchannel", Uniqueid="c1", Linkedid="c1", Channel="PJSIP/x")
            lab.asterisk.event("OriginateResponse", ActionID="a1", Response="Failure", Reason=0)
            lab.asterisk.event("Hangup", Uniqueid="c1", Cause=17)
        gevent.sleep(0.02)
        return lab.outcome(1) is not None

    until(end, seconds=20)
    until(lambda: ("project", "p", "claim", "no cases") in lab.database.troubles, seconds=20)
    until(lambda: bool(lab.database.agents), seconds=20)
