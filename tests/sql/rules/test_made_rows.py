"""Rows made from libraries: what the migration writes, and `dialer rules data` renews; people's own rows stay."""

from __future__ import annotations

import pytest

from dialer import rules
from sql import LIBRARY
from tests.support.caller import Caller
from tests.support.dialects import execute, listen
from worker.db import Database


def rows(db: Database, table: str) -> list[tuple[str | None, ...]]:
    columns = list(LIBRARY.data(table)[0])
    found = db.query(f"SELECT {', '.join(columns)} FROM {table} ORDER BY {columns[0]}, {columns[1]}")
    return [tuple(None if row[name] is None else str(row[name]) for name in columns) for row in found]


def known(db: Database) -> set[str]:
    """The zones of the file that this server knows."""
    named = {zone for row in LIBRARY.data("dialer_prefixes") for zone in (row["zones"] or "").split("&") if zone}
    return {zone for zone in named if db.query("SELECT dialer_zone_known(:zone) AS yes", zone=zone)[0]["yes"]}


def expected(db: Database, table: str) -> list[tuple[str | None, ...]]:
    found = LIBRARY.data(table)
    if table == "dialer_prefixes":
        there = known(db)
        assert len(there) > 200
        for row in found:
            if set((row["zones"] or "").split("&")) - {""} - there:
                row["zones"] = None
    return sorted(tuple(row.values()) for row in found)


@pytest.mark.parametrize("table", ["dialer_countries", "dialer_prefixes", "dialer_holidays"])
def test_the_migration_writes_the_files(own_database: Database, table: str) -> None:
    assert rows(own_database, table) == expected(own_database, table)


def test_a_renewal_takes_back_what_was_changed_and_keeps_peoples_own_rows(own_database: Database) -> None:
    db = own_database
    before = {table: rows(db, table) for table in ("dialer_prefixes", "dialer_holidays", "dialer_countries")}
    execute(db, "DELETE FROM dialer_countries WHERE country = 'DE'")
    execute(db, "DELETE FROM dialer_prefixes WHERE prefix LIKE '1%'")
    execute(db, "UPDATE dialer_prefixes SET country = 'XX' WHERE prefix LIKE '7%'")
    execute(db, "UPDATE dialer_prefixes SET country = 'RU', zones = 'Z', source = 'own' WHERE prefix = '7424'")
    execute(db, "DELETE FROM dialer_holidays WHERE region = 'DE' AND day > '2027-01-01'")
    execute(db, "INSERT INTO dialer_holidays (region, day, name) VALUES ('DE-BY', '2027-12-24', 'ours')")
    told = list(rules.renew(db.settings))
    after = {table: rows(db, table) for table in before}
    assert after["dialer_countries"] == before["dialer_countries"]
    own = {("7424", "RU", None, "Z", "own")}
    assert set(after["dialer_prefixes"]) - set(before["dialer_prefixes"]) == own
    assert {row[0] for row in set(before["dialer_prefixes"]) - set(after["dialer_prefixes"])} == {"7424"}
    assert set(after["dialer_holidays"]) - set(before["dialer_holidays"]) == {("DE-BY", "2027-12-24", "ours", "own")}
    assert set(before["dialer_holidays"]) <= set(after["dialer_holidays"])
    assert f"dialer_prefixes: {len(after['dialer_prefixes'])} rows, 1 of them your own." in told
    unknown = sum(bool(row["zones"]) for row in LIBRARY.data("dialer_prefixes") if row["prefix"] != "7424") - sum(
        bool(row[3]) for row in after["dialer_prefixes"] if row[0] != "7424"
    )
    assert any("without the zones" in sentence for sentence in told) == (unknown > 0)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO dialer_hours (weekdays, starts, stops) VALUES ('Mo', '09:00', '10:00')",
        "INSERT INTO dialer_holidays (region, day) VALUES ('DE-XX', '2027-01-05')",
        "INSERT INTO dialer_prefixes (prefix, zones) VALUES ('999123', 'Z')",
    ],
)
def test_an_edit_wakes_the_workers(caller: Caller, statement: str) -> None:
    table = statement.split()[2]
    undo = f"DELETE FROM {table}" + ("" if table == "dialer_hours" else " WHERE source = 'own'")
    execute(caller.db, undo)
    with listen(caller.db) as ear:
        ear.heard()
        execute(caller.db, statement)
        assert ear.heard() == [""]
        execute(caller.db, undo)
        assert ear.heard() == [""]
