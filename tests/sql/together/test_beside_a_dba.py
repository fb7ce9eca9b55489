"""Claims beside somebody's open transaction: nobody waits, what is free is dialled, what waits says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from time import monotonic
from typing import Any

import gevent
import pytest
from sqlalchemy import Connection

from tests.support.caller import Caller
from tests.support.containers import MariaDbDatabases
from tests.support.dialects import Dialect, execute, query_at
from tests.support.factories import add_case, add_cases, add_project, add_trunk
from tests.support.waiting import wait_for
from worker.db import Database
from worker.db.limits import IDLE_SECONDS
from worker.errors import StatementTimedOut

pytestmark = pytest.mark.docker

AT_ONCE = 4.0
"""Seconds in which an answer has come without waiting for anybody's lock (15 s), on a busy machine."""


@pytest.fixture(autouse=True)
def projects(caller: Caller) -> None:
    add_trunk(caller.db)
    for name in ("p", "q"):
        add_project(caller.db, name)
        caller.start(name)


def ids(caller: Caller, project: str = "p") -> list[int]:
    rows = caller.db.query("SELECT id FROM dialer_clients WHERE project_id = :p ORDER BY id", p=project)
    return [row["id"] for row in rows]


def slow(caller: Caller) -> list[str]:
    rows = query_at(
        caller.db, caller.dialect, caller.now, "SELECT detail FROM dialer_warnings WHERE kind = 'claims_slow'"
    )
    return [row["detail"] for row in rows]


@contextmanager
def at_once() -> Iterator[None]:
    began = monotonic()
    yield
    assert monotonic() - began < AT_ONCE


def insert(project: str, count: int, dialect: Dialect, **columns: object) -> str:
    """The statement that loads so many cases."""
    number = "n" if dialect.name == "postgresql" else "seq"
    source = f"generate_series(1, {count}) n" if dialect.name == "postgresql" else f"seq_1_to_{count}"
    names = "".join(f", {name}" for name in columns)
    values = "".join(f", {value}" for value in columns.values())
    return (
        f"INSERT INTO dialer_clients (case_name, project_id, phone_number, utc{names})"
        f" SELECT 'bulk', '{project}', CAST(7000000000 + {number} AS char(10)), 'Z'{values} FROM {source}"
    )


# --- rows that somebody holds -----------------------------------------------------------------------------------


@pytest.mark.parametrize("held", [1, 50, 500])
def test_cases_behind_those_that_are_held_are_dialled(caller: Caller, other: Database, held: int) -> None:
    add_cases(caller.db, [{"priority": number} for number in range(held + 15)])
    execute(caller.db, "UPDATE dialer_params SET sort = '1:2'")
    cases = ids(caller)
    with other.transaction() as dba:
        dba.exec_driver_sql(f"UPDATE dialer_clients SET case_name = 'x' WHERE id <= {cases[held - 1]}")
        with at_once():
            assert caller.claim(10) == cases[held : held + 10], "in their order"
        assert caller.claim(10) == cases[held + 10 :]
        assert caller.claim(10) == []
        assert caller.project()["state"] == "running"
        assert len(slow(caller)) == 1, "now nothing is left but what is held"
    assert caller.claim(10) == cases[:10][:held]
    assert slow(caller) == []
    assert caller.db.query("SELECT * FROM dialer_invariants") == []


LOCK_LIMIT = {
    "postgresql": ("SET LOCAL lock_timeout = '300ms'", ""),
    "mariadb": ("DO 0", "SET STATEMENT innodb_lock_wait_timeout = 1, lock_wait_timeout = 1 FOR "),
}


@pytest.fixture
def blocked(caller: Caller) -> Callable[[int, int], list[int]]:
    """blocked(n, free): so many cases whose numbers are not to be called, and behind them so many others."""

    def add(n: int, free: int) -> list[int]:
        execute(caller.db, "UPDATE dialer_params SET sort = '1:2'")
        numbers = [f"+491{number:07}" for number in range(n)] + [f"+492{number:07}" for number in range(free)]
        add_cases(caller.db, [{"priority": place, "phone_number": number} for place, number in enumerate(numbers)])
        execute(caller.db, "INSERT INTO dialer_dnc (number) VALUES ('+491*')")
        return ids(caller)

    return add


@pytest.mark.parametrize("held", [1, 149, 150, 400])
def test_cases_behind_blocked_ones_that_somebody_holds_are_dialled(
    caller: Caller, other: Database, blocked: Callable[[int, int], list[int]], held: int
) -> None:
    cases = blocked(held, 15)
    with other.transaction() as dba:
        dba.exec_driver_sql(f"UPDATE dialer_clients SET case_name = 'x' WHERE id <= {cases[held - 1]}")
        with at_once():
            assert caller.claim(10) == cases[held : held + 10]


def test_blocked_cases_that_somebody_holds_are_a_warning_where_nothing_else_is_found(
    caller: Caller, other: Database, blocked: Callable[[int, int], list[int]]
) -> None:
    blocked(150, 0)
    with other.transaction() as dba:
        dba.exec_driver_sql("UPDATE dialer_clients SET case_name = 'x'")
        with at_once():
            assert caller.claim(10) == []
        assert len(slow(caller)) == 1
    assert caller.claim(10) == []
    assert slow(caller) == []


def test_a_case_that_somebody_holds_while_its_rule_goes_is_let_go_afterwards(
    caller: Caller, other: Database, blocked: Callable[[int, int], list[int]]
) -> None:
    (case,) = blocked(1, 0)
    caller.screen()
    with other.transaction() as dba:
        dba.exec_driver_sql("UPDATE dialer_clients SET case_name = 'x'")
        execute(caller.db, "DELETE FROM dialer_dnc")
        with at_once():
            caller.screen()
    # Not Caller.screen, which has all cases looked at.
    caller.db.call("dialer_screen", 500, caller.now)
    assert caller.claim(1) == [case]


def test_screening_waits_neither_for_cases_nor_for_changes_that_are_not_committed(
    caller: Caller, other: Database, blocked: Callable[[int, int], list[int]]
) -> None:
    cases = blocked(2, 1)
    caller.screen()
    with other.transaction() as dba:
        dba.exec_driver_sql(f"UPDATE dialer_clients SET case_name = 'x' WHERE id = {cases[0]}")
        dba.exec_driver_sql("INSERT INTO dialer_dnc (number) VALUES ('+4930')")
        for number in ("+4910000000", "+4920000000"):
            execute(caller.db, f"INSERT INTO dialer_dnc (number) VALUES ('{number}')")
        with at_once():
            caller.screen()
    rows = caller.db.query("SELECT id FROM dialer_clients WHERE held_for IS NOT NULL ORDER BY id")
    assert [row["id"] for row in rows] == cases


def test_an_open_insert_holds_up_neither_claims_nor_edits_of_its_project(
    caller: Caller, dialect: Dialect, other: Database
) -> None:
    cases = [add_case(caller.db, created=caller.now - timedelta(days=age)) for age in (1, 2)]
    before, prefix = LOCK_LIMIT[dialect.name]
    changes = ["dial_time = 15000", "priority = 2", "sort = '1:2'", "client = 'acme'", "zone = 'Europe/Berlin'"]
    changes += ["country = 'RU'", f"{dialect.lines} = 7", "zone_by = 'number'", "most_attempts = 3"]
    with other.transaction() as dba:
        dba.exec_driver_sql(insert("p", 300, dialect))
        with at_once():
            assert caller.claim(1) == cases[:1]
            for change in changes:
                with caller.db.transaction() as editor:
                    editor.exec_driver_sql(before)
                    editor.exec_driver_sql(f"{prefix}UPDATE dialer_params SET {change} WHERE project_id = 'p'")
            assert caller.refusals(cases[:1]) == [None]
            assert caller.claim(1) == cases[1:]
    assert len(ids(caller)) == 302


def test_who_looks_for_callbacks_and_redials_waits_for_nobody(caller: Caller, other: Database) -> None:
    promised = add_case(caller.db, deferred_time=caller.now - timedelta(minutes=1))
    fresh = add_case(caller.db)
    with other.transaction() as dba:
        dba.exec_driver_sql(f"UPDATE dialer_clients SET call_back = true, priority = 5 WHERE id = {promised}")
        dba.exec_driver_sql(
            "INSERT INTO dialer_clients (case_name, project_id, phone_number, utc, deferred_time)"
            " VALUES ('new', 'p', '79990001122', 'Z', '2026-01-01')"
        )
        with at_once():
            assert caller.next() == [promised, fresh]
            assert caller.claim() == [fresh]
    assert len(caller.claim()) == 2


def test_project_of_which_all_is_held_waits_visibly_and_is_not_finished(caller: Caller, other: Database) -> None:
    cases = [add_case(caller.db) for _ in range(3)]
    theirs = add_case(caller.db, project_id="q")
    with other.transaction() as dba:
        dba.exec_driver_sql(f"UPDATE dialer_clients SET case_name = 'x' WHERE id <= {cases[-1]}")
        with at_once():
            assert caller.claim() == []
            assert caller.claim(project="q") == [theirs]
        assert caller.project()["state"] == "running"
        first = slow(caller)
        caller.forward(seconds=30)
        caller.claim()
        assert slow(caller) == first, "since when"
        assert first == [
            "project p gets no cases since 2026-06-01 12:00:00: an open transaction holds the first of its cases that"
            " wait"
        ]
        assert caller.readiness().troubles == [
            "project p on default: it gets no cases: an open transaction holds the first of its cases that wait"
        ], "GET /readyz says so, too"
        caller.stop()
        assert slow(caller) == caller.readiness().troubles == [], "nobody asks for its cases"
        caller.start()
    caller.claim()
    assert slow(caller) == []


def test_held_cases_are_begun_and_ended_without_waiting(caller: Caller, other: Database) -> None:
    live, claimed = (add_case(caller.db, call_back=True, call_back_period="1") for _ in range(2))
    attempt = caller.dial(live)
    caller.claim()
    with other.transaction() as dba:
        dba.exec_driver_sql("UPDATE dialer_clients SET priority = 7")
        with at_once():
            assert caller.refusals([claimed]) == ["locked"]
            assert caller.finish(attempt, "BUSY")
        assert caller.db.query("SELECT * FROM dialer_live") == [], "line and number are free"
    caller.db.call("dialer_reap")
    assert caller.attempt(attempt)["effect"] == "redial"
    assert caller.db.query("SELECT * FROM dialer_claims") == []
    assert caller.db.query("SELECT * FROM dialer_invariants") == []


# --- rows that are not committed --------------------------------------------------------------------------------


@pytest.mark.full
@pytest.mark.parametrize("sort", ["2:1", "2:2", "1:2", "3:1"])
def test_claim_beside_an_open_insert_takes_no_more_than_its_share_of_rows(
    caller: Caller, other: Database, dialect: Dialect, sort: str
) -> None:
    execute(caller.db, "UPDATE dialer_params SET sort = :sort", sort=sort)
    mine = [add_case(caller.db, priority=priority) for priority in (1, 9)]
    best = []
    with other.transaction() as dba:
        for more in (4_000, 12_000):
            # In a window of the others, and in one of their own; between the two others by priority.
            dba.exec_driver_sql(insert("p", more, dialect, priority=5))
            dba.exec_driver_sql(insert("p", more, dialect, priority=5, allowed_stop="'23:30'"))
            times = []
            for _ in range(4):
                began = monotonic()
                assert sorted(caller.claim(10)) == mine
                times.append(monotonic() - began)
                caller.db.call("dialer_release", *caller.owner[:2], "p")
            best.append(min(times))
        dba.rollback()
    # Four times the rows; the square of that is sixteen times the time.
    assert best[1] < 10 * best[0], f"from {best[0]:.3f} s to {best[1]:.3f} s"
    assert slow(caller) == []


# --- a lock that is not to be had -------------------------------------------------------------------------------


def test_a_statement_gives_its_place_up_before_a_frozen_session_is_ended_and_tries_again(
    caller: Caller, other: Database
) -> None:
    """Statements of a frozen process that wait for each other would else get their locks one after the other, and each
    keep them until it is ended, too."""
    with other.transaction() as holder:
        row = f"SELECT * FROM dialer_workers WHERE id = {caller.worker_id} FOR UPDATE"
        holder.exec_driver_sql(row)
        owning = gevent.spawn(caller.db.value, "dialer_asterisk_own", caller.worker_id, "default", 3600)
        wait_for(lambda: caller.db.retries, IDLE_SECONDS, "the question to be asked again")
        assert not owning.dead
    assert owning.get(timeout=10) == caller.epoch


def test_a_beat_passes_over_what_somebody_holds_and_renews_the_rest(caller: Caller, other: Database) -> None:
    caller.db.value("dialer_asterisk_own", caller.worker_id, "second", 3600)
    before = leases(caller)
    with other.transaction() as holder:
        holder.exec_driver_sql("SELECT * FROM dialer_asterisks WHERE asterisk = 'second' FOR UPDATE")
        with at_once():
            assert caller.db.value("dialer_worker_beat", caller.worker_id, 7200)
    after = leases(caller)
    assert after["default"] > before["default"]
    assert after["second"] == before["second"]


def leases(caller: Caller) -> dict[str, Any]:
    rows = caller.db.query("SELECT asterisk, lease_until FROM dialer_asterisks")
    return {row["asterisk"]: row["lease_until"] for row in rows}


# --- a claim's time ---------------------------------------------------------------------------------------------


def claim(caller: Caller, seconds: float) -> list[Any]:
    return caller.db.call("dialer_claim", *caller.owner, "p", 10, caller.now, timeout_seconds=seconds)


def test_claim_is_given_up_when_its_time_is_over_and_leaves_nothing(caller: Caller, other: Database) -> None:
    case = add_case(caller.db)
    with other.transaction() as dba:
        dba.exec_driver_sql("UPDATE dialer_projects SET cases_waiting = 1 WHERE project_id = 'p'")
        began = monotonic()
        with pytest.raises(StatementTimedOut, match=r"limit is 0\.3 s"):
            claim(caller, 0.3)
        assert 0.3 <= monotonic() - began < 3
    assert caller.db.query("SELECT * FROM dialer_claims") == []
    assert [row["case_id"] for row in claim(caller, 0.3)] == [case], "the session is as it was before"
    with other.transaction() as dba:
        dba.exec_driver_sql("UPDATE dialer_projects SET cases_waiting = 2 WHERE project_id = 'p'")
        connection: Connection
        with caller.db.transaction() as connection:
            limit = "SHOW statement_timeout" if caller.dialect.name == "postgresql" else "SELECT @@max_statement_time"
            assert str(connection.exec_driver_sql(limit).scalar()) in ("30s", "30.0"), "and its limit, too"


def test_a_claim_that_was_given_up_is_a_warning_until_it_is_said_to_be_over(caller: Caller) -> None:
    add_case(caller.db)
    execute(caller.db, "UPDATE dialer_projects SET hungry = false")
    caller.db.call("dialer_trouble_report", *caller.owner, "project", "p", "claim", "given up after 2 s", caller.now)
    assert slow(caller) == ["project p on default, since 2026-06-01 12:00:00: given up after 2 s"]
    assert caller.project()["hungry"], "an INSERT that is committed now wakes the worker"
    statement = "SELECT id, remedy FROM dialer_warnings WHERE kind = 'claims_slow'"
    row = query_at(caller.db, caller.dialect, caller.now, statement)[0]
    assert row["id"] == caller.db.query("SELECT id FROM dialer_params WHERE project_id = 'p'")[0]["id"]
    assert "commit" in row["remedy"]
    worker, asterisk, epoch = caller.owner
    caller.db.call(
        "dialer_trouble_report", worker, asterisk, epoch + 1, "project", "q", "claim", "of no owner", caller.now
    )
    assert len(slow(caller)) == 1
    caller.db.call("dialer_trouble_report", *caller.owner, "project", "p", "claim", None, caller.now)
    assert slow(caller) == []


def test_what_nobody_tells_any_more_is_over(caller: Caller) -> None:
    caller.db.call("dialer_trouble_report", *caller.owner, "project", "p", "claim", "given up", caller.now)
    caller.forward(minutes=4)
    assert len(slow(caller)) == 1
    caller.forward(minutes=2)
    assert slow(caller) == []


# --- MariaDB's locks on places in an index ----------------------------------------------------------------------


@pytest.mark.parametrize("dialect", ["mariadb"], indirect=True)
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE dialer_clients SET used = false WHERE project_id = 'p' AND used LIMIT 1000",
        "UPDATE dialer_clients SET used = false WHERE project_id = 'p' AND used",
        "SELECT count(*) FROM dialer_clients WHERE project_id = 'p' LOCK IN SHARE MODE",
    ],
)
def test_a_dba_who_reads_repeatably_holds_nobody_up(
    caller: Caller, server: MariaDbDatabases, dialect: Dialect, statement: str
) -> None:
    execute(caller.db, insert("p", 2000, dialect, used="true", call_back="false"))
    for project in ("o", "q", "r"):  # so that an index is worth it
        execute(caller.db, insert(project, 4000, dialect, used="true"))
    execute(caller.db, dialect.analyze)
    live = add_case(caller.db, call_back=True, call_back_period="1")
    attempt = caller.dial(live)
    add_cases(caller.db, [{} for _ in range(20)])
    in_hand = caller.claim(5)
    theirs = [add_case(caller.db, project_id="q") for _ in range(3)]
    url = caller.db.settings.url().render_as_string(hide_password=False)
    with closing(server.connect(url)) as dba, dba.cursor() as cursor:
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute("BEGIN")
        cursor.execute(statement)
        for _ in range(2):
            with at_once():
                try:
                    claimed = claim(caller, 2)
                except StatementTimedOut:
                    continue  # the dialer reports it
            assert claimed or slow(caller), "it goes on or says why"
        with at_once():
            caller.begin(in_hand)
            assert caller.finish(attempt, "BUSY")
            caller.db.call("dialer_release", *caller.owner[:2], "p")
            caller.db.call("dialer_reap")
        with at_once():
            assert set(caller.claim(10, "q")) == set(theirs)
            assert caller.refusals(theirs, "q") == [None, None, None]
        cursor.execute("COMMIT")
    caller.db.call("dialer_reap")
    caller.forward(minutes=2)
    assert caller.claim(5)
    assert slow(caller) == []
    assert caller.db.query("SELECT * FROM dialer_invariants") == []
