"""Servers that are harmed, a dialer under load on them, and the table of what came of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import make_url

from tests.faults.stage import FAULTS, Server, Stage
from tests.support.containers import (
    AsteriskContainer,
    MariaDbContainer,
    PostgresContainer,
)
from tests.support.installation import Installation, migrate
from tests.support.sipp import Agents, Carrier


def pytest_configure(config: pytest.Config) -> None:
    config.stash[FAULTS] = []


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Which fault, how long the part was away, how long after it was back both projects were dialled again."""
    faults = config.stash.get(FAULTS, [])
    if not faults:
        return
    width = max(len(fault.name) for fault in faults)
    terminalreporter.section("faults")
    head = ("fault", "database", "away s", "resumed s", "pause s")
    terminalreporter.write_line(f"{head[0]:<{width}}  {head[1]:<8}  {head[2]:>6}  {head[3]:>9}  {head[4]:>7}  promise")
    for fault in sorted(faults, key=lambda one: (one.name, one.database)):
        away, resumed, pause = (
            "-" if seconds is None else f"{seconds:.1f}"
            for seconds in (max(0.0, fault.back - fault.began), fault.resumed, fault.silence)
        )
        line = f"{fault.name:<{width}}  {fault.database:<8}  {away:>6}  {resumed:>9}  {pause:>7}  {fault.verdict}"
        terminalreporter.write_line(f"{line}{fault.note and f'; {fault.note}'}")
    terminalreporter.write_line(
        "away: the broken part; resumed: from its return (from the fault, where others take over) to new calls of both"
        " projects; pause: the longest between two calls at the carrier"
    )


@pytest.fixture(scope="session")
def fragile_asterisk(_no_leftovers: None) -> Iterator[AsteriskContainer]:
    """An Asterisk that may be killed and restarted; big enough for 200 calls."""
    with AsteriskContainer(calls_at_once=250) as server:
        yield server


@pytest.fixture(scope="session")
def fragile_postgres(_no_leftovers: None) -> Iterator[PostgresContainer]:
    """A PostgreSQL that may be killed, and forgets nothing then."""
    with PostgresContainer(durable=True) as server:
        yield server


@pytest.fixture(scope="session")
def fragile_mariadb(_no_leftovers: None) -> Iterator[MariaDbContainer]:
    """A MariaDB that may be killed, and forgets nothing then."""
    with MariaDbContainer(durable=True) as server:
        yield server


@pytest.fixture(params=["postgres", "mariadb"])
def database_name(request: pytest.FixtureRequest) -> str:
    """Each test that asks for it runs on both; parametrize it indirectly for one of them."""
    name: str = request.param
    return name


@pytest.fixture
def database_server(request: pytest.FixtureRequest, database_name: str) -> Server:
    """The server that this test harms."""
    server: Server = request.getfixturevalue(f"fragile_{database_name}")
    return server


@pytest.fixture
def database_url(database_server: Server) -> Iterator[str]:
    """A migrated database of the test's own on that server, of a user with no rights beyond it."""
    databases = database_server.databases()
    url = databases.create()
    user = owner_of(database_server, url)
    migrate(user)
    yield user
    databases.drop(url)


def owner_of(server: Server, url: str) -> str:
    """The url for a user who has a database and nothing else. On MariaDB an administrator may write to a server that
    is read-only, and so may what he has installed."""
    if isinstance(server, PostgresContainer):
        return url
    place = make_url(url)
    with closing(server.databases().connect()) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE USER '{place.database}'@'%%' IDENTIFIED BY %s", (place.password,))
        cursor.execute(f"GRANT ALL ON `{place.database}`.* TO '{place.database}'@'%'")
    return place.set(username=place.database).render_as_string(hide_password=False)


@pytest.fixture
def fragile_carrier(fragile_asterisk: AsteriskContainer, tmp_path: Path) -> Iterator[Carrier]:
    """SIPp as the carrier of the Asterisk that is harmed."""
    fragile_asterisk.hang_up_all()
    with (
        Carrier(fragile_asterisk.carrier_port, tmp_path) as carrier,
        Agents(fragile_asterisk.agents_port, tmp_path),
    ):
        yield carrier
        fragile_asterisk.hang_up_all()


@pytest.fixture
def stage(
    request: pytest.FixtureRequest,
    database_url: str,
    fragile_asterisk: AsteriskContainer,
    fragile_carrier: Carrier,
    tmp_path: Path,
) -> Iterator[Stage]:
    """A dialer that is installed and not started."""
    database_name = request.getfixturevalue("database_name")
    with Installation(database_url, fragile_asterisk, tmp_path) as dialer:
        yield Stage(dialer, fragile_asterisk, fragile_carrier, database_name, request.config.stash[FAULTS])
