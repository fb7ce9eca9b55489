"""What each outcome does to its case, to dialer_stat and to the rates."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.support.caller import NOON, Caller, ended
from tests.support.dialects import query_at
from tests.support.factories import add_case, add_project, add_trunk

# contract: outcome -> redial, uses up an attempt
TABLE = {
    "ANSWERED": (False, True),
    "ABANDONED": (True, True),
    "EARLY_HANGUP": (True, True),
    "MACHINE": (True, True),
    "BUSY": (True, True),
    "NOANSWER": (True, True),
    "REJECTED": (True, True),
    "INVALID": (False, True),
    "CONGESTION": (True, True),
    "UNAVAILABLE": (True, True),
    "FAILED": (False, False),
    "CANCELLED": (False, False),
    "TECHNICAL": (False, False),
    "LOST": (True, True),
}
WITH_REDIAL = [outcome for outcome, (redial, uses) in TABLE.items() if redial and uses]
WITHOUT_REDIAL = [outcome for outcome, (redial, uses) in TABLE.items() if not redial and uses]
BACK = [outcome for outcome, (_, uses) in TABLE.items() if not uses]


@pytest.fixture(autouse=True)
def project(caller: Caller) -> None:
    add_project(caller.db, type="progressive")
    add_trunk(caller.db)
    caller.start()


@pytest.fixture
def case(caller: Caller) -> int:
    return add_case(caller.db, call_back=True, call_back_period="15")


def test_the_table_of_outcomes_is_the_contracts(caller: Caller) -> None:
    rows = caller.db.query("SELECT * FROM dialer_outcomes")
    assert {row["outcome"]: (bool(row["redial"]), bool(row["uses_attempt"])) for row in rows} == TABLE


@pytest.mark.parametrize("outcome", WITH_REDIAL)
def test_the_outcome_is_redialled_while_the_list_lasts(caller: Caller, case: int, outcome: str) -> None:
    attempt = caller.call(case, outcome)
    row = caller.case(case)
    assert not row["used"]
    assert not row["checked"]
    assert (row["deferred_kind"], row["deferred_done"]) == ("redial", False)
    assert row["deferred_time"] == NOON + timedelta(minutes=15)
    assert caller.attempt(attempt)["effect"] == "redial"
    caller.now = row["deferred_time"]
    assert caller.attempt(caller.call(case, outcome))["effect"] == "used"
    assert caller.case(case)["used"]


@pytest.mark.parametrize("outcome", WITHOUT_REDIAL)
def test_the_outcome_uses_the_case_up_whatever_the_list_says(caller: Caller, case: int, outcome: str) -> None:
    attempt = caller.call(case, outcome)
    assert caller.case(case)["used"]
    assert caller.attempt(attempt)["effect"] == "used"


@pytest.mark.parametrize("outcome", BACK)
def test_the_outcome_gives_the_case_back_as_it_was_only_later(caller: Caller, case: int, outcome: str) -> None:
    caller.call(case, outcome)
    row = caller.case(case)
    assert not row["used"]
    assert (row["redials_done"], row["deferred_time"], row["deferred_kind"]) == (0, None, None)
    why = caller.why(case)
    assert why["reason"] == "delayed"
    assert caller.next() == []
    caller.now = why["until_at"]
    assert caller.next() == [case]
    assert caller.db.call("dialer_next", "p", caller.now, 1)[0]["kind"] == "fresh"


@pytest.mark.parametrize("outcome", BACK)
def test_a_promise_whose_call_could_not_be_made_is_still_to_be_kept(caller: Caller, outcome: str) -> None:
    case = add_case(caller.db, deferred_time=NOON)
    caller.call(case, outcome)
    row = caller.case(case)
    assert (row["deferred_time"], row["deferred_kind"], row["deferred_done"]) == (NOON, "scheduled", False)
    caller.now = row["not_before_at"]
    assert caller.db.call("dialer_next", "p", caller.now, 1)[0]["kind"] == "scheduled"


@pytest.mark.parametrize("outcome", BACK)
def test_a_redial_that_could_not_be_made_does_not_cost_one(caller: Caller, case: int, outcome: str) -> None:
    caller.call(case, "BUSY")
    caller.forward(minutes=15)
    caller.call(case, outcome)
    caller.now = caller.case(case)["not_before_at"]
    assert caller.db.call("dialer_next", "p", caller.now, 1)[0]["kind"] == "redial"
    caller.call(case, "BUSY")
    assert caller.case(case)["used"], "and gives none for free"


@pytest.mark.parametrize("outcome", ["CANCELLED", "TECHNICAL"])
@pytest.mark.parametrize(("period", "minutes"), [("3", 10), ("15", 15), (None, 10)])
def test_a_phone_that_rang_is_left_alone_for_the_period_and_ten_minutes_at_least(
    caller: Caller, outcome: str, period: str | None, minutes: int
) -> None:
    case = add_case(caller.db, call_back=True, call_back_period=period)
    caller.call(case, outcome, ringing=4)
    caller.now = NOON + timedelta(minutes=minutes, seconds=-1)
    assert caller.next() == []
    caller.forward(seconds=1)
    assert caller.next() == [case]


@pytest.mark.parametrize("outcome", ["CANCELLED", "TECHNICAL"])
def test_a_phone_that_did_not_ring_may_be_called_within_seconds(caller: Caller, case: int, outcome: str) -> None:
    caller.call(case, outcome, dialing=1)
    caller.forward(seconds=15)
    assert caller.next() == [case]


def test_failed_goes_back_with_a_growing_delay_and_the_tenth_uses_the_case_up(caller: Caller, case: int) -> None:
    delays = []
    for _ in range(9):
        before = caller.now
        caller.call(case, "FAILED", detail="no such endpoint")
        caller.now = caller.case(case)["not_before_at"]
        delays.append(caller.now - before)
    assert delays == sorted(delays)
    assert delays[0] <= timedelta(seconds=30)
    assert delays[4] > 10 * delays[0]
    assert delays[-1] <= timedelta(hours=1)
    assert [row["kind"] for row in caller.db.query("SELECT * FROM dialer_warnings WHERE kind <> 'no_opt_out'")] == []

    caller.call(case, "FAILED")
    assert caller.case(case)["used"]
    warning = caller.db.query("SELECT * FROM dialer_warnings WHERE kind <> 'no_opt_out'")[0]
    assert (warning["kind"], warning["id"]) == ("call_never_made", case)
    stat = caller.stat(case)
    assert stat is not None
    assert (stat["dial_count"], stat["state"]) == (0, "FAILED"), "no call was ever made"


def test_failures_count_only_in_a_row(caller: Caller, case: int) -> None:
    for _ in range(5):
        caller.call(case, "FAILED")
        caller.now = caller.case(case)["not_before_at"]
    caller.call(case, "BUSY")
    assert caller.case(case)["failures"] == 0


@pytest.mark.parametrize("outcome", [one for one in TABLE if one != "FAILED"])
def test_every_call_that_left_counts_in_dialer_stat(caller: Caller, case: int, outcome: str) -> None:
    caller.call(case, outcome)
    stat = caller.stat(case)
    assert stat is not None
    assert (stat["dial_count"], stat["state"], stat["ended"]) == (1, outcome, NOON)
    assert (stat["case_name"], stat["project_id"]) == ("somebody", "p")


# --- the end is told once, and order does not matter ------------------------------------------------------------


def test_an_end_told_twice_changes_nothing(caller: Caller, case: int) -> None:
    attempt = caller.dial(case)
    caller.finish(attempt, "BUSY", cause=17, ringing=3)
    before = (caller.attempt(attempt), caller.case(case), caller.stat(case))
    caller.forward(seconds=5)
    assert caller.finish(attempt, "ANSWERED", cause=16, answered=2)
    assert caller.advance(attempt, agent=1)
    assert (caller.attempt(attempt), caller.case(case), caller.stat(case)) == before


def test_steps_in_any_order_and_twice_give_the_same(caller: Caller) -> None:
    results = []
    for order in (["ringing", "answered", "agent"], ["agent", "ringing", "answered"], ["answered", "answered"]):
        attempt = caller.dial(add_case(caller.db))
        for step in order:
            caller.advance(attempt, None, **{step: 2.0})
            caller.forward(seconds=1)
            caller.advance(attempt, None, **{step: 0.5})
        results.append(caller.attempt(attempt))
    assert [row["state"] for row in results] == ["connected", "connected", "answered"]
    first = results[1]
    assert first["agent_at"] < first["ringing_at"] < first["answered_at"], "the first told instants stand"


def test_the_state_never_moves_back(caller: Caller, case: int) -> None:
    attempt = caller.dial(case)
    assert caller.attempt(attempt)["state"] == "begun"
    for step, state in [
        ("dialing", "dialing"),
        ("answered", "answered"),
        ("ringing", "answered"),
        ("waiting", "waiting"),
        ("agent", "connected"),
        ("dialing", "connected"),
    ]:
        caller.advance(attempt, None, **{step: 0})
        assert caller.attempt(attempt)["state"] == state
    caller.finish(attempt, "ANSWERED")
    assert caller.attempt(attempt)["state"] == "ended"


def test_times_are_counted_from_step_to_step(caller: Caller, case: int) -> None:
    attempt = caller.dial(case)
    caller.forward(seconds=100)
    caller.finish(attempt, "ANSWERED", dialing=99, ringing=97, answered=80, waiting=79, agent=75, ended=5.5)
    row = caller.attempt(attempt)
    assert [float(row[name]) for name in ("ring_seconds", "wait_seconds", "talk_seconds")] == [17, 5, 69.5]
    assert row["ended_at"] == caller.now - timedelta(seconds=5.5)


def test_a_call_whose_end_is_found_after_weeks_can_be_ended(caller: Caller, case: int) -> None:
    attempt = caller.dial(case)
    caller.advance(attempt, ringing=0)
    caller.forward(days=40)
    assert caller.finish(attempt, "LOST")


def test_the_ends_of_many_calls_in_one_report_all_count(caller: Caller) -> None:
    cases = [add_case(caller.db) for _ in range(5)]
    attempts = [caller.dial(case) for case in cases]
    caller.finish_all([ended(attempt, "BUSY") for attempt in reversed(attempts)])
    assert all(caller.case(case)["used"] for case in cases)


def test_the_attempts_of_another_asterisk_cannot_be_ended_by_this_owner(caller: Caller, case: int) -> None:
    attempt = caller.dial(case)
    east = Caller(caller.db, caller.dialect, caller.now, asterisk="east")
    east.finish(attempt, "BUSY")
    east.advance(attempt, ringing=0)
    row = caller.attempt(attempt)
    assert (row["state"], row["ringing_at"]) == ("begun", None)


# --- abandoned --------------------------------------------------------------------------------------------------


def abandoned_after(caller: Caller, outcome: str, **facts: Any) -> float | None:
    """Seconds from the answer (10 s before now) to abandoned_at."""
    attempt = caller.dial(add_case(caller.db))
    caller.forward(seconds=60)
    caller.finish(attempt, outcome, answered=10, **facts)
    row = caller.attempt(attempt)
    if row["abandoned_at"] is None:
        return None
    return float((row["abandoned_at"] - row["answered_at"]).total_seconds())


def test_a_call_abandoned_after_the_limit_counts_from_the_limit_on(caller: Caller) -> None:
    assert abandoned_after(caller, "ABANDONED") == 2


def test_a_call_abandoned_before_the_limit_counts_from_its_end(caller: Caller) -> None:
    assert abandoned_after(caller, "ABANDONED", ended=9) == 1


def test_the_limit_is_the_projects(caller: Caller) -> None:
    caller.db.run(lambda c: c.exec_driver_sql("UPDATE dialer_params SET abandon_seconds = 4.5"))
    assert abandoned_after(caller, "ABANDONED") == 4.5


def test_an_early_hangup_is_not_abandoned(caller: Caller) -> None:
    assert abandoned_after(caller, "EARLY_HANGUP", ended=9) is None


def test_an_agent_who_came_in_time_is_none_and_a_late_one_is_one(caller: Caller) -> None:
    assert abandoned_after(caller, "ANSWERED", agent=8) is None
    assert abandoned_after(caller, "ANSWERED", agent=7.9) == 2


def test_a_machine_is_never_abandoned(caller: Caller) -> None:
    assert abandoned_after(caller, "MACHINE", agent=1) is None


def test_the_rate_counts_people_with_an_agent_or_abandoned_and_machines_in_neither(caller: Caller) -> None:
    abandoned_after(caller, "ABANDONED")
    abandoned_after(caller, "ANSWERED", agent=9)
    abandoned_after(caller, "ANSWERED", agent=1)  # late: abandoned, and counted once
    abandoned_after(caller, "ANSWERED", agent=9)
    abandoned_after(caller, "MACHINE", agent=9)
    abandoned_after(caller, "EARLY_HANGUP", ended=9)
    caller.call(add_case(caller.db), "BUSY")
    caller.call(add_case(caller.db), "LOST")
    row = query_at(caller.db, caller.dialect, caller.now, "SELECT * FROM dialer_stat_project")[0]
    assert float(row["abandon_rate"]) == 0.5
    assert (row["attempts"], row["cases"], row["answered"], row["abandoned"], row["lost"]) == (8, 8, 6, 2, 1)
    assert float(row["answer_rate"]) == 0.75
    for view in ("dialer_stat_hour", "dialer_stat_day"):
        told = query_at(caller.db, caller.dialect, caller.now, f"SELECT * FROM {view}")[0]
        assert (float(told["abandon_rate"]), told["lost"]) == (0.5, 1)


def test_a_project_without_calls_has_no_rate(caller: Caller) -> None:
    row = query_at(caller.db, caller.dialect, caller.now, "SELECT * FROM dialer_stat_project")[0]
    assert (row["attempts"], row["abandon_rate"], row["answer_rate"]) == (0, None, None)


def test_calls_of_the_last_day_are_counted_and_older_ones_not(caller: Caller) -> None:
    caller.call(add_case(caller.db), "BUSY")
    caller.forward(hours=24)
    caller.call(add_case(caller.db), "NOANSWER")
    rows = query_at(caller.db, caller.dialect, caller.now, "SELECT * FROM dialer_stat_outcome")
    assert {row["outcome"]: row["attempts"] for row in rows} == {"NOANSWER": 1}
    assert len(caller.db.query("SELECT * FROM dialer_stat_attempt")) == 2


def test_an_unknown_outcome_is_refused(caller: Caller, case: int) -> None:
    attempt = caller.dial(case)
    with pytest.raises(Exception, match="outcome"):
        caller.finish(attempt, "WHATEVER")
    assert caller.attempt(attempt)["state"] == "begun"
