"""Keys that subscribers press, and opt-outs: a row of dialer_dnc at once, whatever becomes of the call."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from tests.support.caller import NOON, Caller
from tests.support.dialects import Dialect, execute, listen
from tests.support.factories import add_case, add_project, add_trunk
from worker.db import Database
from worker.db.database import Row, reason


@pytest.fixture
def project(caller: Caller) -> Callable[..., None]:
    """Adds and starts a project that is made for keys; what is not said is as shipped."""

    def make(**columns: Any) -> None:
        add_project(caller.db, **{"key_opt_out": "9", **columns})
        add_trunk(caller.db)
        caller.start()

    return make


def opt_out(caller: Caller, *attempts: int, key: str = "9", ago: float = 0) -> int:
    """Report them; how many of them are new."""
    told = json.dumps([{"attempt_id": attempt, "key": key, "ago": ago} for attempt in attempts])
    return int(caller.db.value("dialer_opt_out", told, caller.now))


def blocked(caller: Caller) -> list[Row]:
    return caller.db.query("SELECT * FROM dialer_dnc ORDER BY id")


def pressed(caller: Caller, attempt: int, keys: str) -> None:
    report = {"attempt_id": attempt, "steps": {"answered": 0}, "keys": keys}
    assert caller.db.value("dialer_attempt_advance", *caller.owner, json.dumps([report]), caller.now)


def test_an_opt_out_is_a_row_for_the_number_of_the_call_at_once(caller: Caller, project: Callable[..., None]) -> None:
    project()
    attempt = caller.dial(add_case(caller.db, phone_number="+4930123"))
    caller.forward(seconds=30)
    assert opt_out(caller, attempt, ago=10) == 1
    (row,) = blocked(caller)
    assert (row["number"], row["attempt_id"], row["added_at"]) == ("+4930123", attempt, NOON + timedelta(seconds=20))
    assert [row[name] for name in ("project_id", "client", "region", "purpose", "from_at", "until_at")] == [None] * 6
    assert row["reason"] == "the subscriber pressed 9 in a call of project p"


def test_the_same_opt_out_twice_is_one_row(caller: Caller, project: Callable[..., None]) -> None:
    project()
    first, second = (caller.dial(add_case(caller.db)) for _ in range(2))
    assert opt_out(caller, first, first) == 1
    assert opt_out(caller, first, second) == 1
    assert [row["attempt_id"] for row in blocked(caller)] == [first, second]


@pytest.mark.parametrize(
    ("scope", "expected"), [("all", (None, None)), ("client", (None, "Ann")), ("project", ("p", None))]
)
def test_the_scope_is_the_projects(
    caller: Caller, project: Callable[..., None], scope: str, expected: tuple[str | None, str | None]
) -> None:
    project(opt_out_scope=scope, client="Ann")
    opt_out(caller, caller.dial(add_case(caller.db)))
    (row,) = blocked(caller)
    assert (row["project_id"], row["client"]) == expected


def test_it_counts_for_all_if_its_project_is_gone(caller: Caller, project: Callable[..., None]) -> None:
    project(opt_out_scope="project")
    attempt = caller.dial(add_case(caller.db))
    execute(caller.db, "DELETE FROM dialer_params")
    assert opt_out(caller, attempt) == 1
    assert blocked(caller)[0]["project_id"] is None


def test_it_counts_after_the_call_has_ended_and_whoever_owns_the_asterisk(
    caller: Caller, project: Callable[..., None]
) -> None:
    project()
    attempt = caller.call(add_case(caller.db), "ANSWERED", answered=1)
    caller.db.call("dialer_worker_stop", caller.worker_id)
    assert opt_out(caller, attempt) == 1


def test_a_call_that_nobody_knows_has_no_opt_out(caller: Caller, project: Callable[..., None]) -> None:
    project()
    assert opt_out(caller, 4711) == 0
    assert blocked(caller) == []


def test_its_number_is_taken_as_the_call_had_it(caller: Caller, project: Callable[..., None]) -> None:
    """Without a country numbers stay as written, and a row that a person writes like that is refused."""
    project()
    opt_out(caller, caller.dial(add_case(caller.db, phone_number="*31#0160")))
    assert [row["number"] for row in blocked(caller)] == ["*31#0160"]


@pytest.mark.parametrize("outcome", ["ABANDONED", "MACHINE", "LOST"])
def test_a_case_whose_subscriber_opted_out_is_used_up(
    caller: Caller, project: Callable[..., None], outcome: str
) -> None:
    project(type="predictive")
    cases = [add_case(caller.db, call_back=True, call_back_period="5,5") for _ in range(2)]
    attempts = [caller.dial(case) for case in cases]
    opt_out(caller, attempts[0])
    for attempt in attempts:
        caller.finish(attempt, outcome, answered=1)
    assert [caller.case(case)["used"] for case in cases] == [True, False]
    assert [caller.attempt(attempt)["effect"] for attempt in attempts] == ["used", "redial"]


# --- keys ----------------------------------------------------------------------------------------------------------


def test_keys_stand_in_the_attempt_and_in_the_ledger(caller: Caller, project: Callable[..., None]) -> None:
    project()
    attempt = caller.dial(add_case(caller.db))
    pressed(caller, attempt, "1")
    pressed(caller, attempt, "12*")
    pressed(caller, attempt, "1")  # a report that was late
    under_way = caller.db.query("SELECT keys_pressed FROM dialer_stat_attempt")
    [open_attempt] = caller.db.call("dialer_open_attempts", caller.asterisk, caller.now)
    caller.finish(attempt, "ANSWERED", answered=1)
    ended = caller.db.query("SELECT keys_pressed FROM dialer_stat_attempt")
    assert under_way == ended == [{"keys_pressed": "12*"}]
    assert open_attempt["keys_pressed"] == "12*"
    assert caller.attempt(attempt)["keys_pressed"] == "12*"


def test_at_most_forty_keys_are_kept(caller: Caller, project: Callable[..., None]) -> None:
    project()
    attempt = caller.dial(add_case(caller.db))
    pressed(caller, attempt, "12345" * 10)
    assert caller.attempt(attempt)["keys_pressed"] == "12345" * 8


def test_keys_are_counted_by_project_and_day(caller: Caller, project: Callable[..., None]) -> None:
    project()
    add_project(caller.db, "q")
    caller.start("q")
    opted_out = caller.dial(add_case(caller.db))
    opt_out(caller, opted_out)
    # Another number of the same subscriber's, say.
    execute(caller.db, "INSERT INTO dialer_dnc (number, attempt_id) VALUES ('+4930999', :a)", a=opted_out)
    for project_id, keys, attempt in [
        ("p", "119", opted_out),
        ("p", "1", caller.dial(add_case(caller.db))),
        ("p", "", caller.dial(add_case(caller.db))),
        ("q", "#", caller.dial(add_case(caller.db, project_id="q"), "q")),
    ]:
        assert caller.attempt(attempt)["project_id"] == project_id
        pressed(caller, attempt, keys)
        caller.finish(attempt, "ANSWERED", answered=1)
    rows = caller.db.query("SELECT * FROM dialer_stat_key ORDER BY project_id, digit")
    assert [tuple(row[name] for name in ("project_id", "digit", "calls", "times", "opt_outs")) for row in rows] == [
        ("p", "1", 2, 3, 1), ("p", "9", 1, 1, 1), ("q", "#", 1, 1, 0),
    ]  # fmt: skip
    assert {row["day_at"] for row in rows} == {rows[0]["day_at"]}


def test_who_asks_for_an_agent_after_a_message_was_not_abandoned(caller: Caller, project: Callable[..., None]) -> None:
    project(key_agent="2")
    attempt = caller.dial(add_case(caller.db))
    caller.forward(seconds=60)
    caller.finish(attempt, "ANSWERED", answered=50, waiting=30, agent=20, agent_name="PJSIP/a")
    row = caller.attempt(attempt)
    assert (row["abandoned_at"], row["counts_as"]) == (None, "connected")
    assert caller.db.query("SELECT * FROM dialer_abandoned") == []


# --- what the permission to dial says of it ------------------------------------------------------------------------


def test_keys_and_message_reach_who_dials(caller: Caller, project: Callable[..., None]) -> None:
    project(key_repeat="1", key_agent="*", message="custom/hello")
    (case,) = [add_case(caller.db)]
    caller.claim()
    (row,) = caller.begin([case])
    assert [row[name] for name in ("key_repeat", "key_agent", "key_opt_out", "message")] == [
        "1", "*", "9", "custom/hello",
    ]  # fmt: skip


@pytest.mark.parametrize("message", [None, "custom/hello"])
def test_a_case_may_name_its_own_recording(caller: Caller, project: Callable[..., None], message: str | None) -> None:
    project(message=message, message_field="die Ansage")
    fields = [
        {"die Ansage": "debts/4711_a-B"},
        {"die Ansage": "../../etc/passwd"},
        {"die Ansage": "a&b"},
        {"die Ansage": "a,n"},
        {"die Ansage": "a\n"},
        {"die Ansage": ""},
        {"die Ansage": "x" * 201},
        {"die Ansage": None},
        {"die Ansage": {"a": "b"}},
        {"another": "debts/4711"},
    ]
    cases = [add_case(caller.db, fields=json.dumps(one)) for one in fields]
    cases.append(add_case(caller.db))
    caller.claim()
    told = [row["message"] for row in caller.begin(cases)]
    assert told == ["debts/4711_a-B", *[message] * 10]


# --- rows that people write ----------------------------------------------------------------------------------------


def added(db: Database, number: str, project_id: str | None = None) -> str:
    """The number of a row as it stands once it is written."""
    execute(db, "INSERT INTO dialer_dnc (number, project_id) VALUES (:n, :p)", n=number, p=project_id)
    return str(db.query("SELECT number FROM dialer_dnc ORDER BY id DESC LIMIT 1")[0]["number"])


@pytest.mark.parametrize("number", ["+74951234567", "+112", "+7*", "+7495*", "+" + "1" * 15])
def test_a_number_with_its_country_code_stays_as_it_is(db: Database, number: str) -> None:
    assert added(db, number) == number


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("89161234567", "+79161234567"),
        ("79161234567", "+79161234567"),
        ("9161234567", "+79161234567"),
        ("8104930123456", "+4930123456"),
        ("004930123456", "+4930123456"),
        ("112", "112"),  # what the country's plan does not explain is called as written, too
        ("0049*", "+49*"),
        ("810493*", "+493*"),
    ],
)
def test_a_number_without_it_is_read_by_its_projects_country_or_the_installations(
    db: Database, written: str, number: str
) -> None:
    add_project(db, country="RU")
    assert added(db, written, "p") == number
    with pytest.raises(DBAPIError) as caught:
        added(db, written)
    assert "dialer_dnc.number is" in reason(caught.value)
    execute(db, "UPDATE dialer_settings SET value = 'RU' WHERE name = 'country'")
    try:
        assert added(db, written) == number
    finally:
        execute(db, "UPDATE dialer_settings SET value = '' WHERE name = 'country'")


def test_the_remedy_says_where_the_country_is_written(db: Database) -> None:
    with pytest.raises(DBAPIError) as caught:
        added(db, "89161234567")
    assert reason(caught.value) == (
        "dialer_dnc.number is '89161234567': write it with + and its country code; without, write the country by which"
        " numbers are read into dialer_settings (country) or dialer_params.country first"
    )


def test_what_is_taken_away_or_loosened_wakes_the_workers(db: Database, dialect: Dialect) -> None:
    execute(db, "INSERT INTO dialer_dnc (number) VALUES ('+4930*'), ('+4931*')")
    with listen(db) as ear:
        execute(db, "UPDATE dialer_dnc SET until_at = '2027-01-01 00:00:00' WHERE number = '+4930*'")
        assert "" in ear.heard()
        execute(db, "DELETE FROM dialer_dnc")
        assert "" in ear.heard()


def test_a_message_without_an_opt_out_is_worth_a_look(db: Database) -> None:
    add_project(db, "without")
    add_project(db, "with", key_opt_out="9")
    add_project(db, "agents", type="predictive")
    rows = db.query("SELECT detail, remedy FROM dialer_warnings WHERE kind = 'no_opt_out'")
    assert [row["detail"] for row in rows] == [
        "project without plays a message, and offers no key to opt out of further calls"
    ]
    assert "16 CFR 310.4(b)(1)(v)(B)" in rows[0]["remedy"]
