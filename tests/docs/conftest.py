"""The reader of the pages, before a server of either kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.docs.extract import DIALECTS
from tests.docs.world import World
from tests.support.containers import MariaDbDatabases, PostgresDatabases
from tests.support.dialects import SERVERS

_ON_BOTH = ("database.md", "upgrade-backup.md")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A page is typed on both databases by `make test-full`, on PostgreSQL alone by `make test`, but for those that say
    most about MariaDB."""
    for item in items:
        typed = item.name.startswith("test_what_a_page_has_its_reader_type_works[mariadb-")
        if typed and not any(page in item.name for page in _ON_BOTH):
            item.add_marker("full")


@pytest.fixture(params=sorted(DIALECTS))
def world(
    request: pytest.FixtureRequest,
    database_server: Callable[[str, str], PostgresDatabases | MariaDbDatabases],
    tmp_path: Path,
) -> Iterator[World]:
    server = database_server(request.param, SERVERS[request.param].version)
    with World(server, request.param, tmp_path) as made:
        yield made


@pytest.fixture(scope="module", params=sorted(DIALECTS))
def installed(
    request: pytest.FixtureRequest,
    database_server: Callable[[str, str], PostgresDatabases | MariaDbDatabases],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[World]:
    """Installed once, for tests that do not stand in each other's way."""
    server = database_server(request.param, SERVERS[request.param].version)
    with World(server, request.param, tmp_path_factory.mktemp("world")) as made:
        made.install()
        yield made
