"""Databases for tests of the SQL routines: migrated once, emptied for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from alembic import command
from tests.support.caller import Caller
from tests.support.containers import Databases
from tests.support.dialects import SERVERS, Dialect, clean, servers
from worker.db import Database
from worker.db.migration import config


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What asks for a server needs a container."""
    for item in items:
        if "database_server" in getattr(item, "fixturenames", ()) and "tests/sql/" in item.path.as_posix():
            item.add_marker("docker")


@pytest.fixture(scope="session", params=servers())
def dialect(request: pytest.FixtureRequest) -> Dialect:
    """Each test runs once on each server; on those of one kind with parametrize("dialect", servers("mariadb"),
    indirect=True)."""
    return SERVERS[request.param]


@pytest.fixture(scope="session")
def server(dialect: Dialect, database_server: Callable[[str, str], Databases]) -> Databases:
    """That server, with the template `migrated`: a database at head (on PostgreSQL in schema `nc`)."""
    server = database_server(dialect.name, dialect.version)
    server.template("migrated", lambda url: command.upgrade(config(dialect.settings(url)), "head"))
    return server


@pytest.fixture(scope="session")
def shared_database(server: Databases, dialect: Dialect) -> Iterator[Database]:
    """One migrated database for the run; tests use `db`."""
    url = server.create(template="migrated")
    database = Database(dialect.settings(url))
    yield database
    database.dispose()
    server.drop(url)


@pytest.fixture
def db(shared_database: Database) -> Database:
    """A database at head with nothing in it, whose time is what the tests say (virtual_clock)."""
    clean(shared_database)
    return shared_database


@pytest.fixture
def other(db: Database) -> Iterator[Database]:
    """The same database through connections of its own, as a DBA or a second worker has it."""
    database = Database(db.settings)
    yield database
    database.dispose()


@pytest.fixture
def own_database(server: Databases, dialect: Dialect) -> Iterator[Database]:
    """A migrated database of the test's own, for what cannot be undone by emptying tables."""
    url = server.create(template="migrated")
    database = Database(dialect.settings(url))
    yield database
    database.dispose()
    server.drop(url)


@pytest.fixture
def caller(db: Database, dialect: Dialect) -> Caller:
    """A worker that owns the Asterisk 'default'."""
    return Caller(db, dialect)
