"""People work on the ledger and on dialer_stat while calls end: nothing of that stops a call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

import pytest
from sqlalchemy import Connection

from tests.factories import add_case, add_project, add_trunk
from tests.sql.caller import Caller
from tests.sql.dialects import execute, query_at
from worker.db import Database

AT_ONCE = 1.0
"""Seconds within which nobody has waited for a lock."""
PURGES = [
    "DELETE FROM dialer_attempts WHERE ended_at < '2001-01-01'",
    "DELETE FROM dialer_attempts WHERE begun_at < '2001-01-01'",
    "DELETE FROM dialer_attempts",
    "DELETE FROM dialer_attempts WHERE id <= (SELECT m FROM (SELECT max(id) AS m FROM dialer_attempts) t)",
    "DELETE FROM dialer_stat WHERE ended < '2001-01-01'",
    "DELETE FROM dialer_stat",
    "UPDATE dialer_attempts SET disposition = 'sold'",
]


@pytest.fixture(autouse=True)
def history(caller: Caller) -> None:
    """A project, and a hundred calls in the ledger."""
    add_project(caller.db)
    add_trunk(caller.db)
    caller.start()
    for _ in range(10):
        cases = [add_case(caller.db) for _ in range(10)]
        for row in caller.begin(caller.claim()):
            caller.finish(row["attempt_id"], "ANSWERED", answered=1)
        assert len(cases) == 10
    caller.forward(minutes=1)


@contextmanager
def dba(other: Database, statement: str) -> Iterator[Connection]:
    """Somebody's transaction that reads repeatably, has run a statement and is left open."""
    with other.transaction() as connection:
        if other.dialect.name == "mariadb":
            connection.exec_driver_sql("ROLLBACK")
            connection.exec_driver_sql("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            connection.exec_driver_sql("START TRANSACTION")
        connection.exec_driver_sql(statement)
        yield connection
        connection.rollback()


@pytest.mark.parametrize("statement", PURGES)
def test_calls_begin_and_end_while_old_attempts_are_being_deleted(
    caller: Caller, other: Database, statement: str
) -> None:
    again = add_case(caller.db, call_back=True, call_back_period="1")
    first = caller.call(again, "BUSY")
    caller.forward(minutes=1)
    with dba(other, statement):
        began = monotonic()
        attempt = caller.dial(again)
        assert caller.finish(attempt, "ANSWERED", answered=1)
        fresh = add_case(caller.db)
        caller.call(fresh, "ANSWERED", answered=1)
        assert monotonic() - began < AT_ONCE
        assert caller.case(again)["used"]
        assert caller.case(fresh)["used"]
        assert caller.db.query("SELECT * FROM dialer_live") == []
        assert caller.db.query("SELECT * FROM dialer_claims") == []
        caller.db.call("dialer_reap")
        assert monotonic() - began < 2 * AT_ONCE
    caller.db.call("dialer_reap")
    assert caller.db.query("SELECT * FROM dialer_calls") == []
    assert caller.attempt(attempt)["outcome"] == "ANSWERED"
    assert caller.attempt(first)["outcome"] == "BUSY"
    assert caller.db.query("SELECT * FROM dialer_invariants") == []


def test_what_the_ledger_has_not_taken_yet_counts_and_is_told(caller: Caller, other: Database) -> None:
    execute(caller.db, "UPDATE dialer_params SET type = 'predictive'")
    before = caller.db.call("dialer_abandon_ledger", "p", caller.now)[0]["abandoned"]
    lock = (
        "LOCK TABLE dialer_attempts IN SHARE MODE"
        if caller.dialect.name == "postgresql"
        else "DELETE FROM dialer_attempts"
    )
    with dba(other, lock):
        caller.call(add_case(caller.db), "ABANDONED", answered=5)
        assert caller.db.call("dialer_abandon_ledger", "p", caller.now)[0]["abandoned"] == before + 1
        statement = "SELECT detail, remedy FROM dialer_warnings WHERE kind = 'ledger_held'"
        assert query_at(caller.db, caller.dialect, caller.now, statement) == []
        caller.forward(minutes=2)
        [warning] = query_at(caller.db, caller.dialect, caller.now, statement)
        assert "1 attempts" in warning["detail"]
        assert "lock" in warning["detail"].lower(), "the server's own words"
    caller.db.call("dialer_reap")
    assert query_at(caller.db, caller.dialect, caller.now, statement) == []


def test_a_trigger_that_refuses_the_ledger_keeps_its_attempts_and_nothing_else(
    own_database: Database, caller: Caller
) -> None:
    mine = Caller(own_database, caller.dialect)
    execute(own_database, "UPDATE dialer_settings SET value = 'true' WHERE name = 'virtual_clock'")
    add_project(own_database)
    add_trunk(own_database)
    mine.start()
    if caller.dialect.name == "postgresql":
        own = [
            "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'no more, please'; END $$",
            "CREATE TRIGGER no BEFORE INSERT ON dialer_attempts FOR EACH ROW EXECUTE FUNCTION no()",
            "DROP TRIGGER no ON dialer_attempts",
        ]
    else:
        own = [
            "CREATE TRIGGER no BEFORE INSERT ON dialer_attempts FOR EACH ROW"
            " SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no more, please'",
            "DROP TRIGGER no",
        ]
    with own_database.transaction() as connection:
        for statement in own[:-1]:
            connection.exec_driver_sql(statement)
    case = add_case(own_database)
    attempt = mine.call(case, "ANSWERED", answered=1)
    assert mine.case(case)["used"], "the call itself is settled"
    kept = dict(mine.attempt(attempt))
    assert kept.pop("not_posted") == "no more, please"
    with own_database.transaction() as connection:
        connection.exec_driver_sql(own[-1])
    own_database.call("dialer_reap")
    assert own_database.query("SELECT * FROM dialer_attempts") == [kept], "column by column"


def test_columns_that_somebody_adds_are_in_nobodys_way(own_database: Database, caller: Caller) -> None:
    mine = Caller(own_database, caller.dialect)
    execute(own_database, "UPDATE dialer_settings SET value = 'true' WHERE name = 'virtual_clock'")
    invisible = " INVISIBLE" if caller.dialect.name == "mariadb" else ""
    with own_database.transaction() as connection:
        for table in ("clients", "params", "stat", "attempts", "calls", "trunks", "projects", "claims", "live"):
            connection.exec_driver_sql(f"ALTER TABLE dialer_{table} ADD COLUMN mine int{invisible}")
    add_project(own_database)
    add_trunk(own_database)
    mine.start()
    case = add_case(own_database, call_back=True, call_back_period="1")
    mine.call(case, "BUSY")
    mine.forward(minutes=1)
    mine.call(case, "ANSWERED", answered=1)
    assert mine.case(case)["used"]
    assert own_database.query("SELECT * FROM dialer_invariants") == []
