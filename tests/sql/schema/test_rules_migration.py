"""From 0001 to 0002 and back with a campaign in full swing: nothing is lost, and dialling goes on, both ways."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from alembic import command
from tests.support.caller import NOON, Caller
from tests.support.containers import Databases
from tests.support.dialects import Dialect, execute, rows_of
from tests.support.factories import add_case, add_project, add_trunk
from worker.db import Database
from worker.db.database import Row
from worker.db.migration import config

TABLES = {
    "dialer_clients": "id",
    "dialer_params": "id",
    "dialer_projects": "project_id",
    "dialer_attempts": "id",
    "dialer_calls": "id",
    "dialer_claims": "case_id",
    "dialer_stat": "id",
    "dialer_live": "case_id",
    "dialer_abandoned": "attempt_id",
}
"""What must survive, by what it is sorted."""
WRITTEN = {
    "international": "+79161234567",
    "domestic": "89161234567",
    "bare": "79161234567",
    "foreign": "+493012345",
    "service": "*55#",
}
RENAMED = {"number": "phone_number"}
"""Columns of dialer_live and dialer_abandoned."""


class Campaign:
    """Projects p and q at 0001: cases that wait, are claimed, in a call, due again, promised, used; and a ledger."""

    def __init__(self, db: Database, dialect: Dialect, known: dict[tuple[str, str], str]) -> None:
        self.db = db
        self.known = known
        """The columns of tables, as rows_of has found them."""
        execute(db, "UPDATE dialer_settings SET value = 'true' WHERE name = 'virtual_clock'")
        execute(db, "UPDATE dialer_settings SET value = 'UTC' WHERE name = 'server_zone'")
        self.caller = caller = Caller(db, dialect)
        add_trunk(db)
        for project in ("p", "q"):
            add_project(db, project, sort="2:2")
            caller.start(project)
        redials = {"call_back": True, "call_back_period": "60,60"}
        # The same telephone, in a call twice: at 0001 numbers are what is written.
        self.in_call = [add_case(db, phone_number=WRITTEN["international"], **redials)]
        self.in_call.append(add_case(db, phone_number=WRITTEN["domestic"], project_id="q", **redials))
        self.up = [caller.dial(case, project) for case, project in zip(self.in_call, "pq", strict=True)]
        self.busy = add_case(db, phone_number=WRITTEN["foreign"], **redials)
        caller.call(self.busy, "BUSY")
        self.done = add_case(db, phone_number="+493012346")
        caller.call(self.done, "ANSWERED", answered=5)
        self.promised = add_case(db, deferred_time=NOON + timedelta(hours=2))
        self.claimed = add_case(db, phone_number=WRITTEN["service"])
        assert caller.claim(1) == [self.claimed]
        self.same = add_case(db, phone_number=WRITTEN["bare"])
        self.fresh = [add_case(db, project_id=project) for project in "ppq"]
        for number, attempt in ((WRITTEN["international"], 1001), (WRITTEN["domestic"], 1002)):
            execute(
                db,
                "INSERT INTO dialer_abandoned (phone_number, until_at, project_id, attempt_id)"
                " VALUES (:number, :until, 'p', :attempt)",
                number=number,
                until=NOON - timedelta(hours=1),
                attempt=attempt,
            )

    def rows(self, columns: dict[str, set[str]] | None = None) -> dict[str, list[dict[str, Any]]]:
        """All that stands in the tables; with the columns of an earlier answer, no others."""
        found: dict[str, list[dict[str, Any]]] = {}
        for table, key in TABLES.items():
            rows = [renamed(row, table) for row in rows_of(self.db, table, f"ORDER BY {key}")]
            kept = columns[table] if columns is not None else None
            found[table] = [{name: row[name] for name in row if kept is None or name in kept} for row in rows]
        return found

    def number(self, case: int) -> str:
        return str(self.caller.case(case)["number"])


def renamed(row: Row, table: str) -> dict[str, Any]:
    names = RENAMED if table in ("dialer_live", "dialer_abandoned") else {}
    # They are made of others, and more go into them.
    return {names.get(name, name): value for name, value in row.items() if name not in ("window_key", "waits_as")}


@pytest.fixture
def campaign(server: Databases, dialect: Dialect, monkeypatch: pytest.MonkeyPatch) -> Iterator[Campaign]:
    known: dict[tuple[str, str], str] = {}
    monkeypatch.setattr("tests.support.dialects._columns", known)
    url = server.create()
    database = Database(dialect.settings(url))
    command.upgrade(config(database.settings), "0001")
    yield Campaign(database, dialect, known)
    database.dispose()
    server.drop(url)


def goes(campaign: Campaign, to: str) -> None:
    """Up or down; what is known about the columns of tables is no longer true."""
    move = command.downgrade if to == "0001" else command.upgrade
    campaign.db.dispose()
    move(config(campaign.db.settings), to)
    campaign.known.clear()


def test_up_and_down_with_rows(campaign: Campaign) -> None:
    caller, db = campaign.caller, campaign.db
    before = campaign.rows()
    columns = {table: set(rows[0]) for table, rows in before.items()}

    goes(campaign, "head")
    assert campaign.rows(columns) == before
    assert {row["number"] == row["phone_number"] for row in rows_of(db, "dialer_clients")} == {True}
    assert db.query("SELECT * FROM dialer_invariants") == []
    assert caller.refusals([campaign.claimed]) == [None]
    assert caller.claim(2) == [campaign.same, campaign.fresh[0]]

    execute(db, "UPDATE dialer_settings SET value = 'RU' WHERE name = 'country'")
    caller.screen()
    forms = {campaign.number(case) for case in (*campaign.in_call, campaign.same)}
    assert forms == {"+79161234567"}
    assert campaign.number(campaign.busy) == WRITTEN["foreign"]
    assert caller.refusals([campaign.same, campaign.fresh[0]]) == ["number_in_call", None]
    for attempt in campaign.up:
        assert caller.finish(attempt, "NOANSWER", ringing=3)
    ledger = db.query("SELECT number FROM dialer_attempts ORDER BY id")
    assert {row["number"] for row in ledger} >= {WRITTEN["international"], WRITTEN["domestic"]}, "as they were begun"
    assert caller.claim(10) == [campaign.same, campaign.fresh[1]]
    [begun] = caller.begin([campaign.same])
    assert begun["attempt_id"] is not None
    assert db.query("SELECT * FROM dialer_invariants") == []
    at_head = campaign.rows(columns)

    goes(campaign, "0001")
    below = campaign.rows()
    for row in at_head["dialer_live"]:
        row["phone_number"] = WRITTEN["bare"] if row["case_id"] == campaign.same else row["phone_number"]
    assert below == at_head
    assert caller.finish(begun["attempt_id"], "BUSY", ringing=1)
    open_calls = [row["id"] for row in db.query("SELECT id FROM dialer_calls WHERE ended_at IS NULL ORDER BY id")]
    for attempt in open_calls:
        assert caller.finish(attempt, "NOANSWER", ringing=1)
    assert db.query("SELECT * FROM dialer_live") == [], "no line is taken for ever"
    assert caller.refusals([campaign.fresh[1]]) == [None]
    caller.forward(hours=3)
    assert caller.claim(10)[0] == campaign.promised
    assert campaign.in_call[1] in caller.claim(10, "q")
    assert db.query("SELECT * FROM dialer_invariants") == []
