"""The tables of the pages say what the database and the settings are like."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import psycopg
import pymysql
import pytest

import sql
from api.app import make_app
from tests.docs.extract import ROOT, names, table
from tests.docs.world import World
from tests.support.fake_routines import NO_DATABASE
from tests.support.schema_texts import newest
from worker import config
from worker.config import load
from worker.errors import SettingsError

README = ROOT / "README.md"
DATABASE, SETTINGS = ROOT / "docs" / "database.md", ROOT / "docs" / "settings.md"
DIALECTS = ("postgresql", "mariadb")
OLD_NAMES = {"recall", "recall_period", "call_time"}
IN_WORDS = {
    *("queue", "zone", "exten", "caller_id", "machine_period", "most_attempts", "dial_ratio"),
    *("client", "country"),
    *("scrubbed_at", "scrub_days"),
    *("message", "message_field", "key_repeat", "key_agent", "key_opt_out"),
}
"""Parameters of which the page says in words what NULL means."""
OWN_MEANS = {"window_key", "waits_as", "waits_for"}
"""Columns made out of others, for indexes."""


def test_the_readme_has_every_path_that_can_be_asked() -> None:
    told = {name for row in table(README, "GET", "answers") for name in names(row["GET"]) if name.startswith("/")}
    routes = {route.rule.replace("<project_id:path>", "ID") for route in make_app(NO_DATABASE).routes}
    assert {path.partition("?")[0] for path in told} == routes


def columns(world: World, of: str) -> dict[str, dict[str, Any]]:
    """Of a table: what stands in information_schema, by name."""
    rows = world.sql(
        "SELECT column_name AS name, column_default AS value, is_nullable AS nullable FROM information_schema.columns"
        f" WHERE table_schema = '{world.schema}' AND table_name = '{of}'"
    )
    return {row["name"]: row for row in rows}


def plain(default: Any) -> str:
    """A default as a page writes it."""
    text = re.sub(r"::.*$", "", str(default)).strip("'")
    text = re.sub(r"(\.\d*?)0+$", r"\1", text).rstrip(".") if "." in text else text
    return "NULL" if default is None else text


@pytest.mark.docker
def test_the_page_names_every_column_of_a_case(installed: World) -> None:
    told = {name for row in table(DATABASE, "column", "means") for name in names(row["column"])}
    assert columns(installed, "dialer_clients").keys() - OLD_NAMES - OWN_MEANS == told


@pytest.mark.docker
def test_parameters_have_the_defaults_of_the_page_and_null_means_what_it_says(installed: World) -> None:
    actual = columns(installed, "dialer_params")
    told: dict[str, tuple[str, str]] = {}
    for row in table(DATABASE, "column", "means", "default", "NULL means"):
        found = names(row["column"])
        defaults = [one.strip("` ") for one in row["default"].split(",")]
        for name, default in zip(found, defaults if len(defaults) > 1 else defaults * len(found), strict=True):
            told[name] = (default, row["NULL means"].strip("`"))
    assert told.keys() == actual.keys() - OLD_NAMES - {"id", "project_id", "scoped_at"}
    installed.sql("INSERT INTO nc.dialer_params (project_id) VALUES ('spring')")
    (effective,) = installed.sql("SELECT * FROM nc.dialer_rules WHERE project_id = 'spring'")
    quote = "`" if installed.dialect == "mariadb" else '"'
    for name, (default, null) in told.items():
        truth = plain(actual[name]["value"])
        assert {"0": "false"}.get(truth, truth) == default if name in ("amd", "scrub_blocks") else truth == default, (
            name
        )
        if not null:
            with pytest.raises((psycopg.DatabaseError, pymysql.err.MySQLError), match=name):
                installed.sql(f"UPDATE nc.dialer_params SET {quote}{name}{quote} = NULL")
        else:
            installed.sql(f"UPDATE nc.dialer_params SET {quote}{name}{quote} = NULL")
            # What has words here, or is the worker's to fill in, cannot be read there.
            if name not in IN_WORDS:
                assert str(effective[name]) == null, name
    assert effective["queue"] == "spring"


@pytest.mark.docker
def test_trunks_have_the_defaults_of_the_page(installed: World) -> None:
    told = re.search(r"`max_lines` \((\d+)\), `calls_per_second` \((\d+);[^`]*`burst` \((\d+);", DATABASE.read_text())
    assert told is not None
    actual = columns(installed, "dialer_trunks")
    assert told.groups() == tuple(plain(actual[name]["value"]) for name in ("max_lines", "calls_per_second", "burst"))


@pytest.mark.docker
def test_outcomes_are_those_of_the_page(installed: World) -> None:
    told = {
        row["outcome"]: (row["redial"].partition(",")[0] == "yes", row["uses up an attempt"] == "yes")
        for row in table(DATABASE, "outcome", "evidence", "redial", "uses up an attempt")
    }
    rows = installed.sql("SELECT * FROM nc.dialer_outcomes")
    assert {row["outcome"]: (bool(row["redial"]), bool(row["uses_attempt"])) for row in rows} == told
    assert set(rows[0]) == {"outcome", "redial", "uses_attempt", "reached", "meaning"}
    page = DATABASE.read_text()
    assert all(f"`{name}`" in page for name in rows[0] if name != "outcome")


@pytest.mark.docker
def test_the_page_knows_every_view(installed: World) -> None:
    actual = {
        row["name"]
        for row in installed.sql(
            f"SELECT table_name AS name FROM information_schema.views WHERE table_schema = '{installed.schema}'"
        )
    }
    told = set()
    for row in table(DATABASE, "view", "one row per"):
        found = names(row["view"])
        told |= {name if name.startswith("dialer") else f"dialer_stat{name}" for name in found}
    internal = re.search(r"For the dialer alone.*?\.\n", DATABASE.read_text(), re.DOTALL)
    assert internal is not None
    here = internal[0] if installed.dialect == "mariadb" else re.sub(r"`\w+`\s\(MariaDB\),?", "", internal[0])
    assert actual == told - {"dialer_stat"} | set(names(here))


@pytest.mark.docker
def test_offsets_are_read_as_the_page_says(installed: World) -> None:
    offset = "SELECT nc.dialer_offset('{}') AS minutes"
    half = {"+3.5": 210, "+03.5h": 210, "+03.50h": 210, "-03.30h": -210, "+03.70h": None, "+03.05h": None}
    assert all(f"`{text}`" in DATABASE.read_text() for text in half)
    assert {text: installed.sql(offset.format(text))[0]["minutes"] for text in half} == half
    insert = "INSERT INTO nc.dialer_clients (case_name, project_id, phone_number, utc) VALUES ('Ann', 'p', '1', '{}')"
    for text, minutes in half.items():
        if minutes is None:
            with pytest.raises((psycopg.DatabaseError, pymysql.err.MySQLError), match="write an offset"):
                installed.sql(insert.format(text))
        else:
            installed.sql(insert.format(text))
    installed.sql(insert.format(""))


@pytest.mark.docker
def test_dial_time_is_accepted_as_the_page_says(installed: World) -> None:
    for written, seconds in ((1, 1), (999, 999), (1000, 1), (600000, 600)):
        installed.sql(f"INSERT INTO nc.dialer_params (project_id, dial_time) VALUES ('p{written}', {written})")
        rules = installed.sql(f"SELECT dial_seconds FROM nc.dialer_rules WHERE project_id = 'p{written}'")
        assert [row["dial_seconds"] for row in rules] == [seconds]
    assert len(installed.sql("SELECT * FROM nc.dialer_warnings WHERE kind = 'dial_time_in_seconds'")) == 2
    for written in (0, 600001):
        with pytest.raises(
            (psycopg.DatabaseError, pymysql.err.MySQLError), match="1000 to 600000; 1 to 999 are read as"
        ):
            installed.sql(f"INSERT INTO nc.dialer_params (project_id, dial_time) VALUES ('q', {written})")


@pytest.mark.docker
def test_a_refusal_begins_with_its_sentence(installed: World) -> None:
    with pytest.raises((psycopg.DatabaseError, pymysql.err.MySQLError)) as caught:
        installed.sql(
            "INSERT INTO nc.dialer_clients (case_name, project_id, phone_number) VALUES ('Ann', 'p', '7999 000')"
        )
    first, _, rest = str(caught.value.args[-1]).partition("\n")
    assert "phone_number is '7999 000': write" in first
    assert rest.startswith("CONTEXT") or installed.dialect == "mariadb"


def reasons_in_sql(dialect: str) -> set[str]:
    """What a CASE answers in the views that dialer_why is made of."""
    found = {"queued", "scheduled", "redial"}  # ELSE; deferred_kind
    views = {"dialer_gate", "dialer_gate_reasons", "dialer_project_gate", "dialer_why"}
    for name in views & set(sql.LIBRARY.names(dialect)):
        view = sql.LIBRARY.text(dialect, name)
        found |= set(re.findall(r"THEN\s+'([a-z_]+)'", view)) | set(re.findall(r"'(pacing)', NULL", view))
        # The first of dialer_project_states' obstacles that stand there.
        found |= set(re.findall(r"'(\w+)'", " ".join(re.findall(r"\.obstacle (?:IN|=) ([^A-Z]+)", view))))
    return found


def kinds_in_sql(dialect: str) -> set[str]:
    view = sql.LIBRARY.text(dialect, "dialer_warnings")
    troubles = newest(dialect, r"kind IN \(('project', [^)]*)\)")
    found = set(re.findall(r"^SELECT '([a-z_]+)'", view, re.MULTILINE))
    return found | {"claims_slow"} | {f"{kind}_trouble" for kind in re.findall(r"'(\w+)'", troubles[1])}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_reason_and_every_warning_stands_on_the_page(dialect: str) -> None:
    assert {name for row in table(DATABASE, "reason", "what to do") for name in names(row["reason"])} == reasons_in_sql(
        dialect
    )
    assert {name for row in table(DATABASE, "kind", "what to do") for name in names(row["kind"])} == kinds_in_sql(
        dialect
    )


def accepted() -> dict[tuple[str, str], str]:
    """What the page says of each setting."""
    found: dict[tuple[str, str], str] = {}
    section = ""
    for row in table(SETTINGS, "section", "name", "meaning", "default", "accepted"):
        section = row["section"].strip("`") or section
        found |= {(section, name): row["accepted"] for name in names(row["name"])}
    return found


def mistakes(tmp_path: Path, section: str, name: str, value: str) -> str:
    """What is said of one setting."""
    needed = {"ami": {"Ip": "'a'", "Username": "'u'", "Password": "'p'"}}.get(section, {})
    lines = [f"{key} = {given}" for key, given in (needed | {name: value}).items()]
    settings = ["[database]", "url = 'postgresql://u@db/calls'"] if section != "database" or name == "url" else []
    if section == "database" and name != "url":
        parts = {"Driver": "'pgx'", "DB_Server": "'db'", "DB_Name": "'calls'", "Username": "'u'", "Max_Open_Conns": "0"}
        lines = [f"{key} = {given}" for key, given in (parts | {name: value}).items()]
    path = tmp_path / "dialer.toml"
    path.write_text("\n".join([*settings, f"[{section}]", *lines]))
    try:
        load(path, {})
    except SettingsError as error:
        return str(error)
    return ""


def test_settings_are_accepted_as_the_page_says(tmp_path: Path) -> None:
    told = accepted()
    known = {(section, name) for section, keys in config.names().items() for name in keys}
    inherited = {("asterisk.NAME", "ami")}
    assert told.keys() - inherited == known
    for section, name in known - {("database", "url")}:
        found = re.search(r"from ([\d.]+) to ([\d.]+)", mistakes(tmp_path, section, name, "'x'"))
        written = re.search(r"([\d.]+) to ([\d.]+)", told[section, name])
        if found is None:
            assert written is None or name not in ("Max_Open_Conns", "Lease_Seconds"), name
            continue
        assert written is not None, name
        low, high = (found[number].rstrip(".") for number in (1, 2))
        assert (written[1], written[2]) == (low, high), name
        for value, refused in ((low, False), (high, False), (f"{float(high) + 1:.0f}", True), ("-1", True)):
            assert bool(mistakes(tmp_path, section, name, value)) is refused, (name, value)
    assert "63 at most" in mistakes(tmp_path, f"asterisk.{'a' * 64}", "Ip", "'a'")
    assert "100 at most" in mistakes(tmp_path, "worker", "Name", f"'{'a' * 101}'")
    assert not mistakes(tmp_path, "worker", "Name", f"'{'a' * 100}'")
