"""The figures of a project's page are those of the views, and cost the same however long the ledger."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.caller import Caller
from tests.support.dialects import Dialect, rows_of
from tests.support.factories import add_case, add_project, add_trunk
from worker.db import Database
from worker.db.routines import statistics
from worker.db.routines.statistics import Statistics


@pytest.fixture
def calls(db: Database, dialect: Dialect) -> Caller:
    """Calls of the last day and of older ones, by the real clock: the page asks about now."""
    add_project(db)
    add_trunk(db)
    now = datetime.now(UTC)
    caller = Caller(db, dialect, now - timedelta(days=3))
    caller.start()
    for before in (timedelta(days=2), timedelta(hours=30), timedelta(hours=5), timedelta(minutes=3)):
        caller.now = now - before
        for outcome, facts in (
            ("BUSY", {}),
            ("ABANDONED", {"answered": 10}),
            ("ANSWERED", {"answered": 10, "agent": 9}),
        ):
            attempt = caller.dial(add_case(db))
            caller.forward(seconds=30)
            caller.finish(attempt, outcome, **facts)
    db.dispose()  # the sessions whose time was set
    return caller


def test_the_pages_hours_are_those_of_the_view(calls: Caller) -> None:
    page = Statistics(calls.db).of_project("p")
    first = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=23)
    view = calls.db.query("SELECT * FROM dialer_stat_hour WHERE hour_at >= :first ORDER BY hour_at DESC", first=first)
    assert sum(row["attempts"] for row in view) == 6
    assert [asdict(hour) for hour in page.hours] == [
        {
            name: pytest.approx(float(value)) if name.endswith("_rate") else value
            for name, value in row.items()
            if name != "project_id"
        }
        for row in view
    ]


def test_the_pages_outcomes_are_those_of_the_view(calls: Caller) -> None:
    page = Statistics(calls.db).of_project("p")
    view = calls.db.query("SELECT outcome, attempts, last_at FROM dialer_stat_outcome ORDER BY outcome")
    assert [row["attempts"] for row in view] == [2, 2, 2]
    assert [asdict(one) for one in page.outcomes] == view


@pytest.mark.parametrize("statement", ["HOURS", "OUTCOMES"])
def test_the_page_reads_the_last_day_of_a_long_ledger_by_its_index(
    calls: Caller, dialect: Dialect, statement: str
) -> None:
    names = [name for name in rows_of(calls.db, "dialer_attempts")[0] if name not in ("counts_as", "reach")]
    older = {"id": "a.id + 1000000 * n.n", "channel_id": "concat(a.channel_id, '-', n.n)"}
    numbers = "generate_series(1, 2000) n (n)"
    older["ended_at"] = "a.ended_at - interval '1 hour' * n.n"
    if dialect.name == "mariadb":
        numbers = "(SELECT seq AS n FROM seq_1_to_2000) n"
        older["ended_at"] = "a.ended_at - INTERVAL n.n HOUR"
    with calls.db.transaction() as connection:
        connection.exec_driver_sql(
            f"INSERT INTO dialer_attempts ({', '.join(names)})"
            f" SELECT {', '.join(older.get(name, 'a.' + name) for name in names)} FROM dialer_attempts a, {numbers}"
        )
        connection.exec_driver_sql(
            "ANALYZE TABLE dialer_attempts" if dialect.name == "mariadb" else "ANALYZE dialer_attempts"
        )
        values = {"project": "p", "since": datetime.now(UTC) - timedelta(hours=24)}
        plan = dialect.plan(connection, getattr(statistics, statement), values)
    assert "dialer_attempts_project_ended" in plan, plan
    assert "Seq Scan" not in plan, plan
    assert "type=ALL" not in plan, plan
