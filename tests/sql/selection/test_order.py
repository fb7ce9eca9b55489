"""The order of dialling: sort codes, their lists, ties; dialer_next and dialer_claim agree with a Python sort."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import DBAPIError

from tests.support.caller import NOON, Caller
from tests.support.dialects import clean, execute
from tests.support.extent import often
from tests.support.factories import add_case, add_cases, add_project, add_trunk
from tests.support.windows import is_open, zone_of
from worker.db import Database
from worker.db.database import Row

CASE = st.fixed_dictionaries(
    {
        "priority": st.sampled_from([-3, 1, 1, 2]),
        "created": st.sampled_from([NOON - timedelta(days=1), NOON - timedelta(days=1), NOON - timedelta(hours=1)]),
        "utc": st.sampled_from(["Z", "+3", "+03.00h", "Europe/Berlin", "-5", "+05:30"]),
        "allowed_start": st.sampled_from(["00:00", "09:00", "22:00"]),
    }
)
SORTS = st.lists(
    st.tuples(st.sampled_from("123"), st.sampled_from("12")), min_size=1, max_size=3, unique_by=lambda term: term[0]
).map(lambda terms: ",".join(":".join(term) for term in terms))


def expected(rows: Sequence[Row], sort: str) -> list[int]:
    """The cases in an open window at noon, sorted by Python: stable, last column first, ties by id."""
    keys: dict[str, Callable[[Row], Any]] = {
        "1": lambda row: row["priority"],
        "2": lambda row: row["created"],
        "3": lambda row: NOON.astimezone(zone_of(row["utc"])).utcoffset(),
    }
    found = [row for row in rows if is_open(row["utc"], row["allowed_start"], row["allowed_stop"], NOON)]
    found.sort(key=lambda row: row["id"])
    for term in reversed(sort.split(",")):
        column, direction = term.split(":")
        found.sort(key=keys[column], reverse=direction == "1")
    return [row["id"] for row in found]


@settings(
    max_examples=often(80, 20),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(rows=st.lists(CASE, max_size=14), sort=SORTS, batch=st.integers(1, 5))
def test_next_and_claim_give_the_order_of_a_python_sort(
    caller: Caller, rows: list[dict[str, Any]], sort: str, batch: int
) -> None:
    db = caller.db
    clean(db, "dialer_claims", "dialer_clients", "dialer_params", "dialer_projects")
    add_project(db, sort=sort)
    caller.start()
    add_cases(db, [{**row, "allowed_stop": "18:00"} for row in rows])
    order = expected(db.query("SELECT * FROM dialer_clients"), sort)

    assert caller.next(len(rows) + 1) == order
    assert caller.next(batch) == order[:batch]
    claimed: list[int] = []
    while taken := caller.claim(batch):
        claimed += taken
        assert caller.next(len(rows) + 1) == order, "claimed ones first, then the rest, in the same order"
    assert claimed == order


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("1:1", "low high"),  # DESC: the largest number first
        ("1:2", "high low"),  # 1 is the highest priority
        ("2:1", "high low"),  # the newest first: the original's default
        ("2:2", "low high"),
        ("3:1", "low high"),  # the most eastern first
        ("3:2", "high low"),
    ],
)
def test_each_sort_code_alone(caller: Caller, sort: str, order: str) -> None:
    add_project(caller.db, sort=sort)
    cases = {
        add_case(caller.db, priority=9, created=NOON - timedelta(days=2), utc="+9"): "low",
        add_case(caller.db, priority=1, created=NOON - timedelta(days=1), utc="Z"): "high",
    }
    assert " ".join(cases[case] for case in caller.next()) == order


def test_no_sort_is_newest_first(caller: Caller) -> None:
    add_project(caller.db)
    old = add_case(caller.db, created=NOON - timedelta(days=2))
    new = add_case(caller.db, created=NOON - timedelta(days=1))
    assert caller.next() == [new, old]


def test_a_utc_sort_goes_by_the_offset_in_force_not_by_its_spelling(caller: Caller) -> None:
    add_project(caller.db, sort="3:1")
    summer = add_case(caller.db, utc="Europe/Berlin")  # +2 in June
    west = add_case(caller.db, utc="+1")
    east = add_case(caller.db, utc="+03.00h")
    assert caller.next() == [east, summer, west]
    caller.now = datetime(2026, 1, 5, 12, tzinfo=NOON.tzinfo)  # Berlin is at +1: a tie, the older id first
    assert caller.next() == [east, summer, west]


def test_a_case_without_utc_is_where_its_project_is_else_where_the_server_is(caller: Caller) -> None:
    execute(caller.db, "UPDATE dialer_settings SET value = 'Asia/Tokyo' WHERE name = 'server_zone'")
    add_project(caller.db, "here", zone="America/New_York")
    add_project(caller.db, "nowhere")
    window = {"utc": None, "allowed_start": "08:00", "allowed_stop": "09:00"}
    # Numbers that say nothing of where they are.
    case = add_case(caller.db, phone_number="12", project_id="here", **window)
    eastern = add_case(caller.db, phone_number="13", project_id="nowhere", **window)
    assert caller.next(project="here") == [case], "noon UTC is 8 in New York"
    assert caller.next(project="nowhere") == []
    caller.now = NOON.replace(hour=23)
    assert caller.next(project="nowhere") == [eastern]


@dataclass
class Kinds:
    scheduled: int
    redial: int
    fresh: int


@pytest.fixture
def kinds(caller: Caller) -> Kinds:
    """One case of each kind, all due at noon; the redial was due first."""
    add_project(caller.db, sort="1:2")
    add_trunk(caller.db)
    caller.start()
    caller.now = NOON - timedelta(minutes=30)
    redial = add_case(caller.db, call_back=True, call_back_period="5")
    caller.call(redial, "BUSY")
    fresh = add_case(caller.db, priority=-100)
    scheduled = add_case(caller.db, deferred_time=NOON - timedelta(minutes=1), priority=100)
    caller.now = NOON
    return Kinds(scheduled, redial, fresh)


def test_scheduled_callbacks_come_before_redials_before_fresh_cases(caller: Caller, kinds: Kinds) -> None:
    rows = caller.db.call("dialer_next", "p", caller.now, 10)
    assert [(row["case_id"], row["kind"]) for row in rows] == [
        (kinds.scheduled, "scheduled"),
        (kinds.redial, "redial"),
        (kinds.fresh, "fresh"),
    ]
    assert [row["place"] for row in rows] == [1, 2, 3]
    assert caller.claim(2) == [kinds.scheduled, kinds.redial]
    assert caller.claim(2) == [kinds.fresh]


def test_callbacks_go_by_their_instants_and_ties_by_id(caller: Caller) -> None:
    add_project(caller.db)
    later = add_case(caller.db, deferred_time=NOON - timedelta(minutes=1))
    first = add_case(caller.db, deferred_time=NOON - timedelta(minutes=9), utc="+9")
    tie = add_case(caller.db, deferred_time=NOON - timedelta(minutes=1), utc="-3")
    assert caller.next() == [first, later, tie]
    assert caller.next(2) == [first, later]


def test_a_due_callback_outside_its_window_waits_for_it_and_holds_nobody_up(caller: Caller) -> None:
    add_project(caller.db)
    promised = add_case(caller.db, deferred_time=NOON - timedelta(hours=1), allowed_start="15:00", allowed_stop="16:00")
    fresh = add_case(caller.db)
    assert caller.next() == [fresh]
    caller.now = NOON.replace(hour=15)
    assert caller.next() == [promised, fresh]


def test_claims_never_exceed_case_limit(caller: Caller) -> None:
    add_project(caller.db, case_limit=3)
    add_trunk(caller.db)
    caller.start()
    add_cases(caller.db, [{} for _ in range(10)])
    assert len(caller.claim(2)) == 2
    assert len(caller.claim(2)) == 1, "the third fills the hopper"
    assert caller.claim(2) == []


def test_next_asks_about_another_instant_and_claims_nothing(caller: Caller, db: Database) -> None:
    add_project(db)
    add_case(db, allowed_start="20:00", allowed_stop="21:00")
    assert len(db.call("dialer_next", "p", NOON.replace(hour=20), 10)) == 1
    assert db.query("SELECT * FROM dialer_claims") == []
    assert db.call("dialer_next", "nobody", None, 10) == []
    assert db.call("dialer_next", "p", NOON.replace(hour=20), 0) == []
    for unclear in (None, -1):
        with pytest.raises(DBAPIError, match=r"The number of cases is .*write how many to show"):
            db.call("dialer_next", "p", None, unclear)


def test_a_number_in_a_call_is_passed_over(caller: Caller) -> None:
    add_project(caller.db)
    add_project(caller.db, "q")
    add_trunk(caller.db)
    caller.start()
    caller.start("q")
    caller.dial(add_case(caller.db, phone_number="123"))
    same = add_case(caller.db, phone_number="123", project_id="q")
    other = add_case(caller.db, project_id="q")
    assert caller.claim(project="q") == [other]
    assert caller.why(same)["reason"] == "number_in_call"
