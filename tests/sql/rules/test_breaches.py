"""Calls that a rule forbade are told by dialer_rule_breaches, and so by dialer_invariants; others are not.

Calls and rules are written by hand: the dialer itself refuses such calls.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.support.caller import NOON, Caller
from tests.support.dialects import execute, rows_of
from tests.support.factories import add_attempt, add_case, add_project, add_trunk

NUMBER = "+12025550143"
LONG_AGO = NOON - timedelta(days=300)


class Ledger:
    """A project that was set up long ago, a case in Florida, and the calls that a test writes."""

    def __init__(self, caller: Caller) -> None:
        self.caller, self.db = caller, caller.db
        add_trunk(self.db)
        add_project(self.db, client="acme", zone="America/New_York", scoped_at=LONG_AGO)
        caller.start()
        self.case = add_case(self.db, phone_number=NUMBER, region="US-FL", utc=None)
        self.calls = 0

    def call(self, hours: float = 0, **columns: Any) -> int:
        """A call that began so many hours before noon."""
        self.calls += 1
        case = rows_of(self.db, "dialer_clients", "WHERE id = :id", id=self.case)[0]
        about = {
            "case_id": case["id"],
            "case_inserted_at": case["inserted_at"],
            "window_key": case["window_key"],
            "phone_number": case["phone_number"],
            "number": case["number"],
        }
        add_attempt(self.db, self.calls, NOON - timedelta(hours=hours), **about | columns)
        return self.calls

    def rule(self, table: str, **columns: Any) -> None:
        values = {"added_at": NOON - timedelta(days=90), **columns}
        names, marks = ", ".join(values), ", ".join(f":{name}" for name in values)
        execute(self.db, f"INSERT INTO {table} ({names}) VALUES ({marks})", **values)

    def dnc(self, number: str = NUMBER, **columns: Any) -> None:
        self.rule("dialer_dnc", number=number, **columns)

    def limit(self, most: int = 1, **columns: Any) -> None:
        period = {} if "local_period" in columns else {"period_minutes": 600}
        self.rule("dialer_limits", most=most, **period | columns)

    def pause(self, **columns: Any) -> None:
        values = {"callbacks": False, "until_at": NOON + timedelta(hours=1), "pause_id": 1, "attempt_id": 77, **columns}
        self.rule("dialer_number_pauses", number=NUMBER, **values)

    def told(self) -> list[tuple[str, int]]:
        found = self.db.query("SELECT kind, id, detail FROM dialer_invariants ORDER BY kind, id")
        assert found == self.db.query("SELECT kind, id, detail FROM dialer_rule_breaches ORDER BY kind, id")
        return [(row["kind"], row["id"]) for row in found]


@pytest.fixture
def ledger(caller: Caller) -> Ledger:
    return Ledger(caller)


def edit(ledger: Ledger, statement: str, **values: Any) -> None:
    assert execute(ledger.db, statement, **values) == 1


# --- found --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "columns"),
    [
        (NUMBER, {}),
        ("+1202*", {}),
        (NUMBER, {"project_id": "p", "client": "acme", "purpose": "sales", "region": "US"}),
        (NUMBER, {"region": "US-FL", "from_at": NOON, "until_at": NOON + timedelta(seconds=1)}),
        (NUMBER, {"added_at": NOON - timedelta(minutes=1), "attempt_id": 77}),
    ],
)
def test_a_call_of_a_number_that_must_not_be_called(ledger: Ledger, number: str, columns: dict[str, Any]) -> None:
    ledger.dnc(number, **columns)
    call = ledger.call(kind="scheduled")
    assert ledger.told() == [("called_though_do_not_call", call)]


@pytest.mark.parametrize(
    ("earlier", "limit"),
    [
        # Hours before the call, and what it was.
        ([(9.9, {})], {}),
        ([(9.9, {}), (5, {})], {"most": 2, "project_id": "p", "client": "acme", "region": "US-FL"}),
        ([(9.9, {})], {"keyed_by": "case"}),
        ([(9.9, {"answered_at": NOON})], {"counts": "connected"}),
        ([(9.9, {"answered_at": NOON, "agent_at": NOON})], {"counts": "conversations"}),
        ([(9.9, {"outcome": "CANCELLED", "ringing_at": NOON})], {}),
        # In New York it is eight in the morning of a Monday.
        ([(7.9, {})], {"local_period": "day"}),
        ([(7.9, {})], {"local_period": "week"}),
        ([(7.9, {})], {"local_period": "month"}),
        ([(7000, {})], {"period_minutes": None}),
    ],
)
def test_one_call_more_than_a_limit_allows(
    ledger: Ledger, earlier: list[tuple[float, dict[str, Any]]], limit: dict[str, Any]
) -> None:
    ledger.limit(**limit)
    for hours, facts in earlier:
        ledger.call(hours, **facts)
    call = ledger.call(outcome="FAILED")
    assert ledger.told() == [("called_over_a_limit", call)]
    [row] = ledger.db.query("SELECT detail FROM dialer_rule_breaches")
    assert f"though {len(earlier)} calls before it" in row["detail"]


def test_a_callback_that_a_limit_binds_too(ledger: Ledger) -> None:
    ledger.limit(callbacks=True)
    ledger.call(1)
    call = ledger.call(kind="scheduled")
    assert ledger.told() == [("called_over_a_limit", call)]


def test_a_call_of_a_number_that_rests(ledger: Ledger) -> None:
    ledger.pause(client="acme", region="US")
    call = ledger.call()
    assert ledger.told() == [("called_in_a_pause", call)]


def test_a_call_that_is_under_way(ledger: Ledger) -> None:
    case = ledger.case
    attempt = ledger.caller.dial(case)
    ledger.dnc()
    ledger.pause(region="US-FL")
    assert ledger.told() == [("called_in_a_pause", attempt), ("called_though_do_not_call", attempt)]
    assert ledger.caller.finish(attempt, "NOANSWER")
    assert ledger.told() == [("called_in_a_pause", attempt), ("called_though_do_not_call", attempt)], "in the ledger"


# --- not found ----------------------------------------------------------------------------------------------------

FEW = timedelta(minutes=9)
"""Somebody's transaction may have been open for so long."""

ALLOWED: dict[str, Callable[[Ledger], None]] = {
    "the entry came later": lambda one: one.dnc(added_at=NOON - FEW),
    "the entry had not begun": lambda one: one.dnc(from_at=NOON + timedelta(microseconds=1)),
    "the entry was over": lambda one: one.dnc(from_at=NOON - FEW, until_at=NOON),
    "another number": lambda one: one.dnc("+12025550144"),
    "another prefix": lambda one: one.dnc("+1203*"),
    "another project's entry": lambda one: one.dnc(project_id="q"),
    "another client's entry": lambda one: one.dnc(client="other"),
    "another purpose's entry": lambda one: one.dnc(purpose="debt"),
    "another region's entry": lambda one: one.dnc(region="US-GA"),
    "the limit came later": lambda one: one.limit(added_at=NOON - FEW),
    "there was room": lambda one: one.limit(most=4),
    "the first call had left the period": lambda one: one.limit(most=3, period_minutes=569),
    "it was another day": lambda one: one.limit(most=3, local_period="day"),
    "nobody had answered": lambda one: one.limit(counts="connected"),
    "another case's limit": lambda one: one.limit(project_id="q"),
    "a pause that came later": lambda one: one.pause(added_at=NOON - timedelta(seconds=59)),
    "a pause that was over": lambda one: one.pause(added_at=NOON - FEW, until_at=NOON),
    "another client's pause": lambda one: one.pause(client="other"),
}


@pytest.mark.parametrize("rule", ALLOWED.values(), ids=ALLOWED.keys())
def test_what_no_rule_spoke_against(ledger: Ledger, rule: Callable[[Ledger], None]) -> None:
    for hours in (10, 1, 1):
        ledger.call(hours)
    ledger.call(0.5, outcome="FAILED")
    rule(ledger)
    ledger.call()
    assert ledger.told() == []


def test_a_promise_that_the_rules_do_not_bind(ledger: Ledger) -> None:
    ledger.limit()
    ledger.pause()
    ledger.call(1, kind="scheduled")
    ledger.call(kind="scheduled")
    assert ledger.told() == []


def broken(ledger: Ledger) -> None:
    """All three kinds at once, by rules that go by project, client, region and day."""
    ledger.dnc(client="acme", region="US-FL")
    ledger.limit(local_period="day", region="US-FL")
    ledger.pause(client="acme", region="US-FL")
    ledger.call(20)
    ledger.call()


def test_rules_that_were_edited_or_deleted_afterwards_were_broken_by_nobody(ledger: Ledger) -> None:
    broken(ledger)
    assert len(ledger.told()) == 4
    edit(ledger, "UPDATE dialer_dnc SET reason = 'by letter'")
    edit(ledger, "UPDATE dialer_limits SET preset = 'x'")
    assert len(ledger.told()) == 4, "these change no rule"
    edit(ledger, "UPDATE dialer_dnc SET client = NULL")
    edit(ledger, "UPDATE dialer_limits SET callbacks = true")
    assert {kind for kind, _ in ledger.told()} == {"called_in_a_pause"}
    edit(ledger, "DELETE FROM dialer_number_pauses")
    assert ledger.told() == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE dialer_clients SET region = 'US'",
        "UPDATE dialer_clients SET utc = '-05:00'",
        "UPDATE dialer_clients SET allowed_start = '10:00'",
        "DELETE FROM dialer_clients",
    ],
)
def test_a_case_that_was_edited_afterwards_is_not_judged_by_what_it_is_now(ledger: Ledger, statement: str) -> None:
    broken(ledger)
    edit(ledger, statement)
    assert ledger.told() == []


@pytest.mark.parametrize("change", ["client = 'other'", "zone_by = 'number'", "zone = NULL", "purpose = 'debt'"])
def test_a_project_that_was_edited_afterwards_is_not_judged_by_what_it_is_now(ledger: Ledger, change: str) -> None:
    edit(ledger, "UPDATE dialer_params SET client = 'before', scoped_at = :at", at=LONG_AGO + FEW)
    ledger.dnc(client="other")
    ledger.dnc(purpose="debt")
    ledger.limit(local_period="day")
    ledger.call(1)
    ledger.call()
    assert [kind for kind, _ in ledger.told()] == ["called_over_a_limit"]
    edit(ledger, f"UPDATE dialer_params SET {change}")
    assert ledger.told() == []


def test_calls_of_a_project_that_became_the_client_s_afterwards_fill_no_limit_of_it(ledger: Ledger) -> None:
    add_project(ledger.db, "q", client="acme", scoped_at=LONG_AGO)
    ledger.limit(client="acme")
    ledger.call(1, project_id="q")
    call = ledger.call()
    assert ledger.told() == [("called_over_a_limit", call)]
    edit(ledger, "UPDATE dialer_params SET scoped_at = :at WHERE project_id = 'q'", at=NOON + timedelta(minutes=1))
    assert ledger.told() == []
