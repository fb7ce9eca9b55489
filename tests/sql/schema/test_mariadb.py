"""What only MariaDB could get wrong: its zone tables, collations, sessions in other zones, and its transactions."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from alembic import command
from tests.support.caller import NOON, Caller
from tests.support.containers import MariaDbContainer, MariaDbDatabases
from tests.support.dialects import Dialect, execute, servers
from tests.support.factories import add_case, add_cases, add_project, add_trunk
from worker.db import Database
from worker.db.database import cause, reason
from worker.db.migration import config

pytestmark = [pytest.mark.docker, pytest.mark.parametrize("dialect", servers("mariadb"), indirect=True)]

ORIGINAL = [
    "case_name",
    "project_id",
    "phone_number",
    "priority",
    "utc",
    "used",
    "call_back",
    "allowed_start",
    "allowed_stop",
    "checked",
    "call_back_period",
    "deferred_time",
    "deferred_done",
    "created",
    "id",
]


def test_the_originals_tables_look_as_they_did(db: Database) -> None:
    execute(
        db,
        "INSERT INTO dialer_clients VALUES ('a', 'p', '1', 1, '+3', false, false, '9:00', '18:00', false, NULL, NULL,"
        " false, '2026-01-01', 7)",
    )
    assert list(db.query("SELECT * FROM dialer_clients")[0]) == ORIGINAL
    execute(db, "INSERT INTO dialer_params VALUES ('p', 0, 20000, 500, '2:1', 1, 'autoinforming', '100', 'default')")


def test_names_are_told_apart_by_case_accent_and_trailing_space(db: Database) -> None:
    for name in ("p", "P", "p ", "é", "e", "Ж😀"):
        add_project(db, name)
        add_case(db, project_id=name, case_name="O'Neil 😀")
    assert len(db.query("SELECT DISTINCT project_id FROM dialer_clients")) == 6
    for name in ("p", "P", "p ", "é", "e", "Ж😀"):
        rows = db.call("dialer_next", name, NOON, 10)
        assert len(rows) == 1, name
    assert {row["case_name"] for row in db.query("SELECT case_name FROM dialer_clients")} == {"O'Neil 😀"}


def test_the_database_keeps_its_own_collation(own_database: Database) -> None:
    rows = own_database.query(
        "SELECT default_collation_name AS name FROM information_schema.schemata WHERE schema_name = database()"
    )
    assert rows[0]["name"] == "utf8mb4_general_ci", "as the test made it; the dialer only borrows it"


def test_a_session_with_safe_updates_may_ask_what_comes_next(caller: Caller) -> None:
    """As the client of whoever starts it with --safe-updates."""
    add_project(caller.db)
    case = add_case(caller.db)

    def work(connection: Connection) -> list[int]:
        connection.execute(text("SET sql_safe_updates = ON"))
        try:
            return [row.case_id for row in connection.execute(text("CALL dialer_next('p', NULL, 10)"))]
        finally:
            connection.execute(text("SET sql_safe_updates = OFF"))

    assert caller.db.run(work) == [case]


@pytest.mark.parametrize("instant", ["1969-12-31 23:00", "2399-12-31 00:00"])
def test_an_instant_outside_the_servers_clock_is_refused_where_it_cannot_be_set(caller: Caller, instant: str) -> None:
    add_project(caller.db)
    case = add_case(caller.db, deferred_time=NOON)
    with pytest.raises(DBAPIError, match=f"The instant is '{instant}.*': write one from 1970 to 2037"):
        caller.db.call("dialer_next", "p", instant, 10)
    assert [row["case_id"] for row in caller.db.call("dialer_next", "p", "2037-12-31 23:00", 10)] == [case]


def test_a_session_that_has_the_temporary_tables_of_an_older_version_gets_new_ones(caller: Caller) -> None:
    add_project(caller.db)
    add_trunk(caller.db)
    caller.start()
    case = add_case(caller.db)
    with caller.db.transaction() as dba:
        dba.exec_driver_sql("SET @dialer_temporaries = NULL")
        dba.exec_driver_sql("DROP TEMPORARY TABLE IF EXISTS dialer_windows_found")
        dba.exec_driver_sql("CREATE TEMPORARY TABLE dialer_windows_found (window_key varchar(230) PRIMARY KEY)")
        found = dba.exec_driver_sql("CALL dialer_next('p', NULL, 10)").mappings().all()
    assert [row["case_id"] for row in found] == [case]


@pytest.mark.parametrize("zone", ["-05:00", "+05:45", "Europe/Berlin"])
def test_a_session_of_another_zone_asks_about_the_same_instants(caller: Caller, zone: str) -> None:
    add_project(caller.db)
    add_trunk(caller.db)
    caller.start()
    case = add_case(caller.db, utc="Europe/Moscow", allowed_start="15:00", allowed_stop="15:01")  # noon UTC
    shut = add_case(caller.db, utc="Europe/Moscow", allowed_start="16:00", allowed_stop="17:00")
    with caller.db.transaction() as dba:
        dba.exec_driver_sql(f"SET time_zone = '{zone}'")
        dba.exec_driver_sql("SET @dialer_now = CONVERT_TZ('2026-06-01 12:00:30', '+00:00', @@time_zone)")
        try:
            found = dba.exec_driver_sql("CALL dialer_next('p', NULL, 10)").mappings().all()
            assert [row["case_id"] for row in found] == [case]
            why = dba.exec_driver_sql(
                f"SELECT reason, UNIX_TIMESTAMP(until_at) AS until_at FROM dialer_why WHERE case_id = {shut}"
            )
            row = why.mappings().one()
            assert row["reason"] == "window_closed"
            assert row["until_at"] == (NOON + timedelta(hours=1)).timestamp()
        finally:
            dba.exec_driver_sql("SET @dialer_now = NULL")
            dba.exec_driver_sql("SET time_zone = '+00:00'")


def test_a_routine_inside_a_dbas_transaction_is_a_part_of_it(caller: Caller) -> None:
    add_project(caller.db)
    caller.start()
    with caller.db.transaction() as dba:
        dba.exec_driver_sql("UPDATE dialer_params SET dial_time = 5000")
        dba.exec_driver_sql("CALL dialer_project_stop('p')")
        dba.rollback()
    assert caller.project()["wanted"] == "start"
    assert caller.db.query("SELECT dial_time FROM dialer_params")[0]["dial_time"] == 20000


def test_a_large_insert_is_one_wake_up_a_project(caller: Caller) -> None:
    add_project(caller.db)
    execute(caller.db, "DELETE FROM dialer_wakeups")
    add_cases(caller.db, [{"project_id": "pq"[number % 2]} for number in range(2000)])
    rows = caller.db.query("SELECT project_id FROM dialer_wakeups ORDER BY project_id")
    assert [row["project_id"] for row in rows] == ["p", "q"]


def test_wake_ups_that_were_heard_are_cleared_away_and_every_worker_hears_them(caller: Caller) -> None:
    execute(caller.db, "DELETE FROM dialer_wakeups")
    with closing(caller.db.wakeups()) as first, closing(caller.db.wakeups()) as second:
        caller.db.call("dialer_wake", "p")
        assert next(first.wait(5)) == "p"
        assert next(second.wait(5)) == "p"
        list(first.wait(2.5))
        assert caller.db.query("SELECT * FROM dialer_wakeups") == []
        caller.db.call("dialer_wake", "q")
        assert next(second.wait(5)) == "q", "the same one is not heard twice"


def test_an_open_insert_of_a_dba_does_not_hold_the_project_up(caller: Caller, other: Database) -> None:
    add_project(caller.db)
    add_trunk(caller.db)
    caller.start()
    mine = add_case(caller.db)
    with other.transaction() as dba:
        dba.exec_driver_sql(
            "INSERT INTO dialer_clients (case_name, project_id, phone_number)"
            " SELECT 'bulk', 'p', 1000000 + seq FROM seq_1_to_2000"
        )
        assert caller.claim(5) == [mine]
        assert caller.refusals([mine]) == [None]
        assert caller.stop()["state"] == "stopped"


# --- without zone tables ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def without_zones(dialect: Dialect) -> Iterator[Database]:
    """A database on a server as it is after its installation: mysql.time_zone_name is empty."""
    with MariaDbContainer(dialect.version, zones=False) as server:
        databases: MariaDbDatabases = server.databases()
        settings = dialect.settings(databases.create())
        command.upgrade(config(settings), "head")
        database = Database(settings)
        yield database
        database.dispose()


def test_without_zone_tables_a_zone_is_refused_with_the_remedy(without_zones: Database) -> None:
    with pytest.raises(DBAPIError) as caught:
        add_case(without_zones, utc="Europe/Moscow")
    assert without_zones.dialect.sqlstate(cause(caught.value)) == "23514"
    assert "mariadb-tzinfo-to-sql /usr/share/zoneinfo" in reason(caught.value)
    with pytest.raises(DBAPIError, match="mariadb-tzinfo-to-sql"):
        add_project(without_zones, zone="Europe/Moscow")
    with pytest.raises(DBAPIError, match="mariadb-tzinfo-to-sql"):
        add_case(without_zones, utc="Japan")
    with pytest.raises(DBAPIError, match="write an offset like"):
        add_case(without_zones, utc="+3 hours")
    add_case(without_zones, utc="+03.00h")


def test_a_list_that_is_inserted_row_by_row_is_one_wake_up_a_project(caller: Caller, other: Database) -> None:
    add_project(caller.db)
    caller.start()
    execute(caller.db, "DELETE FROM dialer_wakeups")
    row = "INSERT INTO dialer_clients (case_name, project_id, phone_number) VALUES ('x', 'p', '1')"
    with closing(caller.db.wakeups()) as ear:
        with other.transaction() as dba:
            for _ in range(2000):
                dba.exec_driver_sql(row)
        assert next(ear.wait(5)) == "p"
        assert len(caller.db.query("SELECT * FROM dialer_wakeups")) == 1
        for _ in range(20):
            execute(other, row)
        assert next(ear.wait(5)) == "p"
        assert len(caller.db.query("SELECT * FROM dialer_wakeups")) <= 2, "one for each session"


def test_an_open_transaction_that_inserts_is_in_no_other_ones_way(caller: Caller, other: Database) -> None:
    """Each writes its own wake-up, and who has heard one does not wait to delete it."""
    row = "INSERT INTO dialer_clients (case_name, project_id, phone_number) VALUES ('x', 'p', '1')"
    with closing(caller.db.wakeups()) as ear, other.transaction() as dba:
        dba.exec_driver_sql("ROLLBACK")
        dba.exec_driver_sql("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        dba.exec_driver_sql("START TRANSACTION")
        dba.exec_driver_sql(row)
        began = time.monotonic()
        execute(caller.db, row)
        caller.db.call("dialer_wake", "p")
        assert next(ear.wait(5)) == "p"
        assert time.monotonic() - began < 1
        list(ear.wait(2.5))
        dba.rollback()


def test_wake_ups_that_nobody_listened_to_are_bounded(caller: Caller) -> None:
    execute(caller.db, "DELETE FROM dialer_wakeups")
    execute(
        caller.db,
        "INSERT INTO dialer_wakeups (session, project_id, only_hungry, written_at)"
        " SELECT seq, 'p', true, now(6) - INTERVAL 2 HOUR FROM seq_1_to_900",
    )
    caller.db.call("dialer_reap")
    assert caller.db.query("SELECT * FROM dialer_wakeups") == []
