"""Worker, database and simulated Asterisk on the virtual clock: a shift passes in seconds, and people keep theirs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import gevent
import psycopg
import pytest
from psycopg.rows import dict_row
from sqlalchemy import make_url

from alembic import command
from simulator import SimulatedAsterisk, call_centre
from simulator.scenario import Scenario
from tests.support.waiting import wait_for
from worker.clock import VirtualClock
from worker.config import load
from worker.db.migration import config
from worker.service import Service

pytestmark = pytest.mark.docker

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC).timestamp()
AGENTS = 10


class Day:
    """A simulated call centre at nine in the morning."""

    def __init__(self, url: str, seed: int, scenario: Scenario) -> None:
        self.clock = VirtualClock(NINE)
        self.asterisk = SimulatedAsterisk(scenario, self.clock, seed)
        secret = next(user.secret for user in self.asterisk.scenario.users if user.name == "dialer")
        settings = load(
            None,
            {
                "DIALER_DATABASE_URL": url,
                "DIALER_DATABASE_SCHEME": "nc",
                "DIALER_AMI_IP": "127.0.0.1",
                "DIALER_AMI_PORT": str(self.asterisk.serve()),
                "DIALER_AMI_USERNAME": "dialer",
                "DIALER_AMI_PASSWORD": secret,
                # The shift takes seconds of this machine's time, and leases go by that.
                "DIALER_WORKER_LEASE_SECONDS": "30",
            },
        )
        self._settings = settings
        command.upgrade(config(settings.database), "head")
        plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        self._database = psycopg.connect(
            plain, autocommit=True, row_factory=dict_row, options="-c search_path=nc,pg_temp -c timezone=UTC"
        )
        self.sql("UPDATE dialer_settings SET value = 'true' WHERE name = 'virtual_clock'")
        self.service = Service(settings, self.clock)
        self.clock.add_probe(self._querying)
        self.clock.add_probe(self.asterisk.busy)

    def sql(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        """Run SQL as a DBA would."""
        cursor = self._database.execute(statement.encode(), values)
        return cursor.fetchall() if cursor.description else []

    def start(self) -> None:
        """The worker connects; no time passes."""
        self.service.start()
        wait_for(lambda: any(session.ready for session in self.service.sessions()), 20, "the worker to be ready")

    def _querying(self) -> bool:
        return self.service.database.busy()

    def replace_worker(self) -> None:
        """Another worker goes on where the one there is leaves off."""
        self._stop_worker()
        self.service = Service(self._settings, self.clock)
        self.start()

    def _stop_worker(self) -> None:
        closing = gevent.spawn(self.service.close)
        while not closing.ready():
            self.clock.run_until(self.clock.time() + 1)

    def close(self) -> None:
        """End the shift."""
        self._stop_worker()
        self.asterisk.stop()
        self._database.close()


@contextmanager
def shift(url: str, seed: int, scenario: Scenario | None = None) -> Iterator[Day]:
    """A day that has begun."""
    day = Day(url, seed, scenario or call_centre(agents=AGENTS))
    try:
        day.start()
        yield day
    finally:
        day.close()


def test_an_hour_of_ten_agents_takes_seconds_and_loses_nothing(empty_database: str) -> None:
    with shift(empty_database, seed=7) as day:
        day.sql(
            "INSERT INTO dialer_params (project_id, queue, exten, context) VALUES ('day', 'sales', 's', 'progressive')"
        )
        day.sql("UPDATE dialer_trunks SET max_lines = 100, calls_per_second = 50")
        day.sql(
            "INSERT INTO dialer_clients (case_name, project_id, phone_number, allowed_start, allowed_stop, utc)"
            " SELECT 'Case', 'day', (7000000 + n)::varchar, '09:30', '18:00', 'Z'"
            " FROM generate_series(1, 3000) n"
        )
        day.sql("SELECT dialer_project_start('day')")
        day.clock.run_until(NINE + 1800 - 1)
        assert day.asterisk.statistics.originated == 0, "the window opens at half past nine"
        day.clock.run_until(NINE + 3600)

        calls = day.asterisk.calls_log
        # Ten agents, each call of theirs about 80 s long with its ring and wrap-up: some 200 talks in half an hour.
        assert 100 < sum(call.connected is not None for call in calls) < 400
        assert min(call.begun for call in calls) == pytest.approx(NINE + 1800, abs=6)
        ledger = {row["channel_id"]: row for row in day.sql("SELECT * FROM dialer_stat_attempt")}
        assert ledger.keys() == {call.channel_id for call in calls}
        for call in calls:
            row = ledger[call.channel_id]
            assert row["begun_at"].timestamp() == pytest.approx(call.begun, abs=0.1)
            if call.connected is not None:
                assert row["agent_at"].timestamp() == pytest.approx(call.connected, abs=0.1)
        assert day.sql("SELECT * FROM dialer_invariants") == []
