"""The permission to dial: lines, calls per second, one call per number, who may, and races for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import gevent
import pytest
from sqlalchemy import Connection

from tests.support.caller import NOON, Caller
from tests.support.dialects import Dialect, execute, wait_for_waiting
from tests.support.factories import add_case, add_cases, add_project, add_trunk
from worker.db import Database


@pytest.fixture(autouse=True)
def project(caller: Caller) -> None:
    add_project(caller.db)
    caller.start()


def hopper(caller: Caller, count: int, **columns: Any) -> list[int]:
    """So many claimed cases."""
    add_cases(caller.db, [columns or {} for _ in range(count)])
    claimed = caller.claim(count)
    assert len(claimed) == count
    return claimed


def test_a_permission_says_all_that_originate_needs(caller: Caller) -> None:
    add_trunk(caller.db, dial_template="Local/{number}@out/n")
    execute(
        caller.db,
        "UPDATE dialer_params SET caller_id = 'Us <123>', queue = 'sales', dial_time = 25000, abandon_seconds = 3",
    )
    case = add_case(caller.db, phone_number="*55#", case_name="Ann")
    caller.claim()
    row = caller.begin([case])[0]
    assert (row["channel"], row["phone_number"], row["case_name"]) == ("Local/*55#@out/n", "*55#", "Ann")
    assert (row["exten"], row["context"], row["queue"], row["caller_id"]) == (
        "100",
        "autoinforming",
        "sales",
        "Us <123>",
    )
    assert (float(row["dial_seconds"]), float(row["abandon_seconds"])) == (25, 3)
    attempt = caller.attempt(row["attempt_id"])
    assert (attempt["channel_id"], attempt["action_id"]) == (row["channel_id"], row["action_id"])
    assert (attempt["state"], attempt["begun_at"], attempt["kind"]) == ("begun", NOON, "fresh")


def test_a_refused_case_carries_nothing_of_the_one_before_it(caller: Caller) -> None:
    add_trunk(caller.db)
    first, second = hopper(caller, 2)
    execute(caller.db, "UPDATE dialer_clients SET used = true WHERE id = :id", id=second)
    granted, refused = caller.begin([first, second])
    assert granted["attempt_id"] is not None
    assert {name for name, value in refused.items() if value is not None} == {"case_id", "refusal"}


def test_a_case_that_is_asked_for_twice_is_begun_once(caller: Caller) -> None:
    add_trunk(caller.db)
    [case] = hopper(caller, 1)
    assert caller.refusals([case, case]) == [None, "not_claimed"]
    assert len(caller.db.query("SELECT * FROM dialer_calls")) == 1


# --- lines ------------------------------------------------------------------------------------------------------


def test_the_lines_of_a_project_are_never_exceeded(caller: Caller) -> None:
    add_trunk(caller.db)
    execute(caller.db, f"UPDATE dialer_params SET {caller.dialect.lines} = 2")
    cases = hopper(caller, 4)
    rows = caller.begin(cases)
    assert [row["refusal"] for row in rows] == [None, None, "no_line", "no_line"]
    assert [row["retry_at"] for row in rows] == [None] * 4, "nobody knows when a line is free"
    assert caller.refusals(cases[2:]) == ["no_line"] * 2
    caller.finish(rows[0]["attempt_id"], "BUSY")
    assert caller.refusals(cases[2:]) == [None, "no_line"]


def test_the_lines_of_a_trunk_are_shared_by_its_projects(caller: Caller) -> None:
    add_trunk(caller.db, max_lines=3)
    add_project(caller.db, "q")
    caller.start("q")
    cases = hopper(caller, 2)
    add_cases(caller.db, [{"project_id": "q"}] * 2)
    others = caller.claim(project="q")
    assert caller.refusals(cases) == [None, None]
    assert caller.refusals(others, "q") == [None, "no_line"]


def test_no_lines_of_its_own_means_the_trunks(caller: Caller) -> None:
    add_trunk(caller.db, max_lines=3)
    execute(caller.db, f"UPDATE dialer_params SET {caller.dialect.lines} = 0")
    assert caller.refusals(hopper(caller, 4)) == [None, None, None, "no_line"]


def test_a_trunk_with_no_lines_takes_no_call(caller: Caller) -> None:
    add_trunk(caller.db, max_lines=0)
    assert caller.refusals(hopper(caller, 1)) == ["no_line"]


def test_more_calls_up_than_lines_left_after_an_edit_is_no_error(caller: Caller) -> None:
    add_trunk(caller.db)
    cases = hopper(caller, 4)
    caller.begin(cases[:3])
    execute(caller.db, "UPDATE dialer_trunks SET max_lines = 1")
    execute(caller.db, f"UPDATE dialer_params SET {caller.dialect.lines} = 1")
    assert caller.refusals(cases[3:]) == ["no_line"]


def test_a_project_without_its_trunk_cannot_be_dialled(caller: Caller) -> None:
    assert caller.refusals(hopper(caller, 1)) == ["no_trunk"]


# --- calls per second -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [0.5, 1, 2.5, 3, 10])
def test_calls_are_spaced_evenly_however_often_is_asked(caller: Caller, rate: float) -> None:
    """Asked far too often, calls begin at the trunk's rate and never closer to each other than that."""
    add_trunk(caller.db, calls_per_second=rate, burst=1)
    cases = hopper(caller, 40)
    begun: list[datetime] = []
    for _ in range(100):
        for row in caller.begin(cases[:4]):
            if row["refusal"] is None:
                begun.append(caller.now)
                cases.remove(row["case_id"])
            else:
                assert row["refusal"] == "pacing"
        if len(cases) < 4:
            break
        caller.forward(seconds=0.05)
    apart = [(after - before).total_seconds() for before, after in pairwise(begun)]
    assert all(seconds >= 1 / rate - 0.05 for seconds in apart), "asked each 50 ms, one may come so much late"
    assert len(begun) >= (begun[-1] - NOON).total_seconds() * rate * 0.9, "what is late is made good"


def test_twenty_calls_a_second_are_permitted_exactly_50_ms_apart(caller: Caller) -> None:
    """By who comes back when he is told to; a hundredth of the rate is not lost."""
    add_trunk(caller.db, calls_per_second=20, burst=2)
    cases = hopper(caller, 203)
    for number in range(200):
        rows = caller.begin(cases[:3])
        assert [row["refusal"] for row in rows] == [None, "pacing", "pacing"], number
        assert rows[1]["retry_at"] - caller.now == timedelta(milliseconds=50)
        cases.pop(0)
        caller.now = rows[1]["retry_at"]
    assert caller.now - NOON == timedelta(seconds=10)


@pytest.mark.parametrize(("late", "permitted"), [(0.04, 1), (0.05, 2), (0.06, 2), (0.9, 2), (1.1, 1), (3600, 1)])
def test_a_turn_that_comes_late_is_made_good_up_to_the_burst(caller: Caller, late: float, permitted: int) -> None:
    add_trunk(caller.db, calls_per_second=20, burst=2)
    cases = hopper(caller, 9)
    assert caller.refusals(cases[:1]) == [None]
    caller.forward(seconds=0.05 + late)
    rows = caller.begin(cases[1:])
    assert [row["refusal"] for row in rows] == [None] * permitted + ["pacing"] * (8 - permitted)
    assert rows[-1]["retry_at"] > caller.now


def test_a_fast_trunk_permits_at_once_what_falls_due_in_50_ms(caller: Caller) -> None:
    """A turn of the worker takes a while: else the rate could not be reached."""
    add_trunk(caller.db, calls_per_second=400, burst=2)
    cases = hopper(caller, 30)
    assert [row["refusal"] for row in caller.begin(cases)].count(None) == 20


def test_a_clock_that_was_set_back_stops_no_trunk(caller: Caller) -> None:
    add_trunk(caller.db, calls_per_second=1, burst=1)
    cases = hopper(caller, 3)
    assert caller.refusals(cases[:1]) == [None]
    caller.forward(minutes=-20)
    assert caller.refusals(cases[1:]) == [None, "pacing"]


def test_another_rate_holds_at_once(caller: Caller) -> None:
    add_trunk(caller.db, calls_per_second=0.01, burst=1)
    cases = hopper(caller, 3)
    assert caller.refusals(cases[:2]) == [None, "pacing"]
    execute(caller.db, "UPDATE dialer_trunks SET calls_per_second = 20")
    assert caller.refusals(cases[1:]) == [None, "pacing"]


@pytest.mark.parametrize("rate", [0.5, 2.5, 4])
def test_retry_at_is_the_first_instant_at_which_a_call_is_permitted(caller: Caller, rate: float) -> None:
    add_trunk(caller.db, calls_per_second=rate, burst=1)
    cases = hopper(caller, 40)
    for _ in range(3):
        rows = caller.begin(cases[:9])
        cases = [case for case in cases if case not in {row["case_id"] for row in rows if row["attempt_id"]}]
        last = rows[-1]
        assert last["refusal"] == "pacing", "what may not begin now is told when to come back"
        caller.now = last["retry_at"] - timedelta(milliseconds=1)
        assert caller.refusals(cases[:1]) == ["pacing"]
        caller.now = last["retry_at"]
        assert caller.refusals(cases[:1]) == [None]
        cases.pop(0)
        caller.forward(seconds=3)


def test_the_pace_of_a_trunk_is_its_own(caller: Caller) -> None:
    add_trunk(caller.db, calls_per_second=1, burst=1)
    add_trunk(caller.db, "second", calls_per_second=1, burst=1)
    add_project(caller.db, "q", trunk="second")
    caller.start("q")
    first = hopper(caller, 2)
    add_cases(caller.db, [{"project_id": "q"}])
    assert caller.refusals(first) == [None, "pacing"]
    assert caller.refusals(caller.claim(project="q"), "q") == [None]


# --- one call per number ----------------------------------------------------------------------------------------


def test_a_number_is_in_one_call_at_a_time_over_all_projects(caller: Caller) -> None:
    add_trunk(caller.db)
    add_project(caller.db, "q")
    caller.start("q")
    mine, again = hopper(caller, 2, phone_number="42")
    add_cases(caller.db, [{"phone_number": "42", "project_id": "q"}])
    others = caller.claim(project="q")
    rows = caller.begin([mine, again])
    assert [row["refusal"] for row in rows] == [None, "number_in_call"]
    assert caller.refusals(others, "q") == ["number_in_call"]
    assert not caller.case(again)["checked"], "given back"
    caller.finish(rows[0]["attempt_id"], "BUSY")
    assert caller.claim() == [again]
    assert caller.refusals([again]) == [None]


# --- who may, and when ------------------------------------------------------------------------------------------


def test_only_what_this_owner_has_claimed_may_be_dialled(caller: Caller) -> None:
    add_trunk(caller.db)
    unclaimed = add_case(caller.db)
    assert caller.refusals([unclaimed, unclaimed + 1]) == ["not_claimed", "not_claimed"]
    case = hopper(caller, 1)[0]
    assert caller.refusals([case, case]) == [None, "not_claimed"], "once"
    assert caller.db.query("SELECT * FROM dialer_invariants") == []


def test_a_claim_made_on_another_asterisk_is_not_good_here(caller: Caller) -> None:
    add_trunk(caller.db)
    add_trunk(caller.db, asterisk="east")
    case = hopper(caller, 1)[0]
    epoch = int(caller.db.value("dialer_asterisk_own", caller.worker_id, "east", 60))
    assert epoch == caller.epoch, "or the test shows nothing"
    caller.asterisk = "east"
    assert caller.refusals([case]) == ["not_claimed"]


def test_the_window_is_tested_again_at_the_call(caller: Caller) -> None:
    add_trunk(caller.db)
    case = hopper(caller, 1, allowed_start="09:00", allowed_stop="12:30")[0]
    caller.now = NOON + timedelta(minutes=30)
    assert caller.refusals([case]) == ["window_closed"]
    assert not caller.case(case)["checked"]


def test_no_attempt_begins_in_a_stopped_failing_or_vanished_project(caller: Caller) -> None:
    add_trunk(caller.db)
    case = hopper(caller, 1)[0]
    caller.db.call("dialer_project_report", *caller.owner, "p", "no queue", caller.now)
    assert caller.refusals([case]) == ["project_failing"]
    caller.db.call("dialer_project_report", *caller.owner, "p", None, caller.now)
    execute(caller.db, "DELETE FROM dialer_params")
    assert caller.refusals([case]) == ["project_stopped"]
    assert caller.refusals([case], "nobody") == ["project_stopped"]


def test_stop_then_begin_is_refused(caller: Caller) -> None:
    add_trunk(caller.db)
    case = hopper(caller, 1)[0]
    answer = caller.stop()
    assert (answer["state"], answer["calls_up"]) == ("stopped", 0)
    assert caller.refusals([case]) == ["project_stopped"]
    assert not caller.case(case)["checked"], "stop has given it back"


def test_stop_tells_how_many_calls_are_up_and_lets_them_end(caller: Caller) -> None:
    add_trunk(caller.db)
    attempt = caller.dial(add_case(caller.db))
    assert caller.stop()["calls_up"] == 1
    assert caller.finish(attempt, "ANSWERED", answered=1)


# --- races, on connections of their own -------------------------------------------------------------------------


def in_background(work: Callable[..., Any], *arguments: object) -> gevent.Greenlet[..., Any]:
    return gevent.spawn(work, *arguments)


def begin_in(connection: Connection, caller: Caller, project: str, case: int) -> str | None:
    """Begin a case inside a transaction that stays open; the refusal."""
    lock(connection)
    request = json.dumps([{"case_id": case, "channel_id": "c", "action_id": "a"}])
    statement = caller.dialect.call("dialer_attempt_begin", *caller.owner, project, request, NOON)
    refusal: str | None = connection.exec_driver_sql(statement).mappings().one()["refusal"]
    return refusal


def lock(connection: Connection) -> None:
    """Begin the transaction: on MariaDB a routine commits unless it finds itself in one."""
    connection.exec_driver_sql("UPDATE dialer_settings SET value = value WHERE name = 'nobody'")


def test_a_begin_that_meets_an_uncommitted_stop_waits_and_is_refused(
    caller: Caller, other: Database, dialect: Dialect
) -> None:
    add_trunk(caller.db)
    cases = hopper(caller, 3)
    with other.transaction() as connection:
        lock(connection)
        connection.exec_driver_sql(dialect.call("dialer_project_stop", "p"))
        begin = in_background(lambda: caller.refusals(cases))
        wait_for_waiting(caller.db, dialect)
        assert not begin.ready()
    assert begin.get(timeout=10) == ["project_stopped"] * 3
    assert caller.db.query("SELECT * FROM dialer_calls") == []


def test_a_stop_that_meets_an_uncommitted_begin_waits_and_counts_its_call(
    caller: Caller, other: Database, dialect: Dialect
) -> None:
    add_trunk(caller.db)
    case = hopper(caller, 1)[0]
    begin = Caller.begin

    with other.transaction() as connection:
        begin_in(connection, caller, "p", case)
        stop = in_background(caller.stop)
        wait_for_waiting(caller.db, dialect)
        assert not stop.ready()
    assert stop.get(timeout=10)["calls_up"] == 1
    assert begin(caller, [case])[0]["refusal"] == "project_stopped"


def test_two_projects_that_want_one_number_at_once_get_one_call(
    caller: Caller, other: Database, dialect: Dialect
) -> None:
    """On trunks of their own, so that only the number stands between them."""
    add_trunk(caller.db)
    add_trunk(caller.db, "second")
    add_project(caller.db, "q", trunk="second")
    caller.start("q")
    case = hopper(caller, 1, phone_number="42")[0]
    add_cases(caller.db, [{"phone_number": "42", "project_id": "q"}])
    rival = caller.claim(project="q")[0]
    with other.transaction() as connection:
        assert begin_in(connection, caller, "q", rival) is None
        begin = in_background(lambda: caller.refusals([case]))
        wait_for_waiting(caller.db, dialect)
    assert begin.get(timeout=10) == ["number_in_call"]
    assert len(caller.db.query("SELECT * FROM dialer_live")) == 1


def test_four_claimers_at_once_take_each_case_once_and_leave_none(caller: Caller) -> None:
    add_cases(caller.db, [{"priority": number % 7, "utc": ["Z", "+1"][number % 2]} for number in range(400)])
    execute(caller.db, "UPDATE dialer_params SET case_limit = 1000")

    def claim_all() -> list[int]:
        mine: list[int] = []
        while taken := caller.claim(7):
            mine += taken
        return mine

    hands = [in_background(claim_all) for _ in range(4)]
    taken = [case for hand in hands for case in hand.get(timeout=60)]
    assert len(taken) == 400, "none lost"
    assert len(set(taken)) == 400, "none twice"
    assert sum(1 for hand in hands if hand.value) > 1, "or it was no race"
    assert caller.db.query("SELECT * FROM dialer_invariants") == []


def test_four_beginners_at_once_keep_to_the_lines(caller: Caller) -> None:
    add_trunk(caller.db, max_lines=30)
    execute(caller.db, f"UPDATE dialer_params SET {caller.dialect.lines} = 25")
    cases = hopper(caller, 60)

    def begin_one_by_one(mine: list[int]) -> list[str | None]:
        return [caller.refusals([case])[0] for case in mine]

    hands = [in_background(begin_one_by_one, cases[number::4]) for number in range(4)]
    said = [refusal for hand in hands for refusal in hand.get(timeout=60)]
    assert said.count(None) == 25
    assert set(said) == {None, "no_line"}
    assert len(caller.db.query("SELECT * FROM dialer_live")) == 25


def test_a_beat_is_not_kept_waiting_by_a_begin_that_waits(caller: Caller, other: Database, dialect: Dialect) -> None:
    """Otherwise an open transaction on what the dialer knows of a trunk would cost the worker its lease."""
    add_trunk(caller.db)
    first, case = hopper(caller, 2)
    assert caller.refusals([first]) == [None]
    with other.transaction() as dba:
        dba.exec_driver_sql("UPDATE dialer_trunk_states SET retries = 1")
        begin = in_background(lambda: caller.refusals([case]))
        wait_for_waiting(caller.db, dialect)
        assert caller.db.value("dialer_worker_beat", caller.worker_id, 60)
        assert not begin.ready()
    assert begin.get(timeout=10) == [None]


def test_a_trunk_that_is_being_edited_is_dialled_as_it_was(caller: Caller, other: Database) -> None:
    add_trunk(caller.db)
    first, second = hopper(caller, 2)
    with other.transaction() as dba:
        dba.exec_driver_sql("UPDATE dialer_trunks SET max_lines = 1")
        [begun] = caller.begin([first])
        assert begun["refusal"] is None
        assert caller.finish(begun["attempt_id"], "BUSY", ringing=1)
        assert caller.refusals([second]) == [None]


# --- a row that got past the contract -----------------------------------------------------------------------------


def test_a_number_that_is_none_is_never_dialled_and_told(caller: Caller) -> None:
    """However it came there: a DBA who has switched the triggers off, a restored dump."""
    add_trunk(caller.db)
    bad, good = hopper(caller, 2)
    with caller.dialect.unchecked(caller.db, "dialer_clients"):
        execute(caller.db, "UPDATE dialer_clients SET phone_number = '' WHERE id = :id", id=bad)
    assert caller.refusals([bad, good]) == ["bad_number", None]
    row = caller.case(bad)
    assert (row["used"], row["checked"]) == (True, False)
    [warning] = caller.db.query("SELECT detail FROM dialer_warnings WHERE kind = 'case_trouble'")
    assert f"case {bad} of project p" in warning["detail"]
    assert caller.db.query("SELECT * FROM dialer_invariants") == []
    execute(caller.db, "DELETE FROM dialer_clients WHERE id = :id", id=bad)
    caller.db.call("dialer_prune", caller.now)
    assert caller.db.query("SELECT * FROM dialer_warnings WHERE kind = 'case_trouble'") == []


def test_a_number_that_became_none_during_its_call_is_no_obstacle_to_its_end(caller: Caller) -> None:
    add_trunk(caller.db)
    [case] = hopper(caller, 1)
    attempt = caller.begin([case])[0]["attempt_id"]
    with caller.dialect.unchecked(caller.db, "dialer_clients"):
        execute(caller.db, "UPDATE dialer_clients SET phone_number = '', allowed_start = ''")
    assert caller.finish(attempt, "ANSWERED", answered=1)
    assert not caller.case(case)["checked"]
    assert caller.db.query("SELECT * FROM dialer_live") == []
    assert caller.db.query("SELECT * FROM dialer_invariants") == []
