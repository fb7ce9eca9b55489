"""An outage of the database is one line of the log, whoever meets it."""

from __future__ import annotations

import logging

import pytest

from tests.support.containers import free_ports
from worker.config import load
from worker.db import Database
from worker.errors import DatabaseUnavailable


@pytest.mark.parametrize("driver", ["postgresql", "mariadb"])
def test_one_outage_is_one_warning_for_the_whole_process(driver: str, caplog: pytest.LogCaptureFixture) -> None:
    url = f"{driver}://dialer:secret@127.0.0.1:{free_ports(1)}/dialer"
    settings = load(None, {"DIALER_DATABASE_URL": url}).database
    worker, api = Database(settings), Database(settings)
    for _ in range(3):
        for database in (worker, api):
            with pytest.raises(DatabaseUnavailable):
                database.query("SELECT 1")
        with pytest.raises(DatabaseUnavailable):
            worker.wakeups()
    told = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [(record.getMessage(), vars(record)["action"]) for record in told] == [
        ("waiting for the database", "database_down")
    ]
    assert "secret" not in str(vars(told[0]))
