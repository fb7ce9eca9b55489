"""Bad rows are refused where they are written, with a sentence: column, value, remedy; SQLSTATE 23514."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from tests.factories import add_case, add_project, add_trunk
from tests.sql.dialects import Dialect, execute
from worker.db import Database
from worker.db.database import cause, reason

LONG = "x" * 300

CASES: list[tuple[str, Any]] = [
    *[("phone_number", value) for value in ("", "12 34", "+49-30", "12a", "12\n", "1\n2", "\u0661\u0662", "1" * 81)],
    *[
        ("utc", value)
        for value in (
            "3",
            "+3 hours",
            "+15",
            "-12:30",
            "+14:15",
            "+5:50",
            "+3.33",
            "+3:5",
            " +3",
            "+3\n",
            "MSK",
            "Mars/Olympus",
            "Europe/Mos5",
            "Etc/GMT+15",
            "Etc/GMT-99",
            "../etc",
            "x",
        )
    ],
    *[
        (column, value)
        for column in ("allowed_start", "allowed_stop")
        for value in ("", "9", "9am", "25:00", "24:01", "10:60", "10:00:60", "10:00:00.5", "10:00\n", "-1:00")
    ],
    *[("call_back_period", value) for value in ("1;1", "a", "1,", ",1", "1,,1", "-1", "1.5", "1,1\n", "9999999")],
    *[("case_name", value) for value in ("a\nb", "a\rb", "\x1b[31m", "tab\t", "\x7f")],
    *[("project_id", value) for value in ("", "a\nb", LONG)],
    *[("deferred_time", value) for value in ("9999-06-01 00:00:00", "1970-01-01 00:00:00")],
]
PARAMS: list[tuple[str, Any]] = [
    *[("project_id", value) for value in (None, "", "a\nb", LONG)],
    *[("type", value) for value in ("", "Progressive", "predictive ", "other")],
    *[("sort", value) for value in ("", "1", "4:1", "1:3", "1:2;2:1", "1:2,", "priority", "1:2\n")],
    ("lines", -1),
    *[("dial_time", value) for value in (0, -5, 600_001)],
    *[("call_time", value) for value in (0, -5, 600_001)],
    *[("case_limit", value) for value in (0, -1)],
    *[("exten", value) for value in ("", "1 2", "a,b", "1\n", "${EXTEN}")],
    *[("context", value) for value in ("", "a b", "a\nb", "a,b")],
    *[("queue", value) for value in ("", "a,b", "a\nb")],
    *[("caller_id", value) for value in ("a\nb", "\x00"[:0] + "x\r")],
    *[("zone", value) for value in ("", "MSK", "+99")],
    *[("trunk", value) for value in ("", "a\nb")],
    *[("asterisk", value) for value in ("", "a\nb")],
    *[("abandon_seconds", value) for value in (0, -1, 601)],
    *[("abandon_target", value) for value in (0, -1, 100.01, "NaN")],
    *[("abandon_hours", value) for value in (0, 169)],
    *[("abandon_days", value) for value in (0, 366)],
    *[("abandon_action", value) for value in ("", "Message", "hangup")],
    *[("calls_per_agent", value) for value in (0.99, 101)],
    ("predictive_agents", 0),
    *[("dial_ratio", value) for value in (0.99, 101)],
    *[("machine_action", value) for value in ("", "Hangup", "queue")],
    *[("machine_period", value) for value in (0, -5, 1_000_000)],
]
TRUNKS: list[tuple[str, Any]] = [
    *[
        ("dial_template", value)
        for value in ("", "PJSIP/x", "{number}", "PJSIP/{number}{number}", "PJSIP/{number}&SIP/1", "PJSIP/{number}\n")
    ],
    *[("trunk", value) for value in ("", "a\nb")],
    *[("asterisk", value) for value in ("", "a\rb")],
    ("max_lines", -1),
    *[("calls_per_second", value) for value in (0, -1, "NaN", 10001)],
]


NO_VALUE_IN_MARIADB = [
    ("deferred_time", "9999-06-01 00:00:00"),
    ("deferred_time", "1970-01-01 00:00:00"),
    ("calls_per_second", "NaN"),
    ("abandon_target", "NaN"),
]


def refused(db: Database, statement: str, **values: Any) -> str:
    """The sentence with which the statement is refused."""
    with pytest.raises(DBAPIError) as caught:
        execute(db, statement, **values)
    assert db.dialect.sqlstate(cause(caught.value)) == "23514"
    return reason(caught.value)


def names(sentence: str, table: str, column: str, value: Any) -> bool:
    """Does the sentence say of the column that it is this value, cut to 100 characters, and go on with a remedy?"""
    found = re.fullmatch(rf"{table}\.{column} is (?:'(.*)'|NULL): (.+)", sentence)
    if found is None or value is None:
        return found is not None and found[1] is None
    if isinstance(value, int | float):
        return float(found[1]) == value
    said = "".join(map(visible, value[:100]))
    # An instant stands as the server writes it.
    return found[1] == said or (column == "deferred_time" and found[1].startswith(said))


def visible(one: str) -> str:
    """A control character as it stands in messages."""
    return f"\\{ord(one):04X}" if one < " " or "\x7f" <= one <= "\x9f" else one


def refused_by_its_type(db: Database, column: str, value: Any) -> bool:
    """What MariaDB's column cannot even hold it refuses by itself, before any trigger: it is refused all the same."""
    if db.dialect.name != "mariadb" or (column, value) not in NO_VALUE_IN_MARIADB:
        return False
    adders: dict[str, Callable[..., object]] = {"deferred_time": add_case, "abandon_target": add_project}
    add: Callable[..., object] = adders.get(column, add_trunk)
    with pytest.raises(DBAPIError, match=column):
        add(db, **{column: value})
    return True


@pytest.mark.parametrize(("column", "value"), CASES)
def test_a_bad_case_is_refused_at_insert_and_at_update(db: Database, column: str, value: Any) -> None:
    if refused_by_its_type(db, column, value):
        return
    with pytest.raises(DBAPIError) as caught:
        add_case(db, **{column: value})
    assert db.dialect.sqlstate(cause(caught.value)) == "23514"
    assert names(reason(caught.value), "dialer_clients", column, value)

    case = add_case(db)
    said = refused(db, f"UPDATE dialer_clients SET {column} = :value WHERE id = :id", value=value, id=case)
    assert names(said, "dialer_clients", column, value)


@pytest.mark.parametrize(("column", "value"), PARAMS)
def test_a_bad_project_is_refused_at_insert_and_at_update(
    db: Database, dialect: Dialect, column: str, value: Any
) -> None:
    if refused_by_its_type(db, column, value):
        return
    with pytest.raises(DBAPIError) as caught:
        add_project(db, **{"project_id": "q", column: value})
    assert db.dialect.sqlstate(cause(caught.value)) == "23514"
    named = "dial_time" if column == "call_time" else column
    assert names(reason(caught.value), "dialer_params", named, value)

    add_project(db)
    quoted = dialect.lines if column == "lines" else column
    said = refused(db, f"UPDATE dialer_params SET {quoted} = :value", value=value)
    assert names(said, "dialer_params", named, value)


@pytest.mark.parametrize(("column", "value"), TRUNKS)
def test_a_bad_trunk_is_refused_at_insert_and_at_update(db: Database, column: str, value: Any) -> None:
    if refused_by_its_type(db, column, value):
        return
    with pytest.raises(DBAPIError) as caught:
        add_trunk(db, **{"trunk": "other", column: value})
    assert db.dialect.sqlstate(cause(caught.value)) == "23514"
    assert names(reason(caught.value), "dialer_trunks", column, value)

    add_trunk(db)
    said = refused(db, f"UPDATE dialer_trunks SET {column} = :value", value=value)
    assert names(said, "dialer_trunks", column, value)


def test_a_refusal_names_column_value_and_remedy_in_one_sentence(db: Database) -> None:
    case = add_case(db)
    said = refused(db, "UPDATE dialer_clients SET utc = '+3 hours' WHERE id = :id", id=case)
    assert said == (
        "dialer_clients.utc is '+3 hours': write an offset like +03.00h, +3, +05:30 or Z,"
        " an IANA zone like Europe/Moscow, or NULL"
    )


def test_a_long_value_is_cut_to_100_characters(db: Database) -> None:
    case = add_case(db)
    said = refused(db, "UPDATE dialer_clients SET utc = :value WHERE id = :id", value=LONG, id=case)
    assert "x" * 100 in said
    assert "x" * 101 not in said


def test_one_bad_row_refuses_the_whole_statement(db: Database) -> None:
    with pytest.raises(DBAPIError):
        execute(
            db,
            "INSERT INTO dialer_clients (case_name, project_id, phone_number)"
            " VALUES ('a', 'p', '1'), ('b', 'p', 'bad')",
        )
    assert db.query("SELECT * FROM dialer_clients") == []


@pytest.mark.parametrize(
    "columns",
    [
        {"allowed_start": "10:00", "allowed_stop": "10:00"},
        {"allowed_start": "00:00", "allowed_stop": "24:00"},
        {"allowed_start": "9:00", "allowed_stop": "18:00:59"},
        {"allowed_start": "22:00", "allowed_stop": "06:00"},
        {"utc": None},
        {"utc": ""},
        {"utc": "+5.5h"},
        {"utc": "-03.30h"},
        {"utc": "+14"},
        {"utc": "America/Argentina/Buenos_Aires"},
        {"utc": "Etc/GMT+12"},
        {"utc": "z"},
        {"call_back_period": ""},
        {"call_back_period": " 1 , 20 "},
        {"phone_number": "*#06#"},
        {"phone_number": "+" + "1" * 79},
        {"case_name": "Ж. 'Ó Súilleabháin'; -- %s :x {number}"},
        {"project_id": "x" * 100},
    ],
)
def test_what_is_unusual_but_right_is_accepted(db: Database, columns: dict[str, Any]) -> None:
    add_case(db, **columns)


@pytest.mark.parametrize(
    "columns",
    [
        {"sort": "3:1, 1:2,2:2"},
        {"lines": None, "case_limit": None, "sort": None, "type": None},
        {"dial_time": 600_000},
        {"exten": "_X.", "context": "from-out.2"},
        {"caller_id": '"We" <+49 30 1>'},
        {"zone": "Europe/Moscow"},
        {"abandon_seconds": 0.5},
        {"type": "predictive", "abandon_target": 0.01, "abandon_hours": 168, "abandon_days": 365},
        {"abandon_action": "queue", "calls_per_agent": 1, "predictive_agents": 1, "dial_ratio": 1},
        {"amd": True, "machine_action": "message", "machine_period": 999_999, "priority": -7},
    ],
)
def test_an_unusual_project_is_accepted(db: Database, columns: dict[str, Any]) -> None:
    add_project(db, **columns)


def test_a_project_exists_once(db: Database) -> None:
    add_project(db)
    with pytest.raises(DBAPIError, match="project_id"):
        add_project(db)
