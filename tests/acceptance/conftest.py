"""Fixtures of the acceptance tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.containers import AsteriskContainer, Databases
from tests.support.dialects import SERVERS
from tests.support.installation import Installation, installed


@pytest.fixture
def migrated_database(
    request: pytest.FixtureRequest, database_server: Callable[[str, str], Databases]
) -> Iterator[str]:
    """The URL of a database of the test's own, at head and without a case: on the oldest PostgreSQL, or on the one of
    SERVERS that an indirect parameter names."""
    dialect = SERVERS[getattr(request, "param", "postgresql")]
    server = database_server(dialect.name, dialect.version)
    url = installed(server)
    yield url
    server.drop(url)


@pytest.fixture
def dialer(migrated_database: str, asterisk: AsteriskContainer, tmp_path: Path) -> Iterator[Installation]:
    """A dialer that is installed and not started, beside the run's Asterisk."""
    with Installation(migrated_database, asterisk, tmp_path) as installation:
        yield installation
