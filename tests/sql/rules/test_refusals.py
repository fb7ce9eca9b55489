"""Bad rows of rules are refused where they are written, with a sentence: column, value, remedy; SQLSTATE 23514."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from sqlalchemy import column, insert, table
from sqlalchemy.exc import DBAPIError

from tests.sql.cases.test_refusals import names
from tests.support.dialects import Dialect, execute
from worker.db import Database
from worker.db.database import cause, reason

GOOD: dict[str, dict[str, Any]] = {
    "dialer_hours": {"weekdays": "Mo-Fr", "starts": "09:00", "stops": "21:00"},
    "dialer_holidays": {"region": "DE-XX", "day": "2027-11-01", "name": "All Saints"},
    "dialer_prefixes": {"prefix": "999", "country": "DE", "region": "DE-BY", "zones": "+01:00"},
    "dialer_presets": {"preset": "us", "source": "16 CFR 310.4", "dated": "2026-11-28", "sure": "A"},
}
SCOPE: list[tuple[str, Any]] = [
    *[("project_id", value) for value in ("", "a\nb", "x" * 101)],
    *[("client", value) for value in ("", "a\rb", "x" * 101)],
    *[("region", value) for value in ("", "us", "USA", "US-", "US-fl", "US-FLOR", "US\n", "US,CA")],
    *[("purpose", value) for value in ("", "Sales", "sales ", "other")],
]
BAD: list[tuple[str, str, Any]] = [
    *[("dialer_hours", name, value) for name, value in SCOPE],
    *[
        ("dialer_hours", "weekdays", value)
        for value in ("", "mo", "Mo-", "Mo..Fr", "Mo-Fr;Sa", "Mo, Tu", "Mo,", "PH-Mo", "Montag", "1-5", "Mo\n", None)
    ],
    ("dialer_hours", "weekdays", ",".join(["Mo"] * 14)),
    *[
        ("dialer_hours", name, value)
        for name in ("starts", "stops")
        for value in ("", "9", "9am", "25:00", "10:60", "24:01", "-1:00", "10:00\n", None)
    ],
    *[("dialer_hours", "stops", value) for value in ("09:00", "9:00:00", "08:59", "00:00")],
    *[("dialer_hours", "preset", value) for value in ("", "a\nb")],
    *[("dialer_holidays", "region", value) for value in ("", "de", "DE-BAYE", "Germany", "x" * 300, None)],
    *[("dialer_holidays", "day", value) for value in (date(1969, 12, 31), date(2100, 1, 2), None)],
    *[("dialer_holidays", "name", value) for value in ("a\nb", "x" * 401, None)],
    *[("dialer_holidays", "source", value) for value in ("", "a\nb", None)],
    *[("dialer_prefixes", "prefix", value) for value in ("", "+49", "49 30", "1" * 16, "49\n", "49*", None)],
    *[("dialer_prefixes", "country", value) for value in ("", "de", "D1", "DEU")],
    *[("dialer_prefixes", "region", value) for value in ("", "de-by", "DE-BAYE", "Bavaria")],
    *[
        ("dialer_prefixes", "zones", value)
        for value in ("", "MSK", "Z&", "&Z", "Z&&Z", "Z, +01:00", "Z&Mars/Olympus", "posix/Europe/Moscow", "Z\n")
    ],
    *[("dialer_prefixes", "source", value) for value in ("", "a\nb", "x" * 41, None)],
    *[("dialer_presets", name, value) for name, value in SCOPE],
    *[("dialer_presets", "preset", value) for value in ("", "a\nb", "x" * 41, None)],
    *[("dialer_presets", "source", value) for value in ("", "a\nb", "x" * 401, None)],
    *[("dialer_presets", "dated", value) for value in (date(1969, 12, 31), None)],
    *[("dialer_presets", "sure", value) for value in ("", "a", "D", "AB", None)],
]


def add(db: Database, into: str, **columns: Any) -> None:
    """Insert a row that is good but for these columns."""
    values = GOOD[into] | columns
    light = table(into, *map(column, values))
    db.run(lambda connection: connection.execute(insert(light), values))


@pytest.fixture
def ruled(db: Database) -> Database:
    """No row of these tests is left of an earlier one."""
    execute(db, "DELETE FROM dialer_holidays WHERE source = 'own'")
    execute(db, "DELETE FROM dialer_prefixes WHERE source = 'own' OR prefix LIKE '999%'")
    return db


@pytest.mark.parametrize(("into", "name", "value"), BAD)
def test_a_bad_row_is_refused_at_insert_and_at_update(ruled: Database, into: str, name: str, value: Any) -> None:
    with pytest.raises(DBAPIError) as caught:
        add(ruled, into, **{name: value})
    assert ruled.dialect.sqlstate(cause(caught.value)) == "23514"
    shown = value.isoformat() if isinstance(value, date) else value
    assert names(reason(caught.value), into, name, shown)

    add(ruled, into)
    key = next(iter(GOOD[into]))
    with pytest.raises(DBAPIError) as caught:
        execute(ruled, f"UPDATE {into} SET {name} = :value WHERE {key} = :key", value=value, key=GOOD[into][key])
    assert names(reason(caught.value), into, name, shown)


@pytest.mark.parametrize(
    ("into", "columns"),
    [
        ("dialer_hours", {"weekdays": "Mo-Fr,Su,PH"}),
        ("dialer_hours", {"weekdays": "PH"}),
        ("dialer_hours", {"weekdays": "Sa-Mo,We"}),
        ("dialer_hours", {"starts": "0:00", "stops": "24:00"}),
        ("dialer_hours", {"starts": "23:59:59", "stops": "24:00:00"}),
        ("dialer_hours", {"project_id": "ж" * 100, "client": "a, b", "region": "AU-NSW", "purpose": "debt"}),
        ("dialer_hours", {"region": "FR-6AE", "preset": "fr"}),
        ("dialer_holidays", {"region": "DE", "day": "2099-12-31", "name": ""}),
        ("dialer_prefixes", {"country": None, "region": None, "zones": None}),
        ("dialer_prefixes", {"prefix": "999" * 5, "region": "DE", "zones": "Z&+03.00h&-03.30h"}),
        ("dialer_presets", {"project_id": "p", "client": "c", "region": "US-FL", "purpose": "sales", "sure": "C"}),
    ],
)
def test_an_unusual_row_is_accepted(ruled: Database, into: str, columns: dict[str, Any]) -> None:
    add(ruled, into, **columns)


def test_hours_that_pass_midnight_are_refused_with_the_remedy(ruled: Database) -> None:
    with pytest.raises(DBAPIError) as caught:
        add(ruled, "dialer_hours", starts="20:00", stops="06:00")
    assert reason(caught.value) == (
        "dialer_hours.stops is '06:00': write a time after starts; hours that pass midnight are two rows, one until"
        " 24:00 and one from 00:00"
    )


@pytest.mark.parametrize(
    ("weekdays", "days"),
    [
        ("Mo", "10000000"),
        ("PH", "00000001"),
        ("Mo-Su,PH", "11111111"),
        ("Mo-Fr,Su,PH", "11111011"),
        ("Sa-Tu", "11000110"),
        ("Su-Su,Tu-We", "01100010"),
        ("Mo,PH-Tu", None),
        ("", None),
    ],
)
def test_weekdays_name_kinds_of_day(ruled: Database, dialect: Dialect, weekdays: str, days: str | None) -> None:
    assert ruled.query("SELECT dialer_weekdays(:text) AS days", text=weekdays)[0]["days"] == days


def test_of_a_row_of_the_library_zones_that_this_server_does_not_know_are_left_out(ruled: Database) -> None:
    add(ruled, "dialer_prefixes", zones="Mars/Olympus&Z", source="phonenumbers")
    add(ruled, "dialer_prefixes", prefix="9991", zones="Z", source="phonenumbers")
    rows = ruled.query("SELECT prefix, country, zones FROM dialer_prefixes WHERE prefix LIKE '999%' ORDER BY prefix")
    assert [tuple(row.values()) for row in rows] == [("999", "DE", None), ("9991", "DE", "Z")]
