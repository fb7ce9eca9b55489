"""A list that was compared with the do-not-call registry too long ago: who waits, who does not, who is told."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from tests.support.caller import NOON, Caller
from tests.support.dialects import execute, query_at
from tests.support.factories import add_attempt, add_case, add_cases, add_project, add_trunk

DAYS = timedelta(days=31)
INSTANT = timedelta(microseconds=1)


@pytest.fixture
def aged(caller: Caller) -> Caller:
    """A project that runs, whose list is too old from noon on."""
    add_project(caller.db, scrubbed_at=NOON - DAYS, scrub_days=31, scrub_blocks=True)
    add_trunk(caller.db)
    caller.start()
    return caller


def redial(caller: Caller, due_at: datetime) -> int:
    """A case that waits for its redial, as the dialer writes it."""
    case = add_case(caller.db)
    execute(
        caller.db,
        "UPDATE dialer_clients SET deferred_time = :at, deferred_kind = 'redial', last_attempt_id = 7 WHERE id = :id",
        at=due_at,
        id=case,
    )
    return case


def set_list(caller: Caller, **columns: Any) -> None:
    told = ", ".join(f"{name} = :{name}" for name in columns)
    execute(caller.db, f"UPDATE dialer_params SET {told} WHERE project_id = 'p'", **columns)


def warned(caller: Caller) -> list[str]:
    rows = query_at(
        caller.db, caller.dialect, caller.now, "SELECT detail FROM dialer_warnings WHERE kind = 'list_too_old'"
    )
    return [row["detail"] for row in rows]


def until(caller: Caller) -> datetime | None:
    found: datetime | None = caller.db.value("dialer_project_until", "p", caller.now)
    return found


def scanned(caller: Caller) -> int:
    """How many cases a claim would ask the gate about."""
    with caller.db.transaction() as connection:
        if caller.db.dialect.name == "postgresql":
            asked = text("SELECT count(*) FROM dialer_pick_scan('p', :now, 1000, false)")
            return int(connection.execute(asked, {"now": caller.now}).scalar_one())
        connection.execute(text("CALL dialer_pick_scan('p', :now, 1000, false)"), {"now": caller.now})
        return int(connection.execute(text("SELECT count(*) FROM dialer_scanned")).scalar_one())


def test_from_then_on_promised_callbacks_alone_are_made(aged: Caller) -> None:
    caller = aged
    fresh, again = add_case(caller.db), redial(caller, NOON - timedelta(hours=1))
    promised = add_case(caller.db, deferred_time=NOON - timedelta(hours=1))
    caller.now = NOON - INSTANT
    assert caller.next() == [promised, again, fresh]
    assert warned(caller) == []
    caller.now = NOON
    assert caller.next() == [promised]
    for case in (fresh, again):
        row = caller.why(case)
        assert (row["reason"], row["own_reason"]) == ("list_too_old", "list_too_old")
        assert (row["until_at"], row["own_until_at"], row["next_at"]) == (None, None, None)
        assert row["detail"] == (
            "the list was compared with the do-not-call registry on 2026-05-01, and it may be used for 31 days from"
            " then on (dialer_params.scrubbed_at, scrub_days)"
        )
    assert caller.why(promised)["own_reason"] is None
    assert scanned(caller) == 1
    assert caller.claim() == [promised]
    assert caller.claim() == []


def test_a_list_that_is_compared_anew_is_called_at_once(aged: Caller) -> None:
    caller = aged
    case = add_case(caller.db)
    assert caller.claim() == []
    [project] = query_at(caller.db, caller.dialect, caller.now, "SELECT state, reason FROM dialer_project_states")
    assert project["state"] == "finished"
    assert project["reason"].startswith("the list was compared with the do-not-call registry on 2026-05-01")
    set_list(caller, scrubbed_at=NOON - timedelta(days=1))
    assert caller.why(case)["own_reason"] is None
    assert caller.claim() == [case]
    assert caller.project()["state"] == "running"


@pytest.mark.parametrize("change", [{"scrub_days": 32}, {"scrub_days": None}, {"scrub_blocks": False}])
def test_a_rule_that_is_loosened_holds_at_once(aged: Caller, change: dict[str, Any]) -> None:
    case = add_case(aged.db)
    assert aged.claim() == []
    set_list(aged, **change)
    assert aged.claim() == [case]


def test_without_scrub_blocks_it_is_a_warning_alone(aged: Caller) -> None:
    caller = aged
    case = add_case(caller.db)
    [told] = warned(caller)
    assert told.startswith("project p makes promised callbacks alone: the list was compared")
    set_list(caller, scrub_blocks=False)
    [told] = warned(caller)
    assert told.startswith("project p calls people of a list that is too old: the list was compared")
    assert caller.next() == [case]
    set_list(caller, scrub_days=None)
    assert warned(caller) == []


def test_where_nobody_has_noted_when_it_is_too_old(aged: Caller) -> None:
    caller = aged
    set_list(caller, scrubbed_at=None)
    case = add_case(caller.db)
    caller.now = NOON - timedelta(days=400)
    assert caller.why(case)["own_reason"] == "list_too_old"
    assert caller.why(case)["detail"].startswith("nobody has noted when the list was compared")
    assert caller.next() == []
    assert len(warned(caller)) == 1


def test_it_stands_behind_do_not_call_and_before_all_others(aged: Caller) -> None:
    caller = aged
    execute(caller.db, "INSERT INTO dialer_dnc (number, until_at) VALUES ('+49301', :at)", at=NOON + timedelta(hours=1))
    listed = add_case(caller.db, phone_number="+49301")
    closed = add_case(caller.db, allowed_start="01:00", allowed_stop="02:00")
    later = redial(caller, NOON + timedelta(hours=1))
    row = caller.why(listed)
    assert (row["own_reason"], row["next_at"]) == ("do_not_call", None)
    assert row["own_until_at"] == NOON + timedelta(hours=1)
    assert [caller.why(case)["own_reason"] for case in (closed, later)] == ["list_too_old", "list_too_old"]


def test_a_case_claimed_before_is_refused_and_given_back(aged: Caller) -> None:
    caller = aged
    case = add_case(caller.db)
    caller.now = NOON - INSTANT
    assert caller.claim() == [case]
    caller.now = NOON
    assert caller.next() == []
    assert caller.refusals([case]) == ["list_too_old"]
    row = caller.case(case)
    assert (row["checked"], row["not_before_at"]) == (False, None)
    assert caller.claim() == []


def test_what_comes_after_the_end_of_the_list_is_waited_for_by_nobody(aged: Caller) -> None:
    """A window that opens later, a redial that is due later, a limit with room later; a promise counts."""
    caller = aged
    caller.now = NOON - timedelta(hours=2)
    closed = add_case(caller.db, allowed_start="12:00", allowed_stop="13:00")
    later = redial(caller, NOON)
    assert (caller.why(closed)["own_reason"], caller.why(closed)["next_at"]) == ("window_closed", None)
    assert (caller.why(later)["own_reason"], caller.why(later)["next_at"]) == ("redial", None)
    assert until(caller) is None
    soon = redial(caller, NOON - INSTANT)
    assert caller.why(soon)["next_at"] == NOON - INSTANT
    assert until(caller) == NOON - INSTANT
    execute(caller.db, "UPDATE dialer_clients SET used = true WHERE id = :id", id=soon)
    execute(caller.db, "INSERT INTO dialer_limits (most, period_minutes) VALUES (1, 240)")
    limited = add_case(caller.db, phone_number="2")
    promised = add_case(caller.db, phone_number="2", deferred_time=NOON - timedelta(hours=3))
    execute(caller.db, "UPDATE dialer_limits SET callbacks = true")
    add_attempt(caller.db, 1, NOON - timedelta(hours=3), phone_number="2")
    caller.screen()
    assert [caller.case(case)["held_for"] for case in (limited, promised)] == ["number_limit", "number_limit"]
    assert caller.why(limited)["next_at"] is None
    assert caller.why(promised)["next_at"] == NOON + timedelta(hours=1)
    assert until(caller) == NOON + timedelta(hours=1)


def test_many_that_wait_for_nothing_cost_a_claim_nothing(aged: Caller) -> None:
    caller = aged
    add_cases(caller.db, [{} for _ in range(5000)])
    assert scanned(caller) == 0
    assert caller.claim(500) == []
    assert until(caller) is None
    assert caller.project()["state"] == "finished"
    [row] = query_at(caller.db, caller.dialect, caller.now, "SELECT * FROM dialer_why_count")
    assert (row["own_reason"], row["cases"], row["until_at"]) == ("list_too_old", 5000, None)


def test_many_redials_after_the_end_of_the_list_are_not_taken_for_due(aged: Caller) -> None:
    """Where very many of the first cases cannot go, dialer_project_until says now, for the time being."""
    caller = aged
    caller.now = NOON - timedelta(hours=2)
    add_cases(caller.db, [{} for _ in range(5000)])
    execute(
        caller.db,
        "UPDATE dialer_clients SET deferred_time = :at, deferred_kind = 'redial', last_attempt_id = id",
        at=NOON,
    )
    assert until(caller) is None
    set_list(caller, scrub_days=32)
    assert until(caller) == NOON


def test_held_cases_are_looked_at_again_when_the_list_gets_too_old(aged: Caller) -> None:
    caller = aged
    caller.now = NOON - timedelta(hours=1)
    case = add_case(caller.db, phone_number="2")
    execute(caller.db, "INSERT INTO dialer_limits (most) VALUES (1)")
    add_attempt(caller.db, 1, NOON - timedelta(hours=3), phone_number="2", project_id="p")
    caller.screen()
    assert caller.case(case)["held_for"] == "number_limit"
    caller.now = NOON
    while caller.db.value("dialer_screen", 500, caller.now):
        pass
    assert caller.case(case)["held_for"] is None
    [row] = query_at(caller.db, caller.dialect, caller.now, "SELECT * FROM dialer_why_count")
    assert (row["own_reason"], row["cases"], bool(row["screened"])) == ("list_too_old", 1, True)
    set_list(caller, scrubbed_at=NOON)
    while caller.db.value("dialer_screen", 500, caller.now):
        pass
    assert caller.case(case)["held_for"] == "number_limit"
