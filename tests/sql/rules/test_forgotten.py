"""Attempts that were deleted although a limit looks back to them: dialer_warnings names the limit and the instant."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from tests.support.caller import NOON, Caller
from tests.support.dialects import execute, query_at, servers
from tests.support.factories import add_attempt, add_project

AGO = NOON - timedelta(days=3)
"""When the attempts of these tests began."""


@pytest.fixture
def kept(caller: Caller) -> Caller:
    """Two projects, the second of a client, with an attempt each three days ago."""
    add_project(caller.db, "p")
    add_project(caller.db, "q", client="acme")
    add_attempt(caller.db, 1, AGO, phone_number="1")
    add_attempt(caller.db, 2, AGO + timedelta(hours=1), phone_number="1", project_id="q")
    return caller


def limit(caller: Caller, **columns: Any) -> int:
    values = {"most": 1} | columns
    names, marks = ", ".join(values), ", ".join(f":{name}" for name in values)
    execute(caller.db, f"INSERT INTO dialer_limits ({names}) VALUES ({marks})", **values)
    return int(caller.db.query("SELECT max(id) AS id FROM dialer_limits")[0]["id"])


def warned(caller: Caller) -> dict[int, str]:
    """By limit: what is said of it."""
    statement = "SELECT id, detail FROM dialer_warnings WHERE kind = 'limit_forgets'"
    return {row["id"]: row["detail"] for row in query_at(caller.db, caller.dialect, caller.now, statement)}


def forget(caller: Caller, where: str = "id > 0") -> None:
    execute(caller.db, f"DELETE FROM dialer_attempts WHERE {where}")


def test_the_warning_names_the_limit_and_the_instant_and_goes_away_with_the_period(kept: Caller) -> None:
    caller = kept
    week = limit(caller, period_minutes=10080)
    limit(caller, period_minutes=2880)
    assert warned(caller) == {}
    forget(caller)
    told = (
        f"limit {week}: at most 1 attempts of the number in 7 days does not count attempts that were deleted, the"
        " latest of them begun at 2026-05-29 13:00:00: until 2026-06-05 13:00:00 it may permit calls that it forbids"
    )
    assert warned(caller) == {week: told}
    caller.now = AGO + timedelta(days=7, hours=1) - timedelta(seconds=1)
    assert warned(caller) == {week: told}
    caller.now = AGO + timedelta(days=7, hours=1)
    assert warned(caller) == {}


def test_local_periods_and_campaigns_look_back_as_far_as_they_can(kept: Caller) -> None:
    caller = kept
    day, month = limit(caller, local_period="day"), limit(caller, local_period="month")
    campaign = limit(caller)
    forget(caller)
    assert warned(caller).keys() == {month, campaign}
    assert warned(caller)[campaign].endswith("begun at 2026-05-29 13:00:00")
    caller.now = NOON + timedelta(days=4000)
    assert warned(caller).keys() == {campaign}
    execute(caller.db, "DELETE FROM dialer_forgotten")
    assert warned(caller) == {}
    caller.now = AGO + timedelta(hours=20)
    add_attempt(caller.db, 3, AGO, phone_number="1")
    forget(caller)
    assert warned(caller).keys() == {day, month, campaign}


def test_only_what_a_limit_counts_is_told_of_it(kept: Caller) -> None:
    caller = kept
    of_p, of_q = limit(caller, project_id="p"), limit(caller, project_id="q")
    of_client, of_debt = limit(caller, client="acme"), limit(caller, purpose="debt")
    add_attempt(caller.db, 3, AGO, "FAILED", phone_number="1")
    forget(caller, "id = 3")
    assert warned(caller) == {}, "a call that was none"
    forget(caller, "id = 2")
    assert warned(caller).keys() == {of_q, of_client}
    forget(caller, "id = 1")
    assert warned(caller).keys() == {of_p, of_q, of_client}
    execute(caller.db, "UPDATE dialer_params SET purpose = 'debt' WHERE project_id = 'q'")
    assert warned(caller).keys() == {of_p, of_q, of_client, of_debt}


def test_the_latest_one_counts_whatever_the_order(kept: Caller) -> None:
    caller = kept
    one = limit(caller)
    for attempt in (2, 1):
        forget(caller, f"id = {attempt}")
        assert warned(caller)[one].endswith("begun at 2026-05-29 13:00:00")


def test_a_delete_that_is_rolled_back_is_none(kept: Caller) -> None:
    caller = kept
    one = limit(caller)
    with suppress(ZeroDivisionError), caller.db.transaction() as connection:
        connection.execute(text("DELETE FROM dialer_attempts"))
        raise ZeroDivisionError
    assert warned(caller) == {}
    forget(caller)
    assert warned(caller).keys() == {one}


def test_sessions_that_delete_do_not_wait_for_each_other(kept: Caller) -> None:
    caller = kept
    one = limit(caller)
    add_attempt(caller.db, 3, AGO + timedelta(hours=2), phone_number="1")
    with caller.db.transaction() as connection:
        connection.execute(text("DELETE FROM dialer_attempts WHERE id = 3"))
        forget(caller, "id = 1")
        # What others have in hand is in nobody's way.
        caller.db.call("dialer_prune", caller.now)
        assert warned(caller)[one].endswith("begun at 2026-05-29 12:00:00")
    assert warned(caller)[one].endswith("begun at 2026-05-29 14:00:00")


def test_notes_that_later_ones_say_more_about_are_deleted_after_a_day(kept: Caller) -> None:
    caller = kept
    one = limit(caller)
    forget(caller)
    execute(
        caller.db,
        "INSERT INTO dialer_forgotten (session, project_id, begun_at, noted_at)"
        " VALUES (-1, 'p', :a, :a), (-2, 'p', :b, :b)",
        a=AGO - timedelta(days=1),
        b=AGO + timedelta(days=1),
    )
    execute(caller.db, "UPDATE dialer_forgotten SET noted_at = :at WHERE session < 0", at=NOON - timedelta(days=300))
    caller.db.call("dialer_prune", None)
    left = caller.db.query("SELECT session, project_id FROM dialer_forgotten")
    assert {row["project_id"] for row in left if row["session"] > 0} == {"p", "q"}, "noted a moment ago"
    assert [row["session"] for row in left if row["session"] < 0] == [-2]
    assert warned(caller)[one].endswith("begun at 2026-05-30 12:00:00")


@pytest.mark.parametrize("dialect", servers("postgresql"), indirect=True)
def test_truncate_is_noted_on_postgresql(kept: Caller) -> None:
    one = limit(kept)
    execute(kept.db, "TRUNCATE dialer_attempts")
    assert warned(kept).keys() == {one}
    assert warned(kept)[one].endswith("begun at 2026-05-29 13:00:00")
