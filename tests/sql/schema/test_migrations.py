"""Migrations climb to head, step down to nothing and climb again; every routine's file is what it says."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

import sql
from alembic import command
from dialer.migrate import migrate
from tests.support.containers import Databases
from tests.support.dialects import DIALECTS, Dialect
from worker.config import DatabaseSettings
from worker.db import Database
from worker.db.migration import VERSION_TABLE, config, head
from worker.errors import DatabaseNotAtHead

ROUTINES = [(dialect, name) for dialect in DIALECTS for name in sql.LIBRARY.names(dialect)]


@pytest.fixture
def empty(server: Databases, dialect: Dialect) -> Iterator[Database]:
    """A database with nothing in it."""
    url = server.create()
    database = Database(dialect.settings(url))
    yield database
    database.dispose()
    server.drop(url)


def upgrade(settings: DatabaseSettings) -> None:
    command.upgrade(config(settings), "head")


def test_up_down_and_up_again_leaves_the_same_each_time(empty: Database, dialect: Dialect) -> None:
    upgrade(empty.settings)
    first = dialect.catalog(empty)
    assert empty.revision() == head()
    assert {f"column dialer_clients.{name}" for name in ("case_name", "deferred_time")} <= first.keys()

    command.downgrade(config(empty.settings), "base")
    left = {name for name in dialect.catalog(empty) if VERSION_TABLE not in name}
    assert left == set(), "nothing of ours is left"
    assert empty.revision() is None

    upgrade(empty.settings)
    assert dialect.catalog(empty) == first


def test_upgrading_again_changes_nothing(own_database: Database, dialect: Dialect) -> None:
    before = dialect.catalog(own_database)
    upgrade(own_database.settings)
    assert dialect.catalog(own_database) == before


def test_a_migration_that_failed_half_way_can_be_run_again(
    empty: Database, own_database: Database, dialect: Dialect
) -> None:
    """MariaDB commits each statement that makes something; PostgreSQL takes all of them back."""
    empty.revision()
    with empty.transaction() as connection:
        connection.execute(text(dialect.make_schema))
        connection.execute(text(f"CREATE TABLE {dialect.in_schema}dialer_why (theirs int)"))
    with pytest.raises(DBAPIError, match="dialer_why"):
        upgrade(empty.settings)
    assert empty.revision() is None
    with empty.transaction() as connection:
        connection.execute(text(f"DROP TABLE {dialect.in_schema}dialer_why"))
    upgrade(empty.settings)
    empty.require_head()
    assert dialect.catalog(empty) == dialect.catalog(own_database)


def test_two_upgrades_at_once_both_succeed(empty: Database) -> None:
    url = empty.settings.url().render_as_string(hide_password=False)
    environment = {**os.environ, "DIALER_DATABASE_URL": url, "DIALER_DATABASE_SCHEME": empty.schema}
    both = [
        subprocess.Popen(
            [sys.executable, "-m", "dialer", "migrate"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(2)
    ]
    for process in both:
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 0, said
    empty.require_head()


def test_a_downgrade_leaves_what_is_not_ours(empty: Database) -> None:
    upgrade(empty.settings)
    with empty.transaction() as connection:
        connection.execute(text("CREATE TABLE theirs (id int)"))
    command.downgrade(config(empty.settings), "base")
    assert empty.query("SELECT * FROM theirs") == []


def test_the_server_zone_is_taken_from_the_server_at_installation(own_database: Database) -> None:
    settings = {row["name"]: row["value"] for row in own_database.query("SELECT * FROM dialer_settings")}
    assert settings["server_zone"]
    assert own_database.value("dialer_zone_known", settings["server_zone"])
    assert settings["virtual_clock"] == "false", "time is never taken from outside unless somebody asks for it"


def test_a_database_without_a_schema_is_refused_with_the_command(empty: Database) -> None:
    with pytest.raises(DatabaseNotAtHead, match=r"has no dialer schema yet.*dialer migrate"):
        empty.require_head()


def test_a_database_at_an_older_revision_is_refused_with_the_command(
    own_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_database.require_head()
    there = head()
    monkeypatch.setattr("worker.db.database.head", lambda: "9999")
    with pytest.raises(DatabaseNotAtHead, match=rf"is at revision {there}, this program needs 9999. Run `dialer migr"):
        own_database.require_head()


def test_a_database_at_a_newer_revision_is_refused_by_the_older_program(own_database: Database) -> None:
    with own_database.transaction() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    sentence = rf"is at revision 9999, made by a newer dialer, this program needs {head()}. Install that one, or let it"
    with pytest.raises(DatabaseNotAtHead, match=sentence):
        own_database.require_head()
    with pytest.raises(DatabaseNotAtHead, match=sentence):
        migrate(own_database.settings)
    assert own_database.revision() == "9999", "nothing was touched"


# --- the files --------------------------------------------------------------------------------------------------


def migrations() -> list[ModuleType]:
    modules = []
    for path in sorted((Path(sql.ROOT).parent / "alembic" / "versions").glob("*.py")):
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        modules.append(module)
    return modules


@pytest.mark.parametrize("dialect_name", list(DIALECTS))
def test_at_head_stands_what_the_live_files_say(dialect_name: str) -> None:
    library = sql.LIBRARY
    assert library.at(dialect_name, head()) == {
        name: library.text(dialect_name, name) for name in library.names(dialect_name)
    }
    assert library.at(dialect_name, None) == {}


@pytest.mark.parametrize("dialect_name", list(DIALECTS))
def test_a_name_stands_in_one_file_of_one_room_for_both_dialects(dialect_name: str) -> None:
    files = [path for path in (sql.ROOT / "procedures" / dialect_name).rglob("*.sql") if "@" not in path.stem]
    assert sorted(path.stem for path in files) == sql.LIBRARY.names(dialect_name)
    for other in DIALECTS:
        for name in set(sql.LIBRARY.names(other)) & set(sql.LIBRARY.names(dialect_name)):
            assert sql.LIBRARY.room(other, name) == sql.LIBRARY.room(dialect_name, name), name


def parameters(body: str) -> list[str]:
    """What must be given to a routine, in order. (What PostgreSQL returns a MariaDB procedure may have to hand out.)"""
    signature = re.search(r"\((.*?)\)\s*(?:--[^\n]*\s*)*\n", body, re.DOTALL)
    assert signature is not None
    return re.findall(r"(?<!OUT )\b(p_\w+) ", signature[1])


@pytest.mark.parametrize(("dialect_name", "name"), ROUTINES)
def test_a_file_holds_the_routine_of_its_name_under_a_comment(dialect_name: str, name: str) -> None:
    text = sql.LIBRARY.text(dialect_name, name)
    header = []
    for line in text.splitlines():
        if not line.startswith("--"):
            break
        header.append(line)
    assert header, "says what a caller must know"
    body = text[len("\n".join(header)) :].strip()
    created = re.match(r"CREATE OR REPLACE (FUNCTION|VIEW|PROCEDURE|TRIGGER) (\w+)", body)
    assert created is not None, "a statement that replaces"
    assert created[2] == name
    for more in re.finditer(r"(.*)\n^CREATE (.*)", body, re.MULTILINE):
        assert more[2].startswith(f"TRIGGER {name.removesuffix('write')}"), "and the triggers that call it"
        assert more[1].endswith(";")
    first = header[0].removeprefix("--").strip()
    assert first.startswith((name, "Trigger,")), "the header begins with the routine and its parameters"
    if first.startswith(f"{name}("):
        told = first[len(name) :].split("(", 1)[1].split(")")[0]
        if re.fullmatch(r"(p_\w+)?(, p_\w+)*", told):
            assert re.findall(r"\bp_\w+", told) in (parameters(body), parameters(body.replace("OUT ", "")))


@pytest.mark.parametrize("dialect_name", list(DIALECTS))
def test_kept_texts_belong_to_a_routine_and_a_revision(dialect_name: str) -> None:
    revisions = {module.revision for module in migrations()}
    kept = sql.LIBRARY.kept(dialect_name)
    files = list((sql.ROOT / "procedures" / dialect_name).rglob("*@*.sql"))
    assert len(files) == sum(map(len, kept.values())), "each is called name@before_revision.sql"
    for name, texts in kept.items():
        assert texts.keys() <= revisions, name
        assert name.startswith("dialer_")


@pytest.mark.parametrize("dialect_name", list(DIALECTS))
def test_routines_of_security_definer_have_a_fixed_path(dialect_name: str) -> None:
    """Otherwise whoever may INSERT could run functions of their own as the owner."""
    for name in sql.LIBRARY.names(dialect_name):
        body = sql.LIBRARY.text(dialect_name, name)
        if "SECURITY DEFINER" in body:
            assert "SET search_path FROM CURRENT" in body, name
