"""A lock that is not to be had, or a limit of time, is no lost database: who asked learns what it was."""

from __future__ import annotations

import logging
from time import monotonic

import pytest

from tests.support.caller import Caller
from tests.support.factories import add_case, add_project, add_trunk
from worker.db import Database
from worker.errors import DatabaseUnavailable, LockTimedOut, StatementTimedOut

TRIES = 2
HELD = "UPDATE dialer_projects SET cases_waiting = 1 WHERE project_id = 'p'"


@pytest.fixture
def impatient(db: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    """A dialer that waits a second for a lock, and tries twice: less than the idle DBA of the test may hold it."""
    monkeypatch.setattr("worker.db.database._TRIES", TRIES)
    for dialect in ("mariadb", "postgresql"):
        monkeypatch.setattr(f"worker.db.{dialect}.LOCK_SECONDS", 1)
    return Database(db.settings, statement_timeout_seconds=4)


def test_a_lock_that_is_never_to_be_had_is_told_as_one(
    caller: Caller, other: Database, impatient: Database, caplog: pytest.LogCaptureFixture
) -> None:
    add_trunk(caller.db)
    add_project(caller.db)
    caller.start()
    add_case(caller.db)
    with other.transaction() as dba:
        dba.exec_driver_sql(HELD)
        began = monotonic()
        with pytest.raises(LockTimedOut, match="open transaction") as told:
            impatient.call("dialer_claim", *caller.owner, "p", 1, caller.now)
        assert monotonic() - began >= TRIES
    assert not isinstance(told.value, DatabaseUnavailable)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == [], "the database is there"
    assert len(impatient.call("dialer_claim", *caller.owner, "p", 1, caller.now)) == 1, "the session goes on"
    impatient.dispose()


def test_the_usual_limit_of_a_statement_is_no_lost_database_either(caller: Caller, impatient: Database) -> None:
    pause = "SELECT pg_sleep(20)" if caller.dialect.name == "postgresql" else "SELECT sleep(20) FROM dialer_settings"
    with pytest.raises(StatementTimedOut, match="limit is 4 s"):
        impatient.query(pause)
    impatient.dispose()
