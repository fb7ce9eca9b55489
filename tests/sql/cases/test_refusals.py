"""Bad rows are refused where they are written, with a sentence: column, value, remedy; SQLSTATE 23514."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import column as sqlalchemy_column
from sqlalchemy import insert, table
from sqlalchemy.exc import DBAPIError

from tests.support.caller import at
from tests.support.dialects import Dialect, execute, servers
from tests.support.factories import add_case, add_project, add_retry, add_trunk, case_values
from tests.support.writers import WRITERS, MariaDbWriter, Refused, Value, Writer
from worker.db import Database
from worker.db.database import cause, reason

LONG = "x" * 300

CASES: list[tuple[str, Any]] = [
    *[
        ("phone_number", value)
        for value in ("", "12 34", "+49-30", "12a", "12\n", "1\n2", "\u0661\u0662", "1" * 81, "+", "#", "*#", "1" * 400)
    ],
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
            "posix/Europe/Moscow",
            "right/Europe/Moscow",
            "CET",
            "EST",
            "MST",
            "WET",
            "posixrules",
            "localtime",
        )
    ],
    *[
        (column, value)
        for column in ("allowed_start", "allowed_stop")
        for value in ("", "9", "9am", "25:00", "24:01", "10:60", "10:00:60", "10:00:00.5", "10:00\n", "-1:00")
    ],
    *[("call_back_period", value) for value in ("1;1", "a", "1,", ",1", "1,,1", "-1", "1.5", "1,1\n", "9999999")],
    *[("case_name", value) for value in ("a\nb", "a\rb", "\x1b[31m", "tab\t", "\x7f", "\x85", "x" * 1001)],
    *[("project_id", value) for value in ("", "a\nb", "\x9f", LONG)],
    *[
        (column, value)
        for column in ("deferred_time", "created")
        for value in ("9999-06-01 00:00:00", "1970-01-01 00:00:00", "2038-01-19 00:00:00", "1970-12-31 23:59:59")
    ],
    *[("id", value) for value in (-1, 10**18 + 1)],
    *[
        (column, None)
        for column in ("case_name", "project_id", "phone_number", "priority", "used", "call_back", "allowed_start")
    ],
    *[(column, None) for column in ("allowed_stop", "deferred_done", "created")],
    *[("region", value) for value in ("", "us", "U", "USA", "US-", "US-fl", "US-FLOR", "US FL", "US\n", "Florida")],
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
    *[("queue", value) for value in ("", "a,b", "a\nb", "x" * 101)],
    *[("caller_id", value) for value in ("a\nb", "x\r", "9" * 201)],
    *[("zone", value) for value in ("", "MSK", "+99", "posix/Europe/Moscow", "MET")],
    *[("trunk", value) for value in ("", "a\nb", "x" * 101)],
    *[("asterisk", value) for value in ("", "a\nb", "x" * 101)],
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
    *[("most_attempts", value) for value in (0, -1)],
    *[
        (column, None)
        for column in ("dial_time", "context", "abandon_seconds", "abandon_target", "abandon_hours", "abandon_days")
    ],
    *[(column, None) for column in ("abandon_action", "calls_per_agent", "predictive_agents", "amd", "machine_action")],
    ("priority", None),
    *[("message", value) for value in ("", "../secret", "a.gsm", "a b", "one&two", "a,b", "${X}", "a\n", "x" * 201)],
    *[("message_field", value) for value in ("", 'a"b', "a\\b", "a\nb", "x" * 101)],
    *[(key, value) for key in ("key_repeat", "key_agent", "key_opt_out") for value in ("", "10", "a", "A", "+", "1\n")],
    *[("opt_out_scope", value) for value in ("", "All", "client", "everybody", None)],
    *[("scrub_days", value) for value in (0, -1, 3651)],
    ("scrub_blocks", None),
    ("scrubbed_at", "2037-01-01 00:00:00"),
    *[("id", value) for value in (-1, 10**18 + 1)],
]
DNC: list[tuple[str, Any]] = [
    *[
        ("number", value)
        for value in ("", "+12", "+" + "1" * 16, "8 (495) 1", "+7 495", "*", "+*", "7495*", "+7*5", "a")
    ],
    *[("number", value) for value in ("+7495\n", "12", "89161234567", "00*", "0079*", None)],
    *[("project_id", value) for value in ("", "a\nb", "x" * 101)],
    *[("client", value) for value in ("", "a\nb", "x" * 101)],
    *[("region", value) for value in ("", "us", "USA", "US-", "US-FLOR", "US-fl", "US-FL\n")],
    *[("purpose", value) for value in ("", "Sales", "fraud")],
    *[("reason", value) for value in ("a\nb", "x" * 301, None)],
    *[("until_at", value) for value in ("2038-01-19 00:00:00", "1970-12-31 23:59:59")],
    *[("from_at", value) for value in ("2038-01-19 00:00:00", "1970-12-31 23:59:59")],
]
TRUNKS: list[tuple[str, Any]] = [
    *[
        ("dial_template", value)
        for value in ("", "PJSIP/x", "{number}", "PJSIP/{number}{number}", "PJSIP/{number}&SIP/1", "PJSIP/{number}\n")
    ],
    *[("trunk", value) for value in ("", "a\nb", "x" * 101)],
    *[("asterisk", value) for value in ("", "a\rb", "x" * 101)],
    ("max_lines", -1),
    *[("calls_per_second", value) for value in (0, -1, "NaN", 10001)],
    *[("burst", value) for value in (0, -1, 1001)],
    ("dial_template", "PJSIP/{number}@" + "c" * 166),
    *[(column, None) for column in ("trunk", "asterisk", "dial_template", "max_lines", "calls_per_second", "burst")],
]
RETRIES: list[tuple[str, Any]] = [
    *[("project_id", value) for value in ("", "a\nb", "x" * 101)],
    *[("client", value) for value in ("", "a\nb", "x" * 101)],
    *[("region", value) for value in ("", "us", "USA", "US-", "US-FLOR", "US FL")],
    *[("purpose", value) for value in ("", "Sales", "spam")],
    *[("outcome", value) for value in (None, "", "busy", "FAILED", "CANCELLED", "TECHNICAL", "LATER")],
    *[("period_minutes", value) for value in (None, 0, -1, 1_000_000)],
    *[("most", value) for value in (0, -1)],
    ("other_part_of_day", None),
    *[("preset", value) for value in ("", "a\nb")],
]
DISPOSITIONS: list[str] = ["", "a\nb", "x" * 101]
CALLER_IDS: list[tuple[str, Any]] = [
    *[("caller_id", value) for value in ("", "a\nb", "Us <>", "anonymous", "9" * 201, "Us 1 <>", None)],
    *[("prefix", value) for value in ("", "+49", "49 ", "4 9", "a", "49\n", "1" * 16)],
    *[("most_per_day", value) for value in (0, -1)],
    *[("project_id", value) for value in ("", "a\nb", "x" * 101)],
    *[("client", value) for value in ("", "a\nb", "x" * 101)],
    *[("region", value) for value in ("", "us", "USA", "US-", "US-FLOR", "US-fl", "US-FL\n")],
    *[("purpose", value) for value in ("", "Sales", "fraud")],
]
SETTINGS: list[tuple[str, Any]] = [
    *[("server_zone", value) for value in ("", "Narnia", "MSK", "CET", "posix/Europe/Moscow", None)],
    *[("virtual_clock", value) for value in ("yes", "1", "", None)],
    *[("abandoned_hours", value) for value in ("a while", "-1", "1e3", "100001", "", None)],
    *[("of your own", value) for value in ("a\nb", "x" * 201, None)],
]


NO_VALUE_IN_MARIADB = [
    *[
        (column, value)
        for column in ("deferred_time", "created")
        for value in ("9999-06-01 00:00:00", "1970-01-01 00:00:00")
    ],
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
        return Decimal(found[1]) == Decimal(str(value))
    said = "".join(map(visible, value[:100]))
    # An instant stands as the server writes it.
    return found[1] == said or (
        column in ("deferred_time", "created", "from_at", "until_at", "scrubbed_at") and found[1].startswith(said)
    )


def visible(one: str) -> str:
    """A control character as it stands in messages."""
    return f"\\{ord(one):04X}" if one < " " or "\x7f" <= one <= "\x9f" else one


def refused_by_its_type(db: Database, column: str, value: Any) -> bool:
    """What MariaDB's column cannot even hold it refuses by itself, before any trigger: it is refused all the same."""
    if db.dialect.name != "mariadb" or (column, value) not in NO_VALUE_IN_MARIADB:
        return False
    adders: dict[str, Callable[..., object]] = {
        "deferred_time": add_case,
        "created": add_case,
        "abandon_target": add_project,
    }
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


@pytest.mark.parametrize(("column", "value"), RETRIES)
def test_a_bad_retry_rule_is_refused_at_insert_and_at_update(db: Database, column: str, value: Any) -> None:
    good = {"outcome": "BUSY", "period_minutes": 5}
    with pytest.raises(DBAPIError) as caught:
        add_retry(db, **{**good, column: value})
    assert db.dialect.sqlstate(cause(caught.value)) == "23514"
    assert names(reason(caught.value), "dialer_retries", column, value)

    add_retry(db, **good)
    said = refused(db, f"UPDATE dialer_retries SET {column} = :value", value=value)
    assert names(said, "dialer_retries", column, value)


def test_a_retry_rule_is_for_an_outcome_or_a_disposition(db: Database) -> None:
    for bad in DISPOSITIONS:
        with pytest.raises(DBAPIError) as caught:
            add_retry(db, disposition=bad, period_minutes=5)
        assert names(reason(caught.value), "dialer_retries", "disposition", bad)
    with pytest.raises(DBAPIError) as caught:
        add_retry(db, outcome="BUSY", disposition="later", period_minutes=5)
    assert names(reason(caught.value), "dialer_retries", "disposition", "later")
    assert "one row for the outcome and one for the disposition" in reason(caught.value)


def test_an_unusual_retry_rule_is_accepted(db: Database) -> None:
    add_retry(db, outcome="ANSWERED", period_minutes=999_999, most=1, other_part_of_day=True)
    add_retry(db, disposition="ж" * 100, period_minutes=1, region="US-FL", client="that is of no project yet")
    add_retry(db, outcome="LOST", period_minutes=1, region="GB", project_id="no project yet", purpose="debt")


@pytest.mark.parametrize(("column", "value"), CALLER_IDS)
def test_a_bad_caller_id_is_refused_at_insert_and_at_update(db: Database, column: str, value: Any) -> None:
    row = {"caller_id": "+4930123", column: value}
    insert = f"INSERT INTO dialer_caller_ids ({', '.join(row)}) VALUES ({', '.join(f':{name}' for name in row)})"
    assert names(refused(db, insert, **row), "dialer_caller_ids", column, value)

    execute(db, "INSERT INTO dialer_caller_ids (caller_id) VALUES ('+4930123')")
    said = refused(db, f"UPDATE dialer_caller_ids SET {column} = :value", value=value)
    assert names(said, "dialer_caller_ids", column, value)


@pytest.mark.parametrize(("column", "value"), DNC)
def test_a_bad_row_of_do_not_call_is_refused_at_insert_and_at_update(db: Database, column: str, value: Any) -> None:
    row = {"number": "+74951234567", "project_id": "p", "reason": "", column: value}
    names_of = ", ".join(row)
    insert = f"INSERT INTO dialer_dnc ({names_of}) VALUES ({', '.join(f':{name}' for name in row)})"
    said = refused(db, insert, **row)
    assert names(said, "dialer_dnc", column, value)

    execute(db, "INSERT INTO dialer_dnc (number) VALUES ('+74951234567')")
    said = refused(db, f"UPDATE dialer_dnc SET {column} = :value", value=value)
    assert names(said, "dialer_dnc", column, value)


def test_a_row_of_do_not_call_must_end_after_it_begins(db: Database) -> None:
    insert = "INSERT INTO dialer_dnc (number, from_at, until_at) VALUES ('+749512', '2027-01-02 00:00:00', :until)"
    for until in ("2027-01-01 00:00:00", "2027-01-02 00:00:00"):
        assert refused(db, insert, until=until).endswith("write an instant after from_at, or NULL")
    assert execute(db, insert, until="2027-01-02 00:00:01") == 1


@pytest.mark.parametrize(
    ("columns", "column", "remedy"),
    [
        ({"key_repeat": "1", "key_agent": "1"}, "key_agent", "key_repeat is this key already: write another"),
        ({"key_repeat": "1", "key_opt_out": "1"}, "key_opt_out", "key_repeat or key_agent is this key already"),
        ({"key_agent": "*", "key_opt_out": "*"}, "key_opt_out", "key_repeat or key_agent is this key already"),
        ({"opt_out_scope": "client"}, "opt_out_scope", "write the client, too, or all"),
    ],
)
def test_settings_of_a_project_that_contradict_each_other_are_refused(
    db: Database, columns: dict[str, str], column: str, remedy: str
) -> None:
    with pytest.raises(DBAPIError) as caught:
        add_project(db, **columns)
    said = reason(caught.value)
    assert names(said, "dialer_params", column, columns[column])
    assert remedy in said


@pytest.mark.parametrize(("name", "value"), SETTINGS)
def test_a_setting_that_could_not_be_read_is_refused_at_insert_and_at_update(
    db: Database, name: str, value: str | None
) -> None:
    row = "INSERT INTO dialer_settings (name, value, description) VALUES (:name, :value, '')"
    before = db.query("SELECT value FROM dialer_settings WHERE name = :name", name=name)
    execute(db, "DELETE FROM dialer_settings WHERE name = :name", name=name)
    try:
        assert names(refused(db, row, name=name, value=value), "dialer_settings", "value", value)
        execute(db, row, name=name, value=before[0]["value"] if before else "anything")
        said = refused(db, "UPDATE dialer_settings SET value = :value WHERE name = :name", name=name, value=value)
        assert names(said, "dialer_settings", "value", value)
    finally:
        if not before:
            execute(db, "DELETE FROM dialer_settings WHERE name = :name", name=name)


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
        {"utc": "europe/moscow"},
        {"call_back_period": ""},
        {"call_back_period": " 1 , 20 "},
        {"phone_number": "*#06#"},
        {"phone_number": "+" + "1" * 79},
        {"call_back_period": "0"},
        {"case_name": "ж" * 1000},
        {"case_name": ""},
        {"deferred_time": "1971-01-01 00:00:00"},
        {"deferred_time": "2038-01-18 23:59:59"},
        {"case_name": "Ж. 'Ó Súilleabháin'; -- %s :x {number}"},
        {"project_id": "x" * 100},
        *[{"region": value} for value in ("US", "US-FL", "GB-1", "FR-20R", None)],
        {"case_name": 'Ünal \\ "Söhne" ° \u00a0 한국'},
        {"phone_number": "49+30"},
    ],
)
def test_what_is_unusual_but_right_is_accepted(db: Database, columns: dict[str, Any]) -> None:
    add_case(db, **columns)


@pytest.mark.parametrize("zone", ["Japan", "GB", "EST5EDT", "PRC", "NZ", "W-SU", "Zulu", "GMT0", "Cuba"])
def test_old_names_of_zones_are_taken_where_the_server_has_them(db: Database, dialect: Dialect, zone: str) -> None:
    if zone in dialect.zones(db):
        add_case(db, utc=zone)
        add_case(db, utc=zone.lower())
        add_project(db, zone=zone)
    else:
        case = add_case(db)
        said = refused(db, "UPDATE dialer_clients SET utc = :zone WHERE id = :id", zone=zone, id=case)
        assert names(said, "dialer_clients", "utc", zone)


@pytest.mark.parametrize(
    "columns",
    [
        {"sort": "3:1, 1:2,2:2"},
        {"lines": None, "case_limit": None, "sort": None, "type": None},
        {"dial_time": 600_000},
        {"exten": "_X.", "context": "from-out.2"},
        {"caller_id": '"We" <+49 30 1>'},
        {"caller_id": "ж" * 200},
        {"queue": "ж" * 100},
        {"trunk": "that does not exist yet", "asterisk": "neither"},
        {"zone": "Europe/Moscow"},
        {"abandon_seconds": 0.5},
        {"type": "predictive", "abandon_target": 0.01, "abandon_hours": 168, "abandon_days": 365},
        {"abandon_action": "queue", "calls_per_agent": 1, "predictive_agents": 1, "dial_ratio": 1},
        {"amd": True, "machine_action": "message", "machine_period": 999_999, "priority": -7},
        {"message": "/var/lib/custom/a_B-9", "message_field": "their recording, ж"},
        {"key_repeat": "*", "key_agent": "#", "key_opt_out": "0", "opt_out_scope": "client", "client": "Ann & Co"},
        {"scrub_days": 3650, "scrub_blocks": True, "scrubbed_at": datetime(1970, 1, 2, tzinfo=UTC)},
    ],
)
def test_an_unusual_project_is_accepted(db: Database, columns: dict[str, Any]) -> None:
    add_project(db, **columns)


@pytest.mark.parametrize("fields", ['"text"', "[1]", "1", "true", "null", json.dumps({"a": "x" * 9_999})])
def test_fields_are_a_json_object(db: Database, dialect: Dialect, fields: str) -> None:
    value = ":value" if dialect.name == "mariadb" else "CAST(:value AS jsonb)"
    insert = f"INSERT INTO dialer_clients (case_name, project_id, phone_number, fields) VALUES ('x', 'p', '1', {value})"
    assert names(refused(db, insert, value=fields), "dialer_clients", "fields", fields)
    execute(db, insert, value='{"a": {"b": ["ü", 1, null]}}')
    assert names(
        refused(db, f"UPDATE dialer_clients SET fields = {value}", value=fields), "dialer_clients", "fields", fields
    )
    execute(db, "UPDATE dialer_clients SET fields = NULL")


@pytest.mark.parametrize("column", ["case_name", "phone_number", "utc", "allowed_start", "call_back_period", "region"])
def test_what_was_accepted_before_opens_no_way_round(db: Database, column: str) -> None:
    """The triggers remember what usual rows have."""
    usual = {"utc": "+1", "allowed_start": "09:00", "allowed_stop": "18:00", "region": "DE"}
    bad = {
        "case_name": ["a\nb", "\x7f", "\u0085", "x" * 1001],
        "phone_number": ["+", "12 3", "1" * 81, "123\n", "+12a"],
        "utc": ["+1\n09:00", "+1\t", "\t"],
        "allowed_start": ["09:00\n18:00", "09:00\t"],
        "call_back_period": ["1\nDE", "\n", "\nDE\t\tp\n+1\n09:00\n18:00\n"],
        "region": ["DE\t", "DE\t\tp\n+1\n09:00\n18:00\n\nDE", "\n"],
    }
    with db.transaction() as connection:
        for value in bad[column]:
            for row in ({}, {"utc": "+2"}, {}):
                connection.execute(_insert_case(usual | row))
            with pytest.raises(DBAPIError) as caught, connection.begin_nested():
                connection.execute(_insert_case({**usual, column: value}))
            assert names(reason(caught.value), "dialer_clients", column, value)


def _insert_case(columns: dict[str, Any]) -> Any:
    values = case_values(**columns)
    return insert(table("dialer_clients", *map(sqlalchemy_column, values))).values(values)


def test_a_project_exists_once(db: Database) -> None:
    add_project(db)
    with pytest.raises(DBAPIError, match="project_id"):
        add_project(db)


# --- the ways round the checks that MariaDB has ------------------------------------------------------------------

MARIADB = pytest.mark.parametrize("dialect", servers("mariadb"), indirect=True)
CASE: dict[str, Value] = {"id": 1, "case_name": "somebody", "project_id": "p", "phone_number": "+49301"}
GOOD: dict[str, dict[str, Value]] = {
    "dialer_params": {"project_id": "p", "type": "autoinforming"},
    "dialer_trunks": {"trunk": "t", "asterisk": "default", "dial_template": "PJSIP/{number}@carrier"},
    "dialer_settings": {"name": "mine", "value": "1", "description": ""},
    "dialer_retries": {"id": 1, "outcome": "BUSY", "period_minutes": 5},
}
ODD: dict[str, list[tuple[str, Value]]] = {
    "dialer_params": [("priority", "high"), ("amd", "yes"), ("lines", "2k"), ("context", None)],
    "dialer_trunks": [("max_lines", "many"), ("calls_per_second", "5/s"), ("burst", None), ("asterisk", None)],
    "dialer_settings": [("value", "x" * 500), ("value", None), ("description", None)],
    "dialer_retries": [("period_minutes", "soon"), ("most", "3x"), ("other_part_of_day", "yes"), ("region", "x" * 50)],
}
LENIENT = [way for way in MariaDbWriter.ways if way not in ("INSERT", "traditional", "UPDATE")]
"""Ways in which the server bends what does not fit, instead of refusing it."""


@pytest.fixture
def writer(db: Database, dialect: Dialect) -> Iterator[Writer]:
    with closing(WRITERS[dialect.name](db.settings)) as session:
        yield session


@MARIADB
@pytest.mark.parametrize("way", MariaDbWriter.ways)
@pytest.mark.parametrize("column", ["case_name", "project_id", "phone_number", "priority", "used", "allowed_start"])
def test_null_finds_no_way_round(writer: Writer, way: str, column: str) -> None:
    with pytest.raises(Refused, match=rf"^dialer_clients\.{column} is NULL: write "):
        writer.tried(way, "dialer_clients", CASE, column, None)


@MARIADB
@pytest.mark.parametrize("way", LENIENT)
@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("priority", "high"),
        ("priority", "12abc"),
        ("priority", 2**63),
        ("used", "yes"),
        ("case_name", "x" * 3000),
        ("deferred_time", "2026-11-29 10:00:00+03:00"),
        ("deferred_time", "2026-11-29T10:00Z"),
        ("deferred_time", "tomorrow"),
        ("created", "2039-01-01"),
    ],
)
def test_what_the_server_has_bent_is_refused(writer: Writer, way: str, column: str, value: str | int) -> None:
    with pytest.raises(Refused) as caught:
        writer.tried(way, "dialer_clients", CASE, column, value)
    assert caught.value.code == 4025
    # The value, where the server still knows it, else its words.
    assert re.match(rf"dialer_clients\.{column} is '({value}.*|.* column '{column}'.*)': .*write ", str(caught.value))


@MARIADB
@pytest.mark.parametrize("table", GOOD)
def test_the_other_tables_take_nothing_bent_either(writer: Writer, table: str) -> None:
    for way in LENIENT:
        for column, value in ODD[table]:
            with pytest.raises(Refused, match=rf"^{table}\.{column} is "):
                writer.tried(way, table, GOOD[table], column, value)


@MARIADB
def test_where_warnings_could_not_be_seen_nothing_is_taken(writer: Writer) -> None:
    writer.run(b"SET max_error_count = 0")
    with pytest.raises(Refused, match="SET max_error_count = 65535"):
        writer.tried("IGNORE", "dialer_clients", CASE, "priority", "high")
    writer.run(b"SET max_error_count = 64")
    insert = b"INSERT IGNORE INTO dialer_clients (id, case_name, project_id, phone_number, priority) VALUES "
    rows = b", ".join([b"(1, 'x', 'p', '1', 1)"] * 66 + [b"(2, 'x', 'p', '2', 'high')"])
    with pytest.raises(Refused, match="max_error_count is '64': the statement has as many warnings"):
        writer.run(insert + rows)
    writer.run(b"SET max_error_count = 65535")
    with pytest.raises(Refused, match="priority is 'high'"):
        writer.run(insert + rows)


@MARIADB
@pytest.mark.parametrize("flags", ["MULTILINE", "EXTENDED", "DOTALL", "MULTILINE,EXTENDED"])
def test_where_patterns_mean_something_else_nothing_is_taken(writer: Writer, flags: str) -> None:
    writer.run(f"SET default_regex_flags = '{flags}'".encode())
    for way in ("INSERT", "UPDATE"):
        with pytest.raises(Refused, match="SET default_regex_flags = ''"):
            writer.tried(way, "dialer_clients", CASE, "phone_number", "no number\n1")


@MARIADB
def test_ignore_still_passes_over_rows_that_are_there(db: Database, writer: Writer) -> None:
    case = add_case(db)
    row = f"INSERT IGNORE INTO dialer_clients (id, case_name, project_id, phone_number) VALUES ({case}, 'x', 'p', '1')"
    writer.run(f"{row}, ({case}, 'y', 'p', '2'), ({case + 1}, 'z', 'p', '3')".encode())
    assert writer.run(b"SELECT case_name FROM dialer_clients ORDER BY id") == [("somebody",), ("z",)]
    writer.run(b"ROLLBACK")


@MARIADB
def test_a_comparison_in_a_lenient_session_bends_nothing(db: Database, writer: Writer) -> None:
    add_case(db, phone_number="*#06#")
    writer.run(b"SET sql_mode = ''")
    writer.run(b"UPDATE dialer_clients SET priority = 2 WHERE phone_number = 7999 OR phone_number = 0")
    assert writer.run(b"SELECT priority FROM dialer_clients") == [(2,)]
    writer.run(b"ROLLBACK")


# --- instants with an offset -------------------------------------------------------------------------------------

OFFSETS = ["10:00+03", "10:00-03", "10:00+3", "10:00+00", "10:00-12", "10:00+14", "10+03"]


@MARIADB
@pytest.mark.parametrize("column", ["deferred_time", "created"])
@pytest.mark.parametrize("time", OFFSETS)
def test_an_offset_that_would_be_read_as_seconds_is_refused(writer: Writer, column: str, time: str) -> None:
    for way in writer.ways:
        if "LOAD" in way:
            continue
        with pytest.raises(Refused, match=f"{column} is '2026-11-29 .* in the zone of the session, without an offset"):
            writer.tried(way, "dialer_clients", CASE, column, f"2026-11-29 {time}")


@MARIADB
def test_an_offset_is_found_in_whatever_row_of_a_statement(writer: Writer) -> None:
    row = b"('x', 'p', '1', '2026-11-29 10:00:00'), "
    with pytest.raises(Refused, match=r"deferred_time is '2026-11-29 10:00:0"):
        writer.run(
            b"INSERT INTO dialer_clients (case_name, project_id, phone_number, deferred_time) VALUES "
            + row * 200
            + b"('x', 'p', '1', '2026-11-29 10:00+03')"
        )


@MARIADB
@pytest.mark.parametrize(
    "written",
    [
        "'2026-11-29 10:00:03'",
        "'2026-11-29 10:00:00'",
        "'2026-11-29 10:03'",
        "TIMESTAMP '2026-11-29 10:00:03'",
        "'2026-11-29' + INTERVAL 3 SECOND",
        "20261129100003",
    ],
)
def test_seconds_are_seconds_where_no_offset_is_written(writer: Writer, written: str) -> None:
    writer.run(
        "INSERT INTO dialer_clients (case_name, project_id, phone_number, deferred_time)"
        f" VALUES ('flat 10-3, +03', 'p', '+03', {written})".encode()
    )
    writer.run(b"ROLLBACK")


@MARIADB
def test_in_a_file_seconds_that_may_be_an_offset_are_refused_unless_a_format_says_what_they_are(
    writer: Writer, tmp_path: Path
) -> None:
    file = tmp_path / "promises.csv"
    file.write_text("somebody,p,1,2026-11-29 10:00+03\n")
    load = f"LOAD DATA LOCAL INFILE '{file}' INTO TABLE dialer_clients FIELDS TERMINATED BY ',' "
    columns = "(case_name, project_id, phone_number, "
    with pytest.raises(Refused, match="from a file: SET deferred_time = str_to_date"):
        writer.run((load + columns + "deferred_time)").encode())
    read = columns + "@text) SET deferred_time = str_to_date(@text, '%Y-%m-%d %H:%i:%s')"
    with pytest.raises(Refused, match=r"^dialer_clients is '2026-11-29 10:00\+03'|deferred_time is"):
        writer.run((load + read).encode())
    file.write_text("somebody,p,1,2026-11-29 10:00:03\n")
    writer.run((load + read).encode())
    assert writer.run(b"SELECT second(deferred_time) FROM dialer_clients") == [(3,)]
    writer.run(b"ROLLBACK")


NEXT = [
    ("'2026-06-01 09:00'", at(9)),
    ("'2026-06-01 09:00:00.000000'", at(9)),
    ("'2026-06-01 09:00+03'", at(6)),
    ("'2026-06-01 09:00:00 +03:00'", at(6)),
    ("'2026-06-01 09:00-0330'", at(12, 30)),
    ("'2026-06-01T09:00Z'", at(9)),
    ("TIMESTAMP '2026-06-01 09:00:00'", at(9)),
]


@pytest.mark.parametrize(("written", "instant"), NEXT)
def test_who_asks_what_is_next_may_write_an_offset(
    db: Database, dialect: Dialect, written: str, instant: datetime
) -> None:
    """README's 'tomorrow at nine'."""
    add_project(db)
    case = add_case(db, deferred_time=instant)
    call = "SELECT * FROM dialer_next('p', {}, 10)" if dialect.name == "postgresql" else "CALL dialer_next('p', {}, 10)"
    assert [row["case_id"] for row in db.query(call.format(written))] == [case]
    before = written.replace("09:00", "08:59")
    assert db.query(call.format(before)) == []
    if dialect.name == "mariadb":
        with db.transaction() as dba:
            dba.exec_driver_sql(f"SET @dialer_now = {written}")
            assert len(dba.exec_driver_sql("CALL dialer_next('p', NULL, 10)").all()) == 1
            dba.exec_driver_sql(f"SET @dialer_now = {before}")
            assert dba.exec_driver_sql("CALL dialer_next('p', NULL, 10)").all() == []
            dba.exec_driver_sql("SET @dialer_now = NULL")


@MARIADB
@pytest.mark.parametrize(
    "written", ["tomorrow", "2026-06-01 9", "2026-02-30", "2026-06-01 09:00 MSK", "2026-06-01 09:00+99"]
)
def test_an_instant_that_cannot_be_read_is_refused_with_the_remedy(db: Database, written: str) -> None:
    said = refused(db, "CALL dialer_next('p', :now, 10)", now=written)
    assert said.startswith(f"The instant is '{written}': write it like 2026-11-24 09:00:00")
