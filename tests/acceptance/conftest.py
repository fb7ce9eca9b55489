"""Fixtures of the acceptance tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.installation import Installation, migrate
from tests.containers import AsteriskContainer, Databases


@pytest.fixture
def migrated_database(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a database of the test's own, at head and without a case: on PostgreSQL, or on what an indirect
    parameter names."""
    server: Databases = request.getfixturevalue(f"{getattr(request, 'param', 'postgres')}_server")
    url = server.create(server.template("migrated for acceptance", migrate))
    yield url
    server.drop(url)


@pytest.fixture
def dialer(migrated_database: str, asterisk: AsteriskContainer, tmp_path: Path) -> Iterator[Installation]:
    """A dialer that is installed and not started, beside the run's Asterisk."""
    with Installation(migrated_database, asterisk, tmp_path) as installation:
        yield installation
