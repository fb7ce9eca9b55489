"""What all tests share: gevent's patch, as in the dialer itself, and the servers.

Fixtures are lazy: a test that asks for no server starts none.
"""

# First of all, as in dialer/__main__.py: modules imported later must see the patched library.
from gevent import monkey

monkey.patch_all()

# ruff: noqa: E402
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest
from sqlalchemy import make_url

from tests.support.containers import (
    MARIADB_VERSIONS,
    POSTGRES_VERSIONS,
    AsteriskContainer,
    Databases,
    MariaDbContainer,
    MariaDbDatabases,
    PostgresContainer,
    PostgresDatabases,
    remove_leftovers,
)
from tests.support.extent import be_brief
from tests.support.sipp import Agents, Carrier


def pytest_configure(config: pytest.Config) -> None:
    """Before any test module counts how often it tries something."""
    be_brief(when="not full" in config.option.markexpr)


@pytest.fixture(scope="session")
def _no_leftovers() -> None:
    """Containers of killed test runs are gone before this one starts its own."""
    remove_leftovers()


@pytest.fixture(scope="session")
def postgres_server(request: pytest.FixtureRequest) -> Iterator[PostgresDatabases]:
    """One PostgreSQL, the oldest, for the whole run; make databases on it with `create` and `template`.

    DIALER_TEST_POSTGRES_URL=postgresql+psycopg://user:password@host/database names an existing server instead, for
    who develops without Docker. Its user must be allowed to create databases and roles.
    """
    if existing := os.environ.get("DIALER_TEST_POSTGRES_URL"):
        databases = PostgresDatabases(make_url(existing).set(drivername="postgresql+psycopg"))
        yield databases
        databases.close()
        return
    request.getfixturevalue("_no_leftovers")
    with PostgresContainer() as server:
        yield server.databases()


@pytest.fixture(scope="session")
def mariadb_server(request: pytest.FixtureRequest) -> Iterator[MariaDbDatabases]:
    """One MariaDB, the oldest, for the whole run; make databases on it with `create` and `template`.

    DIALER_TEST_MARIADB_URL=mariadb+pymysql://user:password@host:port/ names an existing server instead, one with
    the zone tables loaded and, beside a binary log, log_bin_trust_function_creators = 1. Its user must be allowed to
    create databases and users.
    """
    if existing := os.environ.get("DIALER_TEST_MARIADB_URL"):
        yield MariaDbDatabases(make_url(existing).set(drivername="mariadb+pymysql"))
        return
    request.getfixturevalue("_no_leftovers")
    with MariaDbContainer() as server:
        yield server.databases()


@pytest.fixture(scope="session")
def database_server(request: pytest.FixtureRequest) -> Iterator[Callable[[str, str], Databases]]:
    """The server of a dialect and version ("mariadb", "10.11"), one of each for the whole run, started when it is first
    asked for; the oldest ones are those of the fixtures above."""
    containers = {"postgresql": PostgresContainer, "mariadb": MariaDbContainer}
    oldest = {
        ("postgresql", POSTGRES_VERSIONS[0]): "postgres_server",
        ("mariadb", MARIADB_VERSIONS[0]): "mariadb_server",
    }
    with ExitStack() as running:

        @cache
        def server(dialect: str, version: str) -> Databases:
            databases: Databases
            if fixture := oldest.get((dialect, version)):
                databases = request.getfixturevalue(fixture)
            else:
                remove_leftovers()
                databases = running.enter_context(containers[dialect](version)).databases()
            return databases

        yield server


@pytest.fixture
def empty_database(postgres_server: PostgresDatabases) -> Iterator[str]:
    """The URL of a database of the test's own, with nothing in it."""
    url = postgres_server.create()
    yield url
    postgres_server.drop(url)


@pytest.fixture(scope="session")
def asterisk_server(_no_leftovers: None) -> Iterator[AsteriskContainer]:
    """One Asterisk 16 for the whole run."""
    with AsteriskContainer() as server:
        yield server


@pytest.fixture
def asterisk(asterisk_server: AsteriskContainer) -> Iterator[AsteriskContainer]:
    """The run's Asterisk without calls, before the test and after it. Tests that harm it start one of their own."""
    asterisk_server.hang_up_all()
    yield asterisk_server
    asterisk_server.hang_up_all()


@pytest.fixture
def carrier(asterisk: AsteriskContainer, tmp_path: Path) -> Iterator[Carrier]:
    """SIPp as the carrier of `asterisk`; only this test's calls are in its log."""
    with Carrier(asterisk.carrier_port, tmp_path) as sipp:
        yield sipp
        asterisk.hang_up_all()


@pytest.fixture
def agents(asterisk: AsteriskContainer, tmp_path: Path) -> Iterator[Agents]:
    """SIPp as the agents' phones of `asterisk`."""
    with Agents(asterisk.agents_port, tmp_path) as sipp:
        yield sipp
        asterisk.hang_up_all()
