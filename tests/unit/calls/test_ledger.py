"""Reports reach the database once each, in batches, whatever the database does meanwhile."""

from __future__ import annotations

import json
import logging
from typing import Any

import gevent
import pytest
from gevent.event import Event
from sqlalchemy.exc import DataError

from tests.support.facts import agent_connect, amd, begin, hangup, key, newchannel, opt_out, ringing, up
from tests.support.fake_database import FakeDatabase
from worker.calls.call import Call
from worker.calls.ledger import ASIDE_FIRST_SECONDS, BATCH, LOCKED_FIRST_SECONDS, Ledger
from worker.calls.opt_outs import AGAIN_FIRST_SECONDS
from worker.calls.tracker import Tracker
from worker.clock import VirtualClock
from worker.errors import DatabaseUnavailable, StatementTimedOut
from worker.model import Outcome, Ownership, Step
from worker.troubles import Troubles


class Told:
    """Has the ledger hear what a tracker finds out."""

    def __init__(self, ledger: Ledger) -> None:
        self.stepped = ledger.stepped
        self.ended = ledger.ended
        self.opted_out = ledger.opted_out

    def astray(self, project_id: str, why: str) -> None:
        pass

    def waits(self) -> None:
        pass


class Setup:
    def __init__(self) -> None:
        self.clock = VirtualClock(1_800_000_000.0)
        self.database = FakeDatabase()
        owner = Ownership(4, "default", 9)
        self.troubles = Troubles(self.database.as_database(), self.clock, owner)
        self.safe: list[int] = []
        """Attempts whose opt-outs are known to be written."""
        self.ledger = Ledger(
            self.database.as_database(),
            self.clock,
            owner,
            self.troubles,
            opt_out_written=lambda call: self.safe.append(call.attempt_id),
        )
        self.tracker = Tracker(self.clock.monotonic, Told(self.ledger))

    def end(self, attempt_id: int, trunk: str = "default") -> Call:
        """An attempt that has ended, not told yet."""
        ids = {"channel_id": f"c{attempt_id}", "action_id": f"a{attempt_id}"}
        call = begin(self.tracker, attempt_id=attempt_id, trunk=trunk, **ids)
        self.tracker.unsent(call, "why")
        return call

    def lock(self, *attempts: int) -> None:
        """Somebody's transaction holds what the ends of these attempts need."""

        def held(arguments: list[Any]) -> None:
            if any(report["attempt_id"] in attempts for report in json.loads(arguments[3])):
                raise StatementTimedOut("of this test", 2, "canceling statement due to statement timeout")

        self.database.before["dialer_attempt_finish"] = held

    def trouble(self, subject: str = "default") -> str | None:
        """What readers see of a trunk."""
        self.troubles.write()
        told = [detail for kind, name, _, detail in self.database.troubles if (kind, name) == ("trunk", subject)]
        return told[-1] if told else None

    def pass_time(self, seconds: float) -> None:
        self.clock.run_until(self.clock.time() + seconds)


@pytest.fixture
def setup() -> Setup:
    return Setup()


def test_nothing_to_tell_asks_nothing(setup: Setup) -> None:
    setup.ledger.flush()
    assert setup.database.calls == []


def test_steps_are_told_as_ages_and_once(setup: Setup) -> None:
    begin(setup.tracker)
    setup.pass_time(3)
    setup.tracker.event(ringing())
    setup.pass_time(2)
    setup.ledger.flush()
    assert setup.database.advanced == [{"attempt_id": 1, "steps": {Step.DIALING: 5.0, Step.RINGING: 2.0}}]
    setup.ledger.flush()
    assert setup.database.calls == ["dialer_attempt_advance"]


def test_end_is_told_with_all_that_is_known(setup: Setup) -> None:
    call = begin(setup.tracker)
    for event in (newchannel(), up(), agent_connect()):
        setup.tracker.event(event)
    setup.pass_time(60)
    setup.tracker.event(hangup(16))
    setup.pass_time(1)
    assert setup.ledger.pending() == 1
    assert setup.ledger.holds(call.attempt_id)
    setup.ledger.flush()
    assert setup.database.ended == [
        {
            "attempt_id": 1,
            "steps": {"dialing": 61.0, "answered": 61.0, "agent": 61.0},
            "agent": "PJSIP/agent1",
            "outcome": "ANSWERED",
            "ended": 1.0,
            "cause": 16,
            "detail": None,
        }
    ]
    assert setup.database.advanced == [], "the end tells the steps too"
    assert setup.ledger.pending() == 0
    assert not setup.ledger.holds(call.attempt_id)


def test_verdict_of_amd_is_told_when_it_comes_and_at_the_end(setup: Setup) -> None:
    begin(setup.tracker)
    for event in (newchannel(), up(), amd("MACHINE")):
        setup.tracker.event(event)
    setup.ledger.flush()
    setup.pass_time(2)
    setup.tracker.event(hangup(16))
    setup.ledger.flush()
    assert [(report["amd"], report["steps"]["amd"]) for report in setup.database.advanced] == [("MACHINE", 0.0)]
    assert [(report["amd"], report["outcome"]) for report in setup.database.ended] == [("MACHINE", "MACHINE")]


def test_outage_loses_nothing_and_makes_no_instant_wrong(setup: Setup) -> None:
    living = begin(setup.tracker, attempt_id=2, channel_id="c2", action_id="a2")
    setup.end(1)
    setup.database.down = True
    for _ in range(3):
        with pytest.raises(DatabaseUnavailable):
            setup.ledger.flush()
    assert setup.ledger.pending() == 1
    setup.pass_time(10)
    setup.end(3)
    setup.database.down = False
    setup.ledger.flush()
    assert [(report["attempt_id"], report["ended"]) for report in setup.database.ended] == [(1, 10.0), (3, 0.0)]
    assert [report["attempt_id"] for report in setup.database.advanced] == [living.attempt_id]


def test_call_that_ends_while_its_steps_cannot_be_told_is_told_once(setup: Setup) -> None:
    call = begin(setup.tracker)
    setup.database.down = True
    with pytest.raises(DatabaseUnavailable):
        setup.ledger.flush()
    setup.tracker.unsent(call, "why")
    setup.database.down = False
    setup.ledger.flush()
    setup.ledger.flush()
    assert setup.database.outcomes() == {1: Outcome.CANCELLED}
    assert setup.database.advanced == []


def test_many_ends_go_in_batches(setup: Setup) -> None:
    for number in range(2 * BATCH + 1):
        setup.end(number)
    setup.ledger.flush()
    assert setup.database.calls == ["dialer_attempt_finish"] * 3
    assert [report["attempt_id"] for report in setup.database.ended] == list(range(2 * BATCH + 1))


def test_two_writers_at_once_lose_no_end(setup: Setup) -> None:
    """One writes while another one begins to: what ended in between must not be dropped with the first batch."""
    setup.database.slow = True
    for number in range(3):
        setup.end(number)
    writers = [gevent.spawn(setup.ledger.flush) for _ in range(2)]
    gevent.sleep(0)
    for number in range(3, 9):
        setup.end(number)
    writers.append(gevent.spawn(setup.ledger.flush))
    gevent.joinall(writers, timeout=5, raise_error=True)
    setup.ledger.flush()
    assert sorted(report["attempt_id"] for report in setup.database.ended) == list(range(9))


def test_report_that_the_database_cannot_take_holds_up_no_other(setup: Setup, caplog: pytest.LogCaptureFixture) -> None:
    def choke(arguments: list[Any]) -> None:
        if any(report["attempt_id"] == 1 for report in json.loads(arguments[3])):
            raise DataError("SELECT …", {}, Exception("value out of range"))

    for number in range(3):
        setup.end(number)
    setup.database.before["dialer_attempt_finish"] = choke
    with caplog.at_level(logging.ERROR):
        setup.ledger.flush()
    assert set(setup.database.outcomes()) == {0, 2}
    assert [record.__dict__["attempt_id"] for record in caplog.records] == [1]
    assert setup.ledger.pending() == 0, "leaving does not wait for it"
    assert setup.ledger.holds(1), "nobody adopts it as a call that may be up"


def test_refused_end_is_told_again_when_the_database_may_take_it(
    setup: Setup, caplog: pytest.LogCaptureFixture
) -> None:
    def choke(_: list[Any]) -> None:
        said = "a constraint of the DBA's says no\nDETAIL:  Failing row contains (Ivan, 79991230642)."
        raise DataError("UPDATE dialer_clients …", {}, Exception(said))

    setup.end(1)
    setup.database.before["dialer_attempt_finish"] = choke
    setup.ledger.flush()
    assert [vars(record)["error"] for record in caplog.records if record.levelname == "ERROR"] == [
        "a constraint of the DBA's says no"
    ]
    setup.pass_time(ASIDE_FIRST_SECONDS / 2)
    setup.database.before.clear()
    setup.ledger.flush()
    assert setup.database.ended == []
    setup.pass_time(ASIDE_FIRST_SECONDS / 2)
    setup.ledger.flush()
    assert [(report["attempt_id"], report["ended"]) for report in setup.database.ended] == [(1, ASIDE_FIRST_SECONDS)]
    assert not setup.ledger.holds(1)


# --- locks -----------------------------------------------------------------------------------------------------


def test_a_lock_on_one_trunk_holds_up_its_own_ends_alone(setup: Setup) -> None:
    for number in (1, 2):
        setup.end(number, "east")
    setup.end(3, "west")
    setup.lock(1, 2)
    setup.ledger.flush()
    assert set(setup.database.outcomes()) == {3}
    assert setup.ledger.pending() == 2
    assert "statement timeout" in (setup.trouble("east") or "")
    assert setup.trouble("west") is None
    setup.end(4, "west")
    setup.ledger.flush()
    assert set(setup.database.outcomes()) == {3, 4}
    setup.database.before.clear()
    setup.ledger.flush()
    assert len(setup.database.outcomes()) == 2, "it comes again after a while"
    assert setup.ledger.due_in() == pytest.approx(LOCKED_FIRST_SECONDS)
    setup.pass_time(LOCKED_FIRST_SECONDS)
    setup.ledger.flush()
    assert set(setup.database.outcomes()) == {1, 2, 3, 4}
    assert setup.trouble("east") is None
    assert setup.ledger.due_in() is None


def test_a_locked_trunk_is_tried_at_growing_intervals(setup: Setup) -> None:
    for number in (1, 2):
        setup.end(number)
    setup.lock(1, 2)
    waits = []
    for _ in range(6):
        setup.ledger.flush()
        waits.append(setup.ledger.due_in() or 0.0)
        setup.pass_time(waits[-1])
    assert waits == pytest.approx([0.5, 1, 2, 4, 5, 5])
    assert setup.database.calls.count("dialer_attempt_finish") == 12, "once all of it, once one of it"


def test_a_row_that_is_held_holds_up_its_own_end_alone(setup: Setup) -> None:
    """The trunk is free: one of the batch passes."""
    for number in range(100):
        setup.end(number)
    setup.lock(17)
    setup.ledger.flush()
    assert set(setup.database.outcomes()) == set(range(100)) - {17}
    assert setup.ledger.pending() == 0
    assert setup.ledger.holds(17)
    assert "attempt 17 of case 7" in (setup.trouble() or "")
    setup.end(100)
    setup.ledger.flush()
    assert 100 in setup.database.outcomes(), "new ends do not wait behind it"
    setup.database.before.clear()
    setup.pass_time(ASIDE_FIRST_SECONDS)
    setup.ledger.flush()
    assert 17 in setup.database.outcomes()
    assert setup.trouble() is None


def test_an_end_that_is_held_alone_delays_the_next_ones_but_little(setup: Setup) -> None:
    setup.end(1)
    setup.lock(1)
    setup.ledger.flush()
    setup.end(2)
    setup.pass_time(LOCKED_FIRST_SECONDS)
    setup.ledger.flush()
    assert set(setup.database.outcomes()) == {2}


def test_who_does_not_wait_for_a_lock_hears_when_it_is_over(setup: Setup) -> None:
    free = Event()
    written = Event()
    setup.ledger._written = written.set

    def wait(arguments: list[Any]) -> None:
        if json.loads(arguments[3])[0]["attempt_id"] == 1:
            free.wait()

    setup.database.before["dialer_attempt_finish"] = wait
    setup.end(1, "east")
    setup.end(2, "west")
    setup.ledger.flush(0.01)
    assert set(setup.database.outcomes()) == {2}
    assert not written.is_set()
    setup.ledger.flush(0.01)
    assert setup.database.calls.count("dialer_attempt_finish") == 2, "its writer is still at it"
    free.set()
    assert written.wait(5)
    assert set(setup.database.outcomes()) == {1, 2}


def test_steps_that_cannot_be_written_hold_up_no_end(setup: Setup) -> None:
    def held(_: list[Any]) -> None:
        raise StatementTimedOut("of this test", 2, "somebody holds the row")

    begin(setup.tracker, attempt_id=5, channel_id="c5", action_id="a5")
    setup.database.before["dialer_attempt_advance"] = held
    setup.end(1)
    setup.ledger.flush()
    setup.end(2)
    setup.ledger.flush()
    assert set(setup.database.outcomes()) == {1, 2}
    assert setup.database.calls.count("dialer_attempt_advance") == 1
    setup.database.before.clear()
    setup.pass_time(setup.ledger.due_in() or 0.0)
    setup.ledger.flush()
    assert [report["attempt_id"] for report in setup.database.advanced] == [5]


def test_one_step_that_is_refused_keeps_no_other_from_being_written(setup: Setup) -> None:
    def choke(arguments: list[Any]) -> None:
        if any(report["attempt_id"] == 3 for report in json.loads(arguments[3])):
            raise DataError("UPDATE dialer_calls …", {}, Exception("a trigger of the DBA's says no"))

    for number in range(6):
        begin(setup.tracker, attempt_id=number, channel_id=f"c{number}", action_id=f"a{number}")
    setup.database.before["dialer_attempt_advance"] = choke
    setup.ledger.flush()
    assert {report["attempt_id"] for report in setup.database.advanced} == {0, 1, 2, 4, 5}


def test_the_log_says_whose_call_ended(setup: Setup, caplog: pytest.LogCaptureFixture) -> None:
    setup.end(3)
    with caplog.at_level(logging.INFO):
        setup.ledger.flush()
    (facts,) = [vars(record) for record in caplog.records if vars(record).get("action") == "attempt_ended"]
    assert (facts["attempt_id"], facts["case_id"], facts["project_id"]) == (3, 7, "p")
    assert facts["number"] == "***0001"


def test_what_never_left_us_says_so(setup: Setup) -> None:
    setup.end(1)
    sent = begin(setup.tracker, attempt_id=2, channel_id="c2", action_id="a2")
    setup.tracker.replied(sent, "Extension does not exist.")
    setup.ledger.flush()
    assert [report.get("unsent") for report in setup.database.ended] == [True, None]


def test_refused_steps_stop_nothing(setup: Setup, caplog: pytest.LogCaptureFixture) -> None:
    def choke(_: list[Any]) -> None:
        raise DataError("UPDATE dialer_attempts …", {}, Exception("a trigger of the DBA's says no"))

    begin(setup.tracker)
    setup.tracker.event(ringing())
    setup.database.before["dialer_attempt_advance"] = choke
    with caplog.at_level(logging.WARNING):
        setup.ledger.flush()
    assert "steps cannot be written" in caplog.text
    setup.end(2)
    setup.ledger.flush()
    assert setup.database.outcomes() == {2: Outcome.CANCELLED}


@pytest.mark.parametrize("ended", [True, False])
def test_what_was_refused_when_the_lease_was_over_is_told_if_nobody_else_took_the_asterisk(
    setup: Setup, ended: bool
) -> None:
    if ended:
        setup.end(1)
    else:
        begin(setup.tracker)
    setup.database.ours = False
    setup.ledger.flush()
    assert setup.ledger.disowned
    setup.database.ours = True
    setup.ledger.flush()
    assert setup.database.ended == setup.database.advanced == [], "the lease is not confirmed yet"
    setup.ledger.disowned = False
    setup.ledger.flush()
    assert [report["attempt_id"] for report in setup.database.ended + setup.database.advanced] == [1]


def test_text_from_outside_can_be_stored(setup: Setup) -> None:
    call = begin(setup.tracker)
    setup.tracker.event(up())
    setup.tracker.event(agent_connect("PJSIP/Andr\udce9"))
    setup.tracker.event(hangup(16))
    call.detail = "a\0b"
    setup.ledger.flush()
    assert (setup.database.ended[0]["agent"], setup.database.ended[0]["detail"]) == ("PJSIP/Andr\ufffd", "a\ufffdb")


# --- opt-outs ------------------------------------------------------------------------------------------------------


def message(setup: Setup, attempt_id: int) -> Call:
    """A call that was answered and hears a message."""
    name = f"c{attempt_id}"
    call = begin(
        setup.tracker, attempt_id=attempt_id, channel_id=name, action_id=f"a{attempt_id}", type="autoinforming"
    )
    setup.tracker.event(up(name))
    return call


def test_keys_are_told_when_they_are_pressed_and_at_the_end(setup: Setup) -> None:
    message(setup, 1)
    for pressed in "1#":
        setup.tracker.event(key(pressed))
        setup.ledger.flush()
    setup.tracker.event(hangup(16))
    setup.ledger.flush()
    assert [report["keys"] for report in setup.database.advanced] == ["1", "1#"]
    assert [report["keys"] for report in setup.database.ended] == ["1#"]


def test_an_opt_out_is_told_at_once_and_with_its_age(setup: Setup) -> None:
    message(setup, 1)
    setup.tracker.event(opt_out("9"))
    setup.pass_time(3)
    setup.ledger.flush()
    assert setup.database.opt_outs == [{"attempt_id": 1, "key": "9", "ago": 3.0}]
    assert setup.safe == [1]
    setup.ledger.flush()
    assert setup.database.calls.count("dialer_opt_out") == 1
    assert setup.database.ended == [], "the call is still up"


def test_a_call_does_not_end_before_its_opt_out_is_written(setup: Setup) -> None:
    """Its number stays in a call, and the next owner of the Asterisk would find the attempt open."""
    call = message(setup, 1)
    message(setup, 2)

    def locked(_: list[Any]) -> None:
        raise StatementTimedOut("of this test", 1, "canceling statement due to statement timeout")

    setup.database.before["dialer_opt_out"] = locked
    setup.tracker.event(opt_out("9"))
    for name in ("c1", "c2"):
        setup.tracker.event(hangup(16, name))
    setup.ledger.flush()
    assert [report["attempt_id"] for report in setup.database.ended] == [2]
    assert setup.ledger.holds(call.attempt_id)
    assert (setup.ledger.pending(), setup.safe) == (0, [])
    assert setup.ledger.due_in() == AGAIN_FIRST_SECONDS
    setup.troubles.write()
    assert [told[2] for told in setup.database.troubles] == ["opt-out"]

    del setup.database.before["dialer_opt_out"]
    setup.pass_time(AGAIN_FIRST_SECONDS)
    setup.ledger.flush()
    assert [report["attempt_id"] for report in setup.database.ended] == [2, 1]
    assert setup.safe == [1]
    assert setup.ledger.due_in() is None


def test_an_outage_keeps_opt_outs_and_the_ends_of_their_calls(setup: Setup) -> None:
    message(setup, 1)
    setup.tracker.event(opt_out("9"))
    setup.tracker.event(hangup(16))
    setup.database.down = True
    with pytest.raises(DatabaseUnavailable):
        setup.ledger.flush()
    assert setup.ledger.pending() == 1
    setup.database.down = False
    setup.pass_time(60)
    setup.ledger.flush()
    assert setup.database.opt_outs == [{"attempt_id": 1, "key": "9", "ago": 60.0}]
    assert setup.database.outcomes() == {1: Outcome.ANSWERED}


def test_an_opt_out_counts_whoever_owns_the_asterisk_by_now(setup: Setup) -> None:
    message(setup, 1)
    setup.end(2)
    setup.database.ours = False
    setup.ledger.flush()
    assert setup.ledger.disowned
    setup.tracker.event(opt_out("9"))
    setup.ledger.flush()
    assert [told["attempt_id"] for told in setup.database.opt_outs] == [1]


def test_an_opt_out_that_is_refused_holds_up_no_other(setup: Setup) -> None:
    """A DBA's trigger, say."""

    def refused(arguments: list[Any]) -> None:
        if any(told["attempt_id"] == 1 for told in json.loads(arguments[0])):
            raise DataError("statement", {}, Exception("no"))

    setup.database.before["dialer_opt_out"] = refused
    for attempt in (1, 2, 3):
        message(setup, attempt)
        setup.tracker.event(opt_out("9", f"c{attempt}"))
        setup.tracker.event(hangup(16, f"c{attempt}"))
    setup.ledger.flush()
    assert setup.safe == [2, 3]
    assert sorted(setup.database.outcomes()) == [2, 3]
    assert setup.ledger.holds(1)
