"""A dead carrier must not eat a list: when a trunk is failing, what goes back, and how it comes back."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.support.caller import Caller, ended
from tests.support.dialects import execute
from tests.support.factories import add_case, add_cases, add_project, add_trunk
from worker.db import Database
from worker.db.database import Row


@pytest.fixture(autouse=True)
def project(caller: Caller) -> None:
    add_project(caller.db, sort="2:2")
    add_trunk(caller.db)
    caller.start()


def trunk(caller: Caller, name: str = "default") -> Row:
    return caller.db.query("SELECT * FROM dialer_stat_trunk WHERE trunk = :name", name=name)[0]


def begin_cases(caller: Caller, count: int, project: str = "p", **columns: object) -> list[int]:
    """So many new cases in calls; their attempts."""
    add_cases(caller.db, [{"project_id": project, **columns} for _ in range(count)])
    return [row["attempt_id"] for row in caller.begin(caller.claim(count, project), project)]


def end_one_by_one(caller: Caller, attempts: list[int], outcome: str = "INVALID", **facts: float) -> None:
    for attempt in attempts:
        caller.forward(seconds=0.1)
        assert caller.finish(attempt, outcome, **facts)


def fail(caller: Caller) -> None:
    """Twenty new cases that end in silence: the trunk is failing."""
    end_one_by_one(caller, begin_cases(caller, 20))
    assert trunk(caller)["state"] == "failing"


def waiting_as_before(caller: Caller) -> list[Row]:
    return caller.db.query(
        "SELECT id FROM dialer_clients WHERE NOT used AND NOT checked AND redials_done = 0"
        " AND deferred_time IS NULL AND failures = 0 ORDER BY id"
    )


@pytest.mark.parametrize("outcome", ["INVALID", "REJECTED", "CONGESTION", "UNAVAILABLE", "NOANSWER", "FAILED"])
def test_twenty_silent_ends_in_a_row_make_the_trunk_failing_and_use_no_case_up(caller: Caller, outcome: str) -> None:
    attempts = begin_cases(caller, 20, call_back=True, call_back_period="1,1")
    end_one_by_one(caller, attempts[:19], outcome)
    assert trunk(caller)["state"] == "ok"
    end_one_by_one(caller, attempts[19:], outcome)
    assert trunk(caller)["state"] == "failing"
    assert "20 attempts" in trunk(caller)["reason"]
    assert len(waiting_as_before(caller)) == 20
    assert {caller.attempt(attempt)["effect"] for attempt in attempts} == {"back"}
    assert caller.db.query("SELECT * FROM dialer_invariants") == []


def test_twenty_silent_ends_in_one_report_count_as_well(caller: Caller) -> None:
    caller.finish_all([ended(attempt, "CONGESTION") for attempt in begin_cases(caller, 20)])
    assert trunk(caller)["state"] == "failing"
    assert len(waiting_as_before(caller)) == 20


@pytest.mark.parametrize(
    ("outcome", "facts"),
    [
        ("BUSY", {}),
        ("NOANSWER", {"ringing": 0}),
        ("CANCELLED", {"ringing": 0}),
        ("ANSWERED", {"answered": 0}),
        ("LOST", {"ringing": 0}),
    ],
)
def test_a_sign_of_life_begins_the_count_anew(caller: Caller, outcome: str, facts: dict[str, float]) -> None:
    attempts = begin_cases(caller, 39)
    end_one_by_one(caller, attempts[:19])
    end_one_by_one(caller, attempts[19:20], outcome, **facts)
    end_one_by_one(caller, attempts[20:])
    assert trunk(caller)["state"] == "ok"
    used = caller.db.query("SELECT count(*) AS used FROM dialer_clients WHERE used")[0]["used"]
    assert used == (39 if outcome != "CANCELLED" else 38)


@pytest.mark.parametrize("outcome", ["CANCELLED", "TECHNICAL", "LOST"])
def test_an_end_that_says_nothing_of_the_trunk_neither_counts_nor_breaks_the_row(caller: Caller, outcome: str) -> None:
    attempts = begin_cases(caller, 21)
    end_one_by_one(caller, attempts[:10])
    end_one_by_one(caller, attempts[10:11], outcome)
    end_one_by_one(caller, attempts[11:20])
    assert trunk(caller)["state"] == "ok"
    end_one_by_one(caller, attempts[20:])
    assert trunk(caller)["state"] == "failing"


def test_a_call_that_rings_right_now_is_a_sign_of_life(caller: Caller) -> None:
    attempts = begin_cases(caller, 25)
    end_one_by_one(caller, attempts[:19])
    caller.advance(attempts[24], ringing=0)
    end_one_by_one(caller, attempts[19:24])
    assert trunk(caller)["state"] == "ok"


def test_a_conversation_that_began_before_the_row_is_none(caller: Caller) -> None:
    talking, ending = begin_cases(caller, 2)
    caller.advance(talking, ringing=3, answered=0)
    caller.advance(ending, ringing=3, answered=0)
    caller.forward(minutes=10)
    attempts = begin_cases(caller, 20)
    end_one_by_one(caller, attempts[:10])
    end_one_by_one(caller, [ending], "ANSWERED")
    end_one_by_one(caller, attempts[10:])
    assert trunk(caller)["state"] == "failing"
    end_one_by_one(caller, [talking], "ANSWERED")
    assert trunk(caller)["state"] == "failing", "its end says nothing of the carrier either"
    assert len(waiting_as_before(caller)) == 20


def test_a_short_list_that_was_called_several_times_goes_back_to_where_it_was(caller: Caller) -> None:
    add_cases(caller.db, [{"call_back": True, "call_back_period": "1,1"}] * 7)
    for _ in range(3):
        for row in caller.begin(caller.claim()):
            caller.finish(row["attempt_id"], "UNAVAILABLE")
        caller.forward(minutes=1)
    assert trunk(caller)["state"] == "failing"
    assert len(waiting_as_before(caller)) == 7


def test_promised_and_redialled_cases_go_back_as_such(caller: Caller) -> None:
    redial = add_case(caller.db, call_back=True, call_back_period="5,7")
    caller.call(redial, "BUSY")
    caller.forward(minutes=5)
    due = caller.case(redial)["deferred_time"]
    promised = add_case(caller.db, deferred_time=caller.now)
    add_cases(caller.db, [{} for _ in range(18)])
    end_one_by_one(caller, [row["attempt_id"] for row in caller.begin(caller.claim())])
    assert trunk(caller)["state"] == "failing"
    row = caller.case(redial)
    assert (row["deferred_kind"], row["deferred_time"], row["redials_done"]) == ("redial", due, 1)
    assert caller.case(promised)["deferred_kind"] == "scheduled"
    assert not caller.case(promised)["deferred_done"]


def test_what_a_dba_has_written_since_stands(caller: Caller) -> None:
    attempts = begin_cases(caller, 20, call_back=True, call_back_period="9")
    cases = [caller.attempt(attempt)["case_id"] for attempt in attempts]
    end_one_by_one(caller, attempts[:19], "UNAVAILABLE")
    withdrawn, promised, gone = cases[:3]
    execute(caller.db, "UPDATE dialer_clients SET used = true WHERE id = :id", id=withdrawn)
    tomorrow = caller.now + timedelta(days=1)
    execute(caller.db, "UPDATE dialer_clients SET deferred_time = :at WHERE id = :id", at=tomorrow, id=promised)
    execute(caller.db, "DELETE FROM dialer_clients WHERE id = :id", id=gone)
    end_one_by_one(caller, attempts[19:])
    assert caller.case(withdrawn)["used"]
    row = caller.case(promised)
    assert (row["deferred_kind"], row["deferred_time"]) == ("scheduled", tomorrow)
    assert len(waiting_as_before(caller)) == 17


def test_calls_under_way_when_it_failed_go_back_too(caller: Caller) -> None:
    attempts = begin_cases(caller, 25)
    end_one_by_one(caller, attempts[:20])
    retry_at = trunk(caller)["retry_at"]
    end_one_by_one(caller, attempts[20:24])
    assert len(waiting_as_before(caller)) == 24
    assert trunk(caller)["retry_at"] == retry_at, "only a try that failed lengthens the interval"


def test_a_failing_trunk_is_tried_with_one_call_at_a_time_at_growing_intervals(caller: Caller) -> None:
    add_cases(caller.db, [{} for _ in range(50)])
    in_hand = caller.claim(40)
    end_one_by_one(caller, [row["attempt_id"] for row in caller.begin(in_hand[:20])])
    fresh = in_hand[20:]
    waits = []
    for _ in range(9):
        retry_at = trunk(caller)["retry_at"]
        early = caller.begin(fresh[:2])
        assert [(row["refusal"], row["retry_at"]) for row in early] == [("trunk_failing", retry_at)] * 2
        waits.append(retry_at - caller.now)
        caller.now = retry_at
        tried = caller.begin(fresh[:3])
        assert [row["refusal"] is None for row in tried] == [True, False, False]
        assert caller.refusals(fresh[1:2]) == ["trunk_failing"], "one at a time"
        caller.forward(seconds=1)
        caller.finish(tried[0]["attempt_id"], "INVALID")
        fresh.pop(0)
    assert waits == sorted(waits)
    assert waits[0] == timedelta(seconds=5)
    assert waits[-1] == timedelta(minutes=5)
    assert caller.db.query("SELECT id FROM dialer_clients WHERE used") == [], "the tries cost nothing either"


def test_a_try_that_rings_makes_the_trunk_sound_again(caller: Caller) -> None:
    fail(caller)
    caller.now = trunk(caller)["retry_at"]
    attempt = caller.dial(caller.claim()[0])
    caller.forward(seconds=20)
    caller.finish(attempt, "NOANSWER", ringing=19)
    row = trunk(caller)
    assert (row["state"], row["streak"], row["retry_at"], row["reason"]) == ("ok", 0, None, None)
    caller.forward(seconds=1)
    caller.db.call("dialer_release", caller.worker_id, "default", None)
    again = caller.claim()
    assert len(again) == 19
    assert caller.refusals(again) == [None] * 19, "all may go again"


def test_a_ring_told_late_from_before_the_failure_is_no_news(caller: Caller) -> None:
    attempt = begin_cases(caller, 1)[0]
    caller.forward(minutes=1)
    fail(caller)
    caller.finish(attempt, "BUSY", ringing=60, ended=50)
    assert trunk(caller)["state"] == "failing"


def test_a_conversation_does_not_keep_a_failing_trunk_from_being_tried(caller: Caller) -> None:
    talking = begin_cases(caller, 1)[0]
    caller.advance(talking, answered=0)
    caller.forward(minutes=1)
    fail(caller)
    caller.now = trunk(caller)["retry_at"]
    assert caller.refusals(caller.claim(1)) == [None]


def test_another_trunk_is_not_touched(caller: Caller) -> None:
    add_trunk(caller.db, "second")
    add_project(caller.db, "q", trunk="second")
    caller.start("q")
    others = begin_cases(caller, 19, "q")
    mine = begin_cases(caller, 19)
    end_one_by_one(caller, others)
    end_one_by_one(caller, mine)
    assert trunk(caller)["state"] == trunk(caller, "second")["state"] == "ok", "nineteen each"
    fail(caller)
    assert trunk(caller, "second")["state"] == "ok"
    used = caller.db.query("SELECT count(*) AS used FROM dialer_clients WHERE used AND project_id = 'q'")
    assert used[0]["used"] == 19


def test_a_new_dial_template_is_tried_at_once(caller: Caller) -> None:
    fail(caller)
    execute(caller.db, "UPDATE dialer_trunks SET dial_template = 'PJSIP/{number}@better'")
    assert (trunk(caller)["state"], trunk(caller)["streak"]) == ("ok", 0)


def test_readers_are_told(caller: Caller) -> None:
    fail(caller)
    state = caller.db.query("SELECT * FROM dialer_project_states")[0]
    assert (state["state"], state["until_at"]) == ("failing", trunk(caller)["retry_at"])
    assert "trunk default is failing" in state["reason"]
    case = waiting_as_before(caller)[0]["id"]
    assert caller.why(case)["reason"] == "project_failing"
    assert "trunk_failing" in {row["kind"] for row in caller.db.query("SELECT * FROM dialer_warnings")}


# --- a block of bad numbers at the head of a list -----------------------------------------------------------------


def test_each_try_takes_the_case_that_was_tried_longest_ago(caller: Caller) -> None:
    add_cases(caller.db, [{} for _ in range(25)])
    first = caller.claim(20)
    end_one_by_one(caller, [row["attempt_id"] for row in caller.begin(first)])
    tried = []
    for _ in range(8):
        caller.now = trunk(caller)["retry_at"]
        [case] = caller.claim(1)
        tried.append(case)
        [row] = caller.begin([case])
        caller.forward(seconds=1)
        caller.finish(row["attempt_id"], "INVALID")
    assert not set(tried[:5]) & set(first), "first those that were never tried"
    assert tried[5:] == first[:3], "then in the order in which they were"


def test_a_block_of_unknown_numbers_at_the_head_of_a_list_does_not_hide_the_good_ones(caller: Caller) -> None:
    """Thirty numbers that the carrier does not know, then fifteen good ones; every case comes to its end."""
    bad = [add_case(caller.db) for _ in range(30)]
    good = [add_case(caller.db) for _ in range(15)]
    for _ in range(400):
        failing = trunk(caller)["state"] == "failing"
        if failing:
            caller.now = max(caller.now, trunk(caller)["retry_at"])
        cases = caller.claim(1 if failing else 5)
        rows = [row for row in caller.begin(cases) if row["attempt_id"]] if cases else []
        caller.forward(seconds=1)
        for row in rows:
            if row["case_id"] in bad:
                caller.finish(row["attempt_id"], "INVALID", cause=1)
            else:
                caller.finish(row["attempt_id"], "ANSWERED", ringing=1, answered=0)
        if not cases:
            caller.forward(seconds=10)
        if all(caller.case(case)["used"] for case in good + bad):
            break
    else:
        raise AssertionError("the list has not come to its end")
    calls = caller.db.query("SELECT case_id, count(*) AS n FROM dialer_attempts GROUP BY case_id")
    assert {row["n"] for row in calls if row["case_id"] in good} == {1}
    assert max(row["n"] for row in calls if row["case_id"] in bad) == 3, "a third INVALID is the number's own"
    assert caller.db.query("SELECT * FROM dialer_invariants") == []


def test_an_attempt_that_never_left_says_nothing_of_the_trunk(caller: Caller) -> None:
    attempts = begin_cases(caller, 25)
    caller.finish_all([{**ended(attempt, "FAILED"), "unsent": True} for attempt in attempts])
    assert (trunk(caller)["state"], trunk(caller)["streak"]) == ("ok", 0)
    assert len({row["id"] for row in caller.db.query("SELECT id FROM dialer_clients WHERE failures = 1")}) == 25


def test_a_case_that_somebody_holds_goes_back_at_the_next_try(caller: Caller, other: Database) -> None:
    attempts = begin_cases(caller, 20)
    held = caller.attempt(attempts[0])["case_id"]
    end_one_by_one(caller, attempts[:19])
    with other.transaction() as dba:
        dba.exec_driver_sql(f"SELECT * FROM dialer_clients WHERE id = {held} FOR UPDATE")
        end_one_by_one(caller, attempts[19:])
        assert trunk(caller)["state"] == "failing"
        assert len(waiting_as_before(caller)) == 19
    add_case(caller.db)
    caller.now = trunk(caller)["retry_at"]
    caller.finish(caller.dial(caller.claim(1)[0]), "INVALID")
    assert held in {row["id"] for row in waiting_as_before(caller)}
