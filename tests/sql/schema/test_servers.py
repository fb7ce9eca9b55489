"""Calls are begun only from servers that are known: a copy of the database dials nobody until it is told to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from dialer.migrate import migrate
from dialer.takeover import takeover
from tests.support.containers import Databases, PostgresDatabases
from tests.support.dialects import Dialect, execute, servers
from tests.support.factories import add_project
from worker.db import Database
from worker.db.routines.owners import Owners
from worker.db.routines.upkeep import Upkeep
from worker.errors import DatabaseUnavailable, DatabaseUnfit

ON_MARIADB = pytest.mark.parametrize("dialect", servers("mariadb"), indirect=True)


@pytest.fixture
def original(server: Databases, dialect: Dialect) -> Iterator[Database]:
    """A database with a project that is to run."""
    url = server.create()
    migrate(dialect.settings(url))
    database = Database(dialect.settings(url), known_server_only=True)
    add_project(database)
    database.call("dialer_project_start", "p")
    yield database
    database.dispose()
    server.drop(url)


@pytest.fixture
def copy(server: Databases, original: Database, dialect: Dialect) -> Iterator[str]:
    """The URL of a copy of it, for a look."""
    original.dispose()  # PostgreSQL copies a database that nobody works in
    url = server.copy(original.settings.url().render_as_string(hide_password=False))
    yield url
    server.drop(url)


def test_the_server_of_the_first_migration_is_known(original: Database) -> None:
    original.require_fit()
    assert [row["note"] for row in original.query("SELECT note FROM dialer_servers")] == ["of the first migration"]


def test_a_copy_is_refused_until_it_is_taken_over(copy: str, dialect: Dialect) -> None:
    settings = dialect.settings(copy)
    worker = Database(settings, known_server_only=True)
    refused = r"is not known to dialer_servers, so this may be a copy of the database\. .*run `dialer takeover`"
    with pytest.raises(DatabaseUnfit, match=refused):
        worker.require_fit()
    with pytest.raises(DatabaseUnavailable, match=refused):
        Owners(worker).start_worker("w", 6)
    api = Database(settings)
    assert "not known to dialer_servers" in Upkeep(api).readiness().reasons[0]

    migrate(settings)
    with pytest.raises(DatabaseUnfit, match=refused):
        worker.require_fit()  # a migration is no takeover

    written, running = takeover(settings, stop=False)
    assert "is written down beside" in written
    assert running == "A worker that starts dials at once: p. `--stop` stops them first."
    assert Owners(worker).start_worker("w", 6)
    worker.faults(seconds=0)
    worker.require_fit()
    assert "nothing to take over" in next(takeover(settings, stop=False))
    api.dispose()
    worker.dispose()


def test_a_copy_can_be_taken_over_with_all_projects_stopped(copy: str, dialect: Dialect) -> None:
    told = list(takeover(dialect.settings(copy), stop=True))
    assert told[1] == "Stopped before that: p."
    database = Database(dialect.settings(copy), known_server_only=True)
    assert database.query("SELECT wanted FROM dialer_projects") == [{"wanted": "stop"}]
    database.dispose()


@ON_MARIADB
def test_a_server_that_the_settings_name_beside_a_known_one_is_known(original: Database) -> None:
    """Promoted, it needs no hands; nor do its names when the known one has gone from the settings."""
    settings = original.settings
    both = Database(replace(settings, host=f"{settings.host}, localhost"), known_server_only=True)
    both.require_fit()
    both.dispose()
    promoted = Database(replace(settings, host="localhost"), known_server_only=True)
    promoted.require_fit()
    promoted.dispose()


@ON_MARIADB
def test_of_several_servers_the_first_one_that_answers_is_worked_with(
    original: Database,
) -> None:
    nobody = "127.0.0.9"
    database = Database(replace(original.settings, host=f"{nobody}, {original.settings.host}"))
    assert database.query("SELECT 1 AS one") == [{"one": 1}]
    database.dispose()
    alone = Database(replace(original.settings, host=nobody))
    with pytest.raises(DatabaseUnavailable):
        alone.query("SELECT 1 AS one")
    alone.dispose()


def test_a_worker_that_is_led_to_another_server_begins_nothing(original: Database, server: Databases) -> None:
    """By a failover: its next connections lead to a server that is not known."""
    assert Owners(original).start_worker("w", 6)
    execute(original, "UPDATE dialer_servers SET identity = 'another'")
    assert Owners(original).start_worker("w", 6), "the sessions that it has are those of the known one"
    original.dispose()
    with pytest.raises(DatabaseUnavailable, match="not known to dialer_servers"):
        Owners(original).start_worker("w", 6)


@pytest.mark.parametrize("dialect", servers("postgresql"), indirect=True)
def test_a_server_that_does_not_tell_its_number_is_known_by_its_database_s_name(
    server: PostgresDatabases, dialect: Dialect
) -> None:
    url = server.create()
    with server.user(url) as (user, theirs):
        with server.connect(url) as admin:
            admin.execute(f"CREATE SCHEMA nc AUTHORIZATION {user}".encode())
            admin.execute("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC")
        migrate(dialect.settings(theirs))
        database = Database(dialect.settings(theirs), known_server_only=True)
        database.require_fit()
        (row,) = database.query("SELECT identity FROM dialer_servers")
        assert row["identity"].endswith(f" {database.settings.name}")
        assert not row["identity"][0].isdigit()
        database.dispose()
        server.drop(url)
