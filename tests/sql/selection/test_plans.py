"""Claims and single questions go by indexes, however many cases there are: checked by EXPLAIN."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from tests.support.caller import NOON, Caller
from tests.support.dialects import Dialect, servers
from tests.support.factories import add_cases, add_project, add_trunk
from worker.db import Database

CASES = 20_000


@pytest.fixture(scope="module")
def big(server: Any, dialect: Dialect) -> Iterator[Database]:
    """Many waiting cases in forty windows, nine in ten of them closed and first in every order; statistics."""
    url = server.create(template="migrated")
    database = Database(dialect.settings(url))
    add_project(database)
    add_trunk(database)

    begin = datetime(2026, 1, 1, tzinfo=UTC)
    rows = [
        {
            "priority": 5 + i % 3 if i % 10 == 0 else 1,
            "utc": ("Z", "+1", "Europe/Berlin", "-3")[i // 10 % 4],
            "allowed_start": "00:00" if i % 10 == 0 else f"02:0{i % 9}",
            "allowed_stop": "00:00" if i % 10 == 0 else "02:30",
            "created": begin + timedelta(hours=i % 50),
        }
        for i in range(CASES)
    ]
    for first in range(0, CASES, 1000):
        add_cases(database, rows[first : first + 1000])
    database.run(
        lambda connection: connection.execute(
            text("UPDATE dialer_clients SET deferred_time = :at WHERE id % 30 = 0"), {"at": NOON - timedelta(days=1)}
        )
    )
    with database.transaction() as connection:
        connection.execute(text(dialect.analyze))
    yield database
    database.dispose()
    server.drop(url)


def pick_text(sort: str, cases: int, keys: int) -> str:
    """dialer_pick_text's query with its parameters written in, as EXECUTE plans it."""
    return f"""
        SELECT replace(replace(replace(replace(replace(dialer_pick_text('{sort}', false),
            '$1', quote_literal('p')), '$2', quote_literal(w.keys) || '::varchar[]'),
            '$3', quote_literal(w.minutes) || '::int[]'), '$4', quote_literal('{NOON}') || '::timestamptz'),
            '$5', '{cases}')
        FROM (SELECT array_agg(window_key) AS keys, array_agg(minutes) AS minutes FROM (
            SELECT * FROM dialer_call_windows('p', 'fresh', '{NOON}') WHERE is_open LIMIT {keys}) one) w
    """


POSTGRESQL = pytest.mark.parametrize("dialect", servers("postgresql"), indirect=True)
MARIADB = pytest.mark.parametrize("dialect", servers("mariadb"), indirect=True)


@POSTGRESQL
@pytest.mark.parametrize(
    "sort", ["1:1", "1:2", "2:1", "2:2", "3:1", "3:2", "1:2,2:1", "2:2,1:1", "3:1,1:2,2:2", "1:1,3:1"]
)
@pytest.mark.parametrize("cases", [1, 100])
def test_the_pick_of_fresh_cases_goes_by_indexes(big: Database, dialect: Dialect, sort: str, cases: int) -> None:
    with big.transaction() as connection:
        statement = str(connection.execute(text(pick_text(sort, cases, 40))).scalar())
        plan = dialect.plan(connection, statement.replace(":", "\\:"), {})
    assert "Seq Scan on dialer_clients" not in plan
    assert "Bitmap" not in plan, f"a bitmap reads a window to its end\n{plan}"
    used = set(re.findall(r"using (dialer_clients_\w+)", plan))
    assert used, plan
    assert used <= {
        "dialer_clients_fresh_created",
        "dialer_clients_fresh_priority",
        "dialer_clients_fresh_both",
        "dialer_clients_fresh_id",
    }, plan


@POSTGRESQL
@pytest.mark.parametrize("sort", ["1:1", "1:2", "2:1", "2:2", "3:1", "1:2,2:1", "2:2,1:1", "3:2,1:2,2:2"])
def test_the_pick_reads_little_more_than_it_returns(big: Database, sort: str) -> None:
    """Rows that the scans give, not blocks: independent of the machine and of what is cached."""
    with big.transaction() as connection:
        statement = str(connection.execute(text(pick_text(sort, 10, 40))).scalar()).replace(":", "\\:")
        rows = connection.execute(text("EXPLAIN (ANALYZE, TIMING OFF) " + statement))
        plan = "\n".join(row[0] for row in rows)
    read = 0.0
    # Rows of a loop, an average: PostgreSQL 18 prints 2.50 where its elders round.
    for count, loops in re.findall(r"on dialer_clients.*actual rows=([\d.]+) loops=(\d+)", plan):
        read += float(count) * int(loops)
    removed = sum(int(number) for number in re.findall(r"Rows Removed by Filter: (\d+)", plan))
    assert 0 < read + removed < 10 * 40 * 4, plan


def rows_read(connection: Connection) -> int:
    """MariaDB: rows that this session has had from the storage engine."""
    rows = connection.execute(text("SHOW SESSION STATUS LIKE 'Handler_read%'")).mappings()
    # Without rnd_next: that is the reading of small temporary tables, and of this status.
    return sum(int(row["Value"]) for row in rows if not row["Variable_name"].endswith("rnd_next"))


@MARIADB
@pytest.mark.parametrize("sort", ["1:1", "1:2", "2:1", "2:2", "3:1", "3:2", "1:2,2:1", "3:2,1:2,2:2"])
def test_dialer_next_reads_little_more_than_it_returns(big: Database, sort: str) -> None:
    """Rows that the storage engine gave, of tables and of indexes, whatever the plan."""
    with big.transaction() as connection:
        connection.execute(text("UPDATE dialer_params SET sort = :sort"), {"sort": sort})
        before = rows_read(connection)
        rows = connection.execute(text("CALL dialer_next('p', :now, 10)"), {"now": NOON}).mappings().all()
        assert len(rows) == 10
        assert rows_read(connection) - before < CASES / 10


@POSTGRESQL
def test_dialer_invariants_reads_no_case_that_waits(big: Database, dialect: Dialect) -> None:
    """/readyz asks it: its price must not grow with the list."""
    with big.transaction() as connection:
        plan = dialect.plan(connection, "SELECT * FROM dialer_invariants", {})
    assert "Seq Scan on dialer_clients" not in plan, plan


@MARIADB
def test_dialer_invariants_reads_next_to_nothing(big: Database) -> None:
    with big.transaction() as connection:
        before = rows_read(connection)
        assert connection.execute(text("SELECT * FROM dialer_invariants")).mappings().all() == []
        assert rows_read(connection) - before < CASES / 100


def test_one_case_of_dialer_why_is_a_lookup(big: Database, dialect: Dialect) -> None:
    with big.transaction() as connection:
        plan = dialect.plan(connection, "SELECT * FROM dialer_why WHERE case_id = 77", {})
    assert dialect.reads_one_case in plan
    assert "Seq Scan on dialer_clients" not in plan


@POSTGRESQL
@pytest.mark.parametrize(
    "statement",
    [
        "SELECT f.window_key FROM dialer_fresh f WHERE f.project_id = 'p' AND f.window_key > 'a'"
        " ORDER BY f.window_key LIMIT 1",
        "SELECT d.window_key FROM dialer_deferred d WHERE d.project_id = 'p' AND d.deferred_kind = 'scheduled'"
        " AND d.window_key > 'a' ORDER BY d.window_key LIMIT 1",
        "SELECT d.id FROM dialer_deferred d WHERE d.project_id = 'p' AND d.deferred_kind = 'scheduled'"
        " AND d.window_key = 'Z|00:00|00:00' AND d.deferred_time <= '2026-06-01'"
        " ORDER BY d.deferred_time, d.id LIMIT 5",
        "SELECT c.id FROM dialer_clients c WHERE c.checked",
    ],
)
def test_probes_of_windows_and_callbacks_are_index_scans(big: Database, dialect: Dialect, statement: str) -> None:
    with big.transaction() as connection:
        plan = dialect.plan(connection, statement, {})
    assert "Seq Scan" not in plan, plan
    assert "Sort" not in plan.replace("Sort Key", ""), plan


def test_a_claim_among_many_closed_windows_gives_the_open_cases(big: Database, dialect: Dialect) -> None:
    caller = Caller(big, dialect)
    big.run(lambda c: c.execute(text("UPDATE dialer_settings SET value = 'true' WHERE name = 'virtual_clock'")))
    caller.start()
    claimed = caller.claim(10)
    assert len(claimed) == 10
    assert {caller.case(case)["allowed_start"] for case in claimed} == {"00:00"}
