"""People work on the ledger and on dialer_stat while calls end: nothing of that stops a call."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from time import monotonic

import gevent
import pytest
from sqlalchemy import Connection

from tests.support.caller import Caller, ended
from tests.support.dialects import execute, query_at, servers
from tests.support.factories import add_case, add_project, add_retry, add_trunk
from tests.support.waiting import wait_for
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
    refuse(own_database, "1 = 1", "no more, please")
    case = add_case(own_database)
    attempt = mine.call(case, "ANSWERED", answered=1)
    assert mine.case(case)["used"], "the call itself is settled"
    kept = dict(mine.attempt(attempt))
    assert kept.pop("not_posted") == "no more, please"
    execute(own_database, f"DROP TRIGGER no{' ON dialer_attempts' if caller.dialect.name == 'postgresql' else ''}")
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


TABLE_LOCKS = {
    "postgresql": ["LOCK TABLE dialer_attempts IN ACCESS EXCLUSIVE MODE", "LOCK TABLE dialer_stat IN SHARE MODE"],
    "mariadb": ["LOCK TABLES dialer_attempts READ", "LOCK TABLES dialer_stat READ"],
}


@pytest.mark.parametrize("lock", [0, 1])
def test_calls_end_while_somebody_holds_the_whole_ledger(caller: Caller, other: Database, lock: int) -> None:
    """As a dump does that knows nothing of transactions, or one who changes the table."""
    attempts = [caller.dial(add_case(caller.db)) for _ in range(10)]
    with dba(other, TABLE_LOCKS[caller.dialect.name][lock]) as connection:
        began = monotonic()
        assert caller.finish_all([ended(attempt, "ANSWERED", answered=1) for attempt in attempts])
        fresh = caller.dial(add_case(caller.db))
        assert caller.finish(fresh, "BUSY", ringing=1)
        caller.db.call("dialer_reap")
        assert monotonic() - began < 2 * AT_ONCE
        assert caller.db.query("SELECT * FROM dialer_live") == []
        if caller.dialect.name == "mariadb":
            connection.exec_driver_sql("UNLOCK TABLES")
    caller.db.call("dialer_reap")
    assert caller.db.query("SELECT * FROM dialer_calls") == []
    assert caller.db.query("SELECT * FROM dialer_invariants") == []


def test_who_asks_for_readiness_does_not_wait_for_the_ledger(caller: Caller, other: Database) -> None:
    postgres = caller.dialect.name == "postgresql"
    lock = "LOCK TABLE dialer_attempts IN ACCESS EXCLUSIVE MODE" if postgres else "LOCK TABLES dialer_attempts WRITE"
    assert caller.readiness() == ([], [])
    with dba(other, lock) as connection:
        began = monotonic()
        reasons, [trouble] = caller.readiness()
        assert monotonic() - began < 5
        assert reasons == []
        assert "dialer_invariants cannot be looked at" in trouble
        if not postgres:
            connection.exec_driver_sql("UNLOCK TABLES")
    assert caller.readiness() == ([], [])


def test_redials_that_are_counted_wait_for_the_ledger_and_no_call_does(caller: Caller, other: Database) -> None:
    add_retry(caller.db, outcome="BUSY", period_minutes=5, most=1)
    case = add_case(caller.db)
    first = caller.call(case, "ANSWERED", answered=1)
    execute(caller.db, "UPDATE dialer_clients SET used = false WHERE id = :id", id=case)
    attempt = caller.dial(case)
    mariadb = caller.dialect.name == "mariadb"
    with dba(other, "LOCK TABLES dialer_attempts WRITE" if mariadb else TABLE_LOCKS["postgresql"][0]) as connection:
        began = monotonic()
        assert caller.finish(attempt, "BUSY", ringing=1)
        caller.db.call("dialer_reap")
        assert monotonic() - began < 2 * AT_ONCE
        assert caller.attempt(attempt)["effect"] is None
        claim = caller.db.query("SELECT attempt_id FROM dialer_claims WHERE case_id = :case", case=case)
        assert [row["attempt_id"] for row in claim] == [attempt], "nobody calls it meanwhile"
        assert caller.db.query("SELECT * FROM dialer_live") == []
        assert caller.db.value("dialer_dispose", attempt, "sold", caller.now) == "noted"
        if mariadb:
            connection.exec_driver_sql("UNLOCK TABLES")
    caller.db.call("dialer_reap")
    row = caller.case(case)
    assert (row["used"], row["deferred_time"]) == (False, caller.now + timedelta(minutes=5))
    assert caller.attempt(attempt)["effect"] == "redial"
    assert caller.db.value("dialer_dispose", first, "sold", caller.now) == "noted"
    assert caller.db.query("SELECT * FROM dialer_invariants") == []


def test_calls_end_while_a_change_of_the_ledger_waits_for_a_reader(caller: Caller, other: Database) -> None:
    attempt = caller.dial(add_case(caller.db))
    alter = "ALTER TABLE dialer_attempts COMMENT = 'calls'"
    if caller.dialect.name == "postgresql":
        alter = "LOCK TABLE dialer_attempts IN ACCESS EXCLUSIVE MODE"
    third = Database(caller.db.settings)
    with dba(other, "SELECT count(*) FROM dialer_attempts"):
        waiting = gevent.spawn(execute, third, alter)
        listed = (
            "SELECT 1 AS one FROM information_schema.processlist WHERE state LIKE 'Waiting for table metadata lock'"
            if caller.dialect.name == "mariadb"
            else "SELECT 1 AS one FROM pg_locks WHERE NOT granted AND relation = 'dialer_attempts'::regclass"
        )
        wait_for(lambda: caller.db.query(listed), 10, "the change to wait")
        began = monotonic()
        assert caller.finish(attempt, "ANSWERED", answered=1)
        assert monotonic() - began < AT_ONCE
    waiting.get(timeout=20)
    third.dispose()
    caller.db.call("dialer_reap")
    assert caller.db.query("SELECT * FROM dialer_calls") == []


def test_one_attempt_that_is_refused_keeps_no_other_from_the_ledger(own_database: Database, caller: Caller) -> None:
    mine, attempts = of_its_own(own_database, caller)
    refuse(own_database, "NEW.phone_number = '7000000000'", "not this one")
    third = Database(own_database.settings)
    with dba(third, TABLE_LOCKS[caller.dialect.name][0]) as connection:
        assert mine.finish_all([ended(attempt, "ANSWERED", answered=1) for attempt in attempts])
        if caller.dialect.name == "mariadb":
            connection.exec_driver_sql("UNLOCK TABLES")
    third.dispose()
    own_database.call("dialer_reap")
    [left] = own_database.query("SELECT phone_number, not_posted FROM dialer_calls")
    assert (left["phone_number"], left["not_posted"]) == ("7000000000", "not this one")


def refuse(database: Database, condition: str, words: str) -> None:
    """Give dialer_attempts a trigger of somebody's, which refuses such rows."""
    if database.dialect.name == "postgresql":
        execute(
            database,
            "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$ BEGIN IF {condition} THEN RAISE EXCEPTION '{words}'; END IF; RETURN NEW; END $$",
        )
        execute(database, "CREATE TRIGGER no BEFORE INSERT ON dialer_attempts FOR EACH ROW EXECUTE FUNCTION no()")
    else:
        execute(
            database,
            "CREATE TRIGGER no BEFORE INSERT ON dialer_attempts FOR EACH ROW"
            f" IF {condition} THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '{words}'; END IF",
        )


@pytest.mark.parametrize("dialect", servers("postgresql"), indirect=True)
def test_what_a_trigger_of_somebodys_refuses_at_the_commit_is_refused_at_once(
    own_database: Database, caller: Caller
) -> None:
    mine, attempts = of_its_own(own_database, caller)
    execute(
        own_database,
        "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'theirs'; END $$",
    )
    execute(
        own_database,
        "CREATE CONSTRAINT TRIGGER no AFTER INSERT ON dialer_attempts DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION no()",
    )
    assert mine.finish_all([ended(attempt, "ANSWERED", answered=1) for attempt in attempts])
    assert own_database.query("SELECT * FROM dialer_live") == []
    own_database.call("dialer_reap")
    found = own_database.query("SELECT DISTINCT not_posted FROM dialer_calls")
    assert [row["not_posted"] for row in found] == ["theirs"]


def test_a_slow_trigger_of_somebodys_delays_the_ledger_alone(own_database: Database, caller: Caller) -> None:
    mine, attempts = of_its_own(own_database, caller)
    if caller.dialect.name == "postgresql":
        execute(
            own_database,
            "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN PERFORM pg_sleep(5); RETURN NULL; END $$",
        )
        execute(own_database, "CREATE TRIGGER no AFTER INSERT ON dialer_attempts FOR EACH ROW EXECUTE FUNCTION no()")
    else:
        execute(own_database, "CREATE TRIGGER no AFTER INSERT ON dialer_attempts FOR EACH ROW SET @slept = sleep(5)")
    reports = json.dumps([ended(attempt, "ANSWERED", answered=1) for attempt in attempts])
    began = monotonic()
    assert own_database.value("dialer_attempt_finish", *mine.owner, reports, mine.now, timeout_seconds=0.5)
    assert monotonic() - began < 3, "one of them has waited, and the others have not"
    assert own_database.query("SELECT * FROM dialer_live") == []
    [told] = own_database.query("SELECT not_posted FROM dialer_calls WHERE not_posted IS NOT NULL")
    assert "statement" in told["not_posted"]
    execute(own_database, f"DROP TRIGGER no{' ON dialer_attempts' if caller.dialect.name == 'postgresql' else ''}")
    own_database.call("dialer_reap")
    assert own_database.query("SELECT * FROM dialer_calls") == []


def of_its_own(database: Database, caller: Caller) -> tuple[Caller, list[int]]:
    """A worker of a database of the test's own, and five calls that are up."""
    mine = Caller(database, caller.dialect)
    execute(database, "UPDATE dialer_settings SET value = 'true' WHERE name = 'virtual_clock'")
    add_project(database)
    add_trunk(database)
    mine.start()
    return mine, [mine.dial(add_case(database, phone_number=f"700000000{number}")) for number in range(5)]


def test_the_last_call_gives_a_case_its_state_though_it_is_posted_first(caller: Caller, other: Database) -> None:
    case = add_case(caller.db, call_back=True, call_back_period="1,1")
    with dba(other, TABLE_LOCKS[caller.dialect.name][0]) as connection:
        caller.call(case, "BUSY")
        caller.forward(minutes=1)
        caller.call(case, "ANSWERED", answered=1)
        if caller.dialect.name == "mariadb":
            connection.exec_driver_sql("UNLOCK TABLES")
    for order in ("DESC", "ASC"):
        [last] = caller.db.query(f"SELECT id FROM dialer_calls ORDER BY id {order} LIMIT 1")
        post(caller, last["id"])
    stat = caller.stat(case)
    assert stat is not None
    assert (stat["state"], stat["dial_count"]) == ("ANSWERED", 2)


def post(caller: Caller, attempt: int) -> None:
    if caller.dialect.name == "postgresql":
        assert caller.db.value("dialer_post", attempt)
    else:
        execute(caller.db, f"CALL dialer_post({attempt}, @posted)")
