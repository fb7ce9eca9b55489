"""Automatic redials and scheduled callbacks: when, how often, and in whose night they wait."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.support.caller import NOON, Caller, at
from tests.support.dialects import execute
from tests.support.factories import add_case, add_project, add_trunk


@pytest.fixture(autouse=True)
def project(caller: Caller) -> None:
    add_project(caller.db)
    add_trunk(caller.db)
    caller.start()


def due(caller: Caller, case_id: int) -> datetime:
    """The first instant at which the case is to be dialled, found by asking, not by reading the row."""
    opened: datetime = caller.db.value("dialer_project_until", "p", caller.now)
    caller.now = opened - timedelta(microseconds=1)
    assert case_id not in caller.next(), f"due before {opened}"
    caller.now = opened
    assert case_id in caller.next(), f"not due at {opened}"
    return opened


def test_one_comma_one_gives_exactly_two_redials_each_a_minute_after_the_end_before(caller: Caller) -> None:
    case = add_case(caller.db, call_back=True, call_back_period="1,1")
    caller.call(case, "NOANSWER", ringing=20, ended=3)
    assert caller.claim() == [], "the redial is not due yet"

    assert due(caller, case) == NOON - timedelta(seconds=3) + timedelta(minutes=1)
    assert caller.why(case)["reason"] == "queued"
    second_end = caller.forward(seconds=50)
    caller.call(case, "BUSY")
    assert due(caller, case) == second_end + timedelta(minutes=1)
    assert caller.db.call("dialer_next", "p", caller.now, 1)[0]["kind"] == "redial"
    caller.call(case, "BUSY")

    row = caller.case(case)
    assert row["used"], "the list is exhausted"
    assert row["deferred_done"]
    caller.forward(days=3)
    assert caller.next() == []
    stat = caller.stat(case)
    assert stat is not None
    assert (stat["dial_count"], stat["state"]) == (3, "BUSY")


def test_each_redial_waits_its_own_number_of_minutes(caller: Caller) -> None:
    case = add_case(caller.db, call_back=True, call_back_period=" 30, 5 ,0 ")
    for minutes in (30, 5, 0):
        end = caller.now
        caller.call(case, "CONGESTION", ringing=0)
        caller.now = end + timedelta(minutes=minutes)
        if minutes:
            caller.now -= timedelta(seconds=1)
            assert caller.next() == []
            caller.forward(seconds=1)
        assert caller.next() == [case]
    caller.call(case, "CONGESTION", ringing=0)
    assert caller.case(case)["used"]


def test_an_answer_ends_the_list(caller: Caller) -> None:
    case = add_case(caller.db, call_back=True, call_back_period="1,1")
    caller.call(case, "BUSY")
    caller.forward(minutes=1)
    caller.call(case, "ANSWERED", answered=0)
    assert caller.case(case)["used"]


def test_without_call_back_there_is_no_redial(caller: Caller) -> None:
    case = add_case(caller.db, call_back=False, call_back_period="1,1")
    caller.call(case, "BUSY")
    assert caller.case(case)["used"]


@pytest.mark.parametrize("period", [None, "", "  "])
def test_call_back_without_a_period_gives_no_redial_and_a_warning(caller: Caller, period: str | None) -> None:
    case = add_case(caller.db, call_back=True, call_back_period=period)
    warnings = caller.db.query("SELECT * FROM dialer_warnings WHERE kind <> 'no_opt_out'")
    assert [(row["kind"], row["id"]) for row in warnings] == [("no_redials", case)]
    assert "call_back_period" in warnings[0]["remedy"]
    caller.call(case, "BUSY")
    assert caller.case(case)["used"]


def test_a_redial_outside_its_window_waits_for_it(caller: Caller) -> None:
    case = add_case(
        caller.db, call_back=True, call_back_period="30", utc="+05:30", allowed_start="09:00", allowed_stop="18:00"
    )
    caller.now = at(12, 15)  # 17:45 there
    caller.call(case, "BUSY")
    assert due(caller, case) == at(3, 30, day=2), "9 in the morning there"


def test_a_redial_in_a_window_across_midnight_is_made_after_midnight(caller: Caller) -> None:
    case = add_case(
        caller.db, call_back=True, call_back_period="30,600", utc="-3", allowed_start="22:00", allowed_stop="02:00"
    )
    caller.now = at(2, 50, day=2)  # 23:50 there
    caller.call(case, "BUSY")
    assert due(caller, case) == at(3, 20, day=2), "twenty past midnight there, in the same window"
    caller.call(case, "BUSY")
    assert due(caller, case) == at(1, 0, day=3), "ten hours later it is closed, until 22:00 there"


def test_a_window_keeps_its_local_hour_when_the_clock_is_changed(caller: Caller) -> None:
    case = add_case(
        caller.db,
        call_back=True,
        call_back_period="60,60",
        utc="Europe/Berlin",
        allowed_start="08:00",
        allowed_stop="20:00",
    )
    caller.now = at(18, 30, day=28, month=3)  # 19:30 by winter time
    caller.call(case, "BUSY")
    assert due(caller, case) == at(6, 0, day=29, month=3), "8 o'clock by summer time"
    caller.now = at(17, 30, day=24, month=10)
    caller.call(case, "BUSY")
    assert due(caller, case) == at(7, 0, day=25, month=10), "8 o'clock by winter time"


def test_a_scheduled_callback_is_not_made_before_its_instant(caller: Caller) -> None:
    promised = NOON + timedelta(hours=1)
    case = add_case(caller.db, deferred_time=promised)
    assert caller.why(case)["reason"] == "scheduled"
    assert caller.why(case)["until_at"] == promised
    assert due(caller, case) == promised
    attempt = caller.dial(case)
    assert caller.case(case)["deferred_done"], "the call has been made"
    caller.finish(attempt, "ANSWERED", answered=5)
    assert caller.case(case)["used"]


def test_a_scheduled_callback_starts_the_redial_list_anew(caller: Caller) -> None:
    case = add_case(caller.db, call_back=True, call_back_period="1")
    caller.call(case, "BUSY")
    caller.forward(minutes=1)
    caller.call(case, "BUSY")
    assert caller.case(case)["used"]
    execute(
        caller.db,
        "UPDATE dialer_clients SET deferred_time = :at WHERE id = :id",
        at=NOON + timedelta(hours=1),
        id=case,
    )
    assert not caller.case(case)["used"], "a promise brings the case back"
    caller.now = NOON + timedelta(hours=1)
    caller.call(case, "BUSY")
    caller.forward(minutes=1)
    assert caller.next() == [case]
    caller.call(case, "BUSY")
    assert caller.case(case)["used"]
    stat = caller.stat(case)
    assert stat is not None
    assert stat["dial_count"] == 4, "dial_count never falls"


def test_a_promise_means_the_zone_of_whoever_wrote_it(caller: Caller) -> None:
    case = add_case(caller.db)
    caller.db.run(lambda c: caller.dialect.write_promise(c, case, "2026-06-01 16:30:00", "+03:00"))
    assert caller.case(case)["deferred_time"] == datetime(2026, 6, 1, 13, 30, tzinfo=UTC)
